package engine

import (
	"context"

	"shoal/internal/decide/room"
	"shoal/internal/files/content"
	"shoal/internal/files/disk"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/mono"
)

// What a torrent has to do with its files is in package content. Here is what it means for the
// swarm, and for those who listen.

// The names of content by which callers of this package know them.
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
	return t.e.library.memory.changed(t, durably)
}

// Standing implements content.Host.
func (h *host) Standing() content.Standing {
	s := h.torrent().pub.latest.Load()
	out := content.Standing{Left: s.Swarm.WantedSize - s.Swarm.WantedVerified, Rests: s.State == Paused}
	switch s.State {
	case Stopped, Failed, Seeding:
		out.Over = true
	}
	if s.Swarm.WantedSize == 0 { // its swarm is not there yet
		out.Left = -1
	}
	return out
}

// contents returns what lies on disk of the torrents.
func (e *Engine) contents() (all []*content.Content) {
	for _, t := range e.Torrents() {
		all = append(all, t.content)
	}
	return all
}

// contentReports takes what a task of the content tells.
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

// checkedPiece tells the swarm what became of a piece.
func (t *Torrent) checkedPiece(now mono.Time, r *content.Checked) {
	switch t.content.Checked(now, r) {
	case content.Hashed:
		t.swarm.Checked(now, r.Piece, r.OK, r.Sums)
	case content.Lost:
		t.swarm.Unwritten(now, r.Piece)
	case content.LeftOut:
		t.swarm.Unwritten(now, r.Piece)
		t.leaveOut()
	}
}

// filesSettled takes the outcome of an opening.
func (t *Torrent) filesSettled(now mono.Time, r *content.Settled) {
	have := t.content.Settled(now, r)
	switch {
	case have == nil:
		t.lookedAt()
	case t.swarm == nil, t.swarm.Bare():
		t.start(now, have)
	default:
		t.rejoin(now, have)
	}
	t.leaveOut()
	if t.swarm != nil && t.swarm.Complete() {
		t.content.Sync() // also once more, when the last time failed
	}
	t.pub.cadence.Changed()
}

// rejoin tells the swarm what was lost and what is there again.
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
	t.content.Have(have) // after the source: a reader that wakes reads
}

// incomplete takes back that everything wanted is complete.
func (t *Torrent) incomplete() {
	t.content.Incomplete()
	t.complete.Shut()
}

// lookedAt says, once, that it is known what is on disk.
func (t *Torrent) lookedAt() {
	if !t.checked.Passed() {
		t.pub.publishNow(t.e.now())
		t.checked.Open()
		t.tell(Event{Kind: EventChecked})
	}
}

// filesSynced takes that what is complete was made durable, or why it could not.
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

// maintain does what is due with the files, and tells the swarm what it may do meanwhile.
func (t *Torrent) maintain(now mono.Time) {
	t.content.Maintain(now)
	t.stand(now)
	turn := t.content.Turn()
	if turn == content.Same {
		return
	}
	t.pub.publishNow(now) // a listener may look
	switch turn {
	case content.HeldUp:
		cause := t.content.Cause()
		t.tell(Event{Kind: EventHeld, Err: cause, Text: cause.Error()})
	case content.GoingOn:
		t.tell(Event{Kind: EventGoesOn})
		t.content.TryRefused(now)
		t.maintain(now)
	}
}

// leaveOut tells the swarm which pieces are not wanted any more, or are again.
func (t *Torrent) leaveOut() {
	if t.swarm == nil || !t.content.Unkept() {
		return
	}
	t.swarm.SetPriorities(t.e.now(), t.content.PiecePriorities())
	t.pub.cadence.Changed()
}

// prioritise tells the files and the swarm of new priorities.
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
	Limit     int64        // bytes that block buffers may take
	Allocated int64        // bytes taken from the system for block buffers, of all devices together
	Spares    int64        // bytes of other buffers for payload that are kept for the next connection
	OpenFiles int          // of torrents
	Devices   []disk.Stats // of those that torrents are on now
}

// DiskStats returns the figures of now.
func (e *Engine) DiskStats() DiskStats {
	s := DiskStats{Limit: e.cfg.Buffers, Spares: e.spares.Bytes(), OpenFiles: e.files.OpenFiles()}
	s.Devices, s.Allocated = e.disks.DiskStats()
	return s
}

// Dir returns the folder that holds the torrent's file or folder now.
func (t *Torrent) Dir() string { return t.content.Dir() }

// Path returns the path of a file below the folder, without a suffix for unfinished ones.
func (t *Torrent) Path(file int) string { return t.content.Path(file) }

// Named is content.Content.Named.
func (t *Torrent) Named() *Names { return t.content.Named() }

// Priority returns the priority of a file.
func (t *Torrent) Priority(file int) uint8 { return t.content.Priority(file) }

// Has reports whether a piece is verified and its files can be read now.
func (t *Torrent) Has(piece uint32) bool { return t.content.Has(piece) }

// Short returns why the torrent does not fit on its volumes; nil when it does, or nobody knows.
func (t *Torrent) Short() *room.Shortage { return t.content.Short() }

// Move is content.Content.Move.
func (t *Torrent) Move(ctx context.Context, dir string, progress func(done, total int64)) error {
	return t.content.Move(ctx, dir, progress)
}

// Rename is content.Content.Rename.
func (t *Torrent) Rename(ctx context.Context, to Names) error { return t.content.Rename(ctx, to) }

// Verify is content.Content.Verify.
func (t *Torrent) Verify(ctx context.Context, progress func(done, total int)) (*content.Verified, error) {
	return t.content.Verify(ctx, progress)
}
