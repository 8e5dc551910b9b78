package engine

import (
	"context"

	"shoal/internal/decide/room"
	"shoal/internal/files/content"
	"shoal/internal/files/disk"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/mono"
)

// Package content works with a torrent's files. This file passes its results on to the swarm and
// to listeners.

// Aliases for callers of this package.
type (
	Names = content.Names
	Paths = content.Paths
	Kept  = content.Kept
)

// host is a torrent as its content sees it.
type host Torrent

func (h *host) torrent() *Torrent { return (*Torrent)(h) }

// Post implements content.Host.
func (h *host) Post(r content.Report) bool {
	return h.torrent().post(event{kind: evReport, report: r})
}

var eventOf = [...]EventKind{content.Changed: EventFiles, content.KeptFiles: EventKept, content.Space: EventSpace}

// Say implements content.Host.
func (h *host) Say(e content.Event) {
	h.torrent().tell(Event{Kind: eventOf[e.Kind], Text: e.Text, Err: e.Err, Kept: e.Kept})
}

// Rivals implements content.Host.
func (h *host) Rivals(match func(*content.Content) bool) (before, after []*content.Content) {
	t, later := h.torrent(), false
	t.e.list.mu.Lock()
	defer t.e.list.mu.Unlock()
	for _, other := range t.e.list.order {
		switch {
		case other == t:
			later = true
		case !other.known.Load().full: // it has no files yet
		case !match(other.content):
		case later:
			after = append(after, other.content)
		default:
			before = append(before, other.content)
		}
	}
	return before, after
}

// Remember implements content.Host.
func (h *host) Remember(durably bool) error {
	t := h.torrent()
	return t.e.library.librarian.changed(t, durably)
}

// Standing implements content.Host.
func (h *host) Standing() content.Standing {
	s := h.torrent().pub.latest.Load()
	out := content.Standing{Left: s.Swarm.WantedSize - s.Swarm.WantedVerified, Rests: s.State == Paused}
	switch s.State {
	case Stopped, Failed, Seeding:
		out.Over = true
	}
	if s.Swarm.WantedSize == 0 { // there is no swarm yet
		out.Left = -1
	}
	return out
}

// contents returns the contents of all torrents that have files.
func (e *Engine) contents() (all []*content.Content) {
	for _, t := range e.Torrents() {
		if t.metadata.Passed() {
			all = append(all, t.content)
		}
	}
	return all
}

// contentReports handles the report of a content task.
func (t *Torrent) contentReports(now mono.Time, r content.Report) {
	switch r := r.(type) {
	case *content.Checked:
		if t.swarm != nil {
			t.checkedPiece(now, r)
		}
	case *content.Settled:
		t.filesSettled(now, r)
	case *content.Synced:
		t.filesSynced(now, r)
	default:
		t.content.Done(now, r)
	}
}

// checkedPiece tells the swarm whether a piece was verified, failed, or could not be written.
func (t *Torrent) checkedPiece(now mono.Time, r *content.Checked) {
	switch t.content.Checked(now, r) {
	case content.Hashed:
		t.swarm.Checked(now, r.Piece, r.OK, r.Sums)
	case content.Lost:
		t.swarm.WriteFailed(now, r.Piece)
	case content.LeftOut:
		t.swarm.WriteFailed(now, r.Piece)
		t.leaveOut()
	}
}

// filesSettled handles the outcome of an opening.
func (t *Torrent) filesSettled(now mono.Time, r *content.Settled) {
	have := t.content.Settled(now, r)
	switch {
	case have == nil:
		t.lookedAt()
	case t.swarm == nil, t.swarm.NoMetadata():
		t.start(now, have)
	default:
		t.rejoin(now, have)
	}
	t.leaveOut()
	if t.swarm != nil && t.swarm.Complete() {
		t.content.Sync() // a new try, in case the last sync failed
	}
	t.pub.cadence.Changed()
}

// rejoin tells the swarm which pieces were lost and which were regained.
func (t *Torrent) rejoin(now mono.Time, have *bitfield.Bitfield) {
	for i, mark := range t.swarm.AppendMap(nil) {
		p := uint32(i)
		switch had := mark == 'v'; {
		case had && !have.Has(p):
			t.incomplete()
			t.swarm.Lost(now, p)
		case !had && have.Has(p):
			t.swarm.Regained(now, p)
		}
	}
	t.content.Have(have) // after the source is set: a reader that wakes reads from it
}

// incomplete notes that some wanted files are not complete any more.
func (t *Torrent) incomplete() {
	t.content.Incomplete()
	t.complete.Shut()
}

// lookedAt announces, once, that the data on disk is checked.
func (t *Torrent) lookedAt() {
	if !t.checked.Passed() {
		t.pub.publishNow(t.e.now())
		t.checked.Open()
		t.tell(Event{Kind: EventChecked})
	}
}

// filesSynced handles the result of making complete files durable.
func (t *Torrent) filesSynced(now mono.Time, r *content.Synced) {
	durable, err := t.content.Synced(now, r, t.swarm != nil && t.swarm.Complete())
	switch {
	case err != nil:
		t.fail(err)
	case durable:
		t.pub.publishNow(now)
		t.complete.Open()
		t.tell(Event{Kind: EventComplete})
	}
}

// maintain runs what is due with the files, and tells the swarm what it may do meanwhile.
func (t *Torrent) maintain(now mono.Time) {
	t.content.Maintain(now)
	t.applyRunState(now)
	turn := t.content.Turn()
	if turn == content.Same {
		return
	}
	t.pub.publishNow(now) // a listener may look at the snapshot when the event arrives
	switch turn {
	case content.HeldUp:
		cause := t.content.Cause()
		t.tell(Event{Kind: EventStalled, Err: cause, Text: cause.Error()})
	case content.GoingOn:
		t.tell(Event{Kind: EventResumed})
		t.content.TryRefused(now)
		t.maintain(now)
	}
}

// leaveOut updates the swarm after files were refused, or accepted again: their pieces are not
// wanted, or wanted again.
func (t *Torrent) leaveOut() {
	if t.swarm == nil || !t.content.Unkept() {
		return
	}
	t.swarm.SetPriorities(t.e.now(), t.content.PiecePriorities())
	t.pub.cadence.Changed()
}

// prioritise passes new priorities to the content and the swarm.
func (t *Torrent) prioritise() {
	t.content.Prioritise(t.e.now())
	if t.swarm != nil {
		t.swarm.SetPriorities(t.e.now(), t.content.PiecePriorities())
		if !t.swarm.Complete() {
			t.incomplete()
		}
		t.pub.cadence.Changed()
	}
}

// DiskStats are the figures of all devices.
type DiskStats struct {
	Limit     int64        // limit of the bytes of block buffers
	Allocated int64        // bytes of block buffers allocated for all devices together
	Spares    int64        // bytes of other payload buffers kept for the next connection
	OpenFiles int          // number of open files of torrents
	Devices   []disk.Stats // devices that torrents are on now
}

// DiskStats returns the current figures.
func (e *Engine) DiskStats() DiskStats {
	s := DiskStats{Limit: e.cfg.Buffers, Spares: e.spares.Bytes(), OpenFiles: e.files.OpenFiles()}
	s.Devices, s.Allocated = e.disks.DiskStats()
	return s
}

// Dir returns the folder that holds the torrent's file or folder now.
func (t *Torrent) Dir() string { return t.content.Dir() }

// Path returns the path of a file below the folder, without the suffix of incomplete files.
func (t *Torrent) Path(file int) string { return t.content.Path(file) }

// Named is content.Content.Named.
func (t *Torrent) Named() *Names { return t.content.Named() }

// Priority returns the priority of a file.
func (t *Torrent) Priority(file int) uint8 { return t.content.Priority(file) }

// Has reports whether a piece is verified and its files can be read now.
func (t *Torrent) Has(piece uint32) bool { return t.content.Has(piece) }

// Short returns why the torrent does not fit on its volumes; nil when it fits, or when that is
// unknown.
func (t *Torrent) Short() *room.Shortage { return t.content.Short() }

// Move is content.Content.Move.
func (t *Torrent) Move(ctx context.Context, dir string, progress func(done, total int64)) error {
	if !t.metadata.Passed() {
		return t.errNoMetadata("move the files")
	}
	return t.content.Move(ctx, dir, progress)
}

// Rename is content.Content.Rename.
func (t *Torrent) Rename(ctx context.Context, to Names) error {
	if !t.metadata.Passed() {
		return t.errNoMetadata("rename files")
	}
	return t.content.Rename(ctx, to)
}

// Verify is content.Content.Verify.
func (t *Torrent) Verify(ctx context.Context, progress func(done, total int)) (*content.Verified, error) {
	if !t.metadata.Passed() {
		return nil, t.errNoMetadata("verify the files")
	}
	return t.content.Verify(ctx, progress)
}
