package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"shoal/internal/bitfield"
	"shoal/internal/block"
	"shoal/internal/disk"
	"shoal/internal/mono"
	"shoal/internal/plural"
	"shoal/internal/resume"
	"shoal/internal/storage"
	"shoal/internal/upkeep"
)

// opening is one opening of a torrent's files: from the look at what lies there to
// the next doubt, or the end. The task that opens it has it first; then the loop,
// which gives it to the task that opens the next one, and that one closes it.
type opening struct {
	t     *Torrent
	gen   int32 // which one it is: what is told by one that is gone does not count
	store storage.Storage
	disk  *disk.Torrent

	// Nil with a storage of the caller's.
	files *storage.Files
	*asides
	search    *search // nil when files are where they are known to be
	lay       resume.Layout
	state     resume.FS // nil when nothing is kept
	loaded    *resume.Loaded
	journal   *resume.Journal
	guard     *resume.Guard
	committer *resume.Committer

	cold cold // pieces that nobody is expected to read soon

	rewriting atomic.Bool // what was read is written once more, to be adopted

	moved  *device // a device that is not the torrent's yet; nil for none
	unlock func()  // the torrent is ours to write; nil while it is not

	// What was found by a settle that did not go through to the end.
	seen  resume.Seen
	found *bitfield.Bitfield

	adopting sync.WaitGroup // of a seed: what was found is claimed in its turn
	claiming atomic.Bool    // that is still to be done
}

// anyOpening is the number of whichever opening is current.
const anyOpening = -1

// errNotThere is why a torrent whose files were there waits instead of fetching them again.
var errNotThere = errors.New("the files were here and are not: is a volume not mounted? bring it back, or have them fetched anew")

// firstLook makes sure that a new torrent has a place for its files, so that Add can
// say what is wrong with it. A folder that is not there may be a volume that is not
// mounted: then a journal that knows it makes the torrent wait.
func (t *Torrent) firstLook(dir string) error {
	at, err := newPlace(dir)
	if err != nil {
		return err
	}
	t.at.Store(at)
	if t.spec.Storage != nil || t.spec.restored {
		return nil // the next look tells, and waits for what is not there
	}
	if t.spec.Open != nil {
		files, err := t.spec.Open()
		if err == nil {
			err = files.Close()
		}
		return err
	}
	folder, err := t.e.files.Folder(at.given)
	if err == nil {
		return folder.Close()
	}
	if storage.KindOf(err) != storage.Missing || !t.e.journals.Kept() {
		return err
	}
	state, serr := t.e.journals.For(t.at.Load().abs)
	if serr != nil {
		return err
	}
	_, lo, serr := resume.Open(state, t.layout(), resume.Config{Dir: t.at.Load().abs, Boot: t.e.journals.Boot()})
	if serr != nil || !lo.Found {
		return err
	}
	return nil
}

// layout gives what a journal has to know of the torrent.
func (t *Torrent) layout() resume.Layout { return resume.LayoutOf(t.infoHash, t.info) }

// openFirst begins to look at what is on disk.
func (t *Torrent) openFirst() {
	t.upkeep.Start(t.e.now())
	t.upkeep.Next() // it is this
	t.openSoon(func(leave func()) { t.upkeepOpen(nil, nil, 0, leave) })
}

// openFiles opens the files, and gives them the names that they should have. Nothing is
// looked at otherwise, and nothing created. Where there is a journal of a folder that is
// not there, the error is errNotThere.
// Data that lies there under other names is found with a search; without one the names are
// those that are known.
func (t *Torrent) openFiles(gen int32, s *search) (*opening, error) {
	o := newOpening(t, gen)
	o.search = s
	if t.spec.Storage != nil {
		o.store = t.spec.Storage
		o.openDisk()
		return o, nil
	}
	if err := o.openJournal(); err != nil {
		return nil, err
	}
	var err error
	if o.files, err = o.open(); err != nil {
		if o.unlock != nil {
			o.unlock()
		}
		if storage.KindOf(err) == storage.Missing && (o.loaded.Found || t.had.known() || t.spec.restored) {
			err = fmt.Errorf("%w (%w)", errNotThere, err)
		}
		return nil, err
	}
	t.users.links.Seal(t.at.Load().abs, true)
	t.refused.forget() // something may have been done about them
	o.files.Skip(t.skipped())
	o.files.CheckWrites(o.ownFile)
	o.guard = resume.NewGuard(o.files, o.files.Folder(), o.journal, resume.VolumeAt(t.at.Load().abs))
	o.store = o.guard
	o.committer = resume.NewCommitter(o.journal, resume.CommitterConfig{Sync: o.guard.Sync, Report: o.claimed})
	o.openDisk()
	return o, nil
}

// openDisk has the workers of the torrent's device hash and write for it.
func (o *opening) openDisk() {
	t := o.t
	o.disk = o.onDevice().disk.Open(o.store, t.geom, t.info.PieceHash, func(r disk.Result) {
		t.post(event{kind: evChecked, n: o.gen, with: &r})
	})
	o.disk.OnGoesOn(func() { t.post(event{kind: evGoesOn, n: o.gen}) })
}

// openJournal reads the journal. Where none can be kept that is no reason not to get and
// share files: what was claimed before holds as far as the files are as they were then. That
// one is there and can't be read is a reason: it may know files by other names, or in
// another folder, and they would be fetched again.
func (o *opening) openJournal() error {
	t := o.t
	state, err := o.findPlace()
	if errors.As(err, new(*lostError)) {
		return err
	}
	lay, cfg := t.layout(), resume.Config{Dir: t.at.Load().abs, Boot: t.e.journals.Boot(), Names: t.names()}
	if err == nil {
		o.state = state
		o.journal, o.loaded, err = resume.Open(state, lay, cfg)
		if err != nil {
			return err
		}
		o.inherit()
	}
	if err != nil {
		t.tell(Event{Kind: EventFiles, Text: "no journal is kept, so the next start checks everything: " + err.Error()})
		o.state = nil
		o.journal, o.loaded, _ = resume.Open(nil, lay, cfg) // in memory: it can't fail
	}
	o.lay = o.journal.Layout()
	if o.loaded.Found {
		t.e.journals.MarkUsed(t.at.Load().abs, o.lay.InfoHash)
	}
	return nil
}

// claimed takes the outcome of a group of pieces from the committer.
func (o *opening) claimed(r resume.Report) {
	switch {
	case r.Err == nil:
		if err := o.reveal(); err != nil {
			o.t.post(event{kind: evSpoilt, n: o.gen, with: err})
		}
		if !o.t.e.cfg.KeepCached {
			o.uncache(r.Durable)
		}
	case errors.As(r.Err, new(*resume.SyncError)):
		o.t.post(event{kind: evSpoilt, n: o.gen, with: r.Err})
	default:
		// What is not claimed now will be; until then a stop costs a check.
		o.t.e.log.Warn("claim pieces", "torrent", o.t.info.Name, "err", r.Err)
	}
}

// settle finds out what is had. The pieces it gives can be served, also when the
// error says that some could not be read, or not be claimed; none are given with
// errNotThere. It may be called again after an error.
func (o *opening) settle(ctx context.Context, leave func()) (*bitfield.Bitfield, error) {
	t := o.t
	if o.guard == nil {
		t.pub.beginCheck(nil)
		done := t.e.longCheck(ctx, t.geom.Total, leave)
		have, err := o.disk.Check(ctx, t.pub.checkedPiece)
		done()
		if err == nil {
			err = o.store.Prepare(ctx)
		}
		return have, err
	}
	seen, err := resume.Look(o.files.Folder(), o.lay.Files)
	if err != nil {
		return nil, err
	}
	seen.Volume = resume.VolumeAt(t.at.Load().abs)
	v := o.loaded.Compare(seen)
	o.vouch(&v, seen)
	v.Missing = slices.DeleteFunc(v.Missing, t.users.wasSetAside)
	if !t.anew.Load() && t.notThere(seen, v, o) {
		return nil, errNotThere
	}
	have := v.Trusted.Clone()
	if o.found != nil && seen.Same(o.seen) {
		for p := range o.found.Pieces() { // as of the last time
			have.Set(p)
			v.Doubt.Clear(p)
		}
	} else {
		t.tellChanges(o, v)
		t.tellLonger(o, seen, v)
	}
	o.search.before(&o.lay, seen, have, v.Doubt)
	t.pub.beginCheck(v.Doubt)
	o.guard.Expect(resume.Seen{})
	var found *bitfield.Bitfield
	if !v.Doubt.None() {
		done := t.e.longCheck(ctx, int64(v.Doubt.Count())*int64(t.geom.PieceLength), leave)
		found, err = o.disk.CheckPieces(ctx, v.Doubt, t.pub.checkedPiece)
		done()
		for p := range found.Pieces() {
			have.Set(p)
		}
	}
	o.seen, o.found = seen, have
	o.guard.Expect(seen)
	if err != nil && !t.leftOut(o, err) {
		return have, err
	}
	if err = o.judge(seen, have, allPieces(have.Len())); err == nil {
		err = o.accept()
	}
	if err != nil {
		return have, err
	}
	if t.spec.SeedOnly {
		o.adoptLater(seen, have, found != nil)
		return have, nil
	}
	if !have.All() { // ten thousand locks make each other slow
		if err = o.lock(); err != nil {
			return have, err
		}
		if err = o.enoughRoom(ctx, seen, v.Changed, have); err != nil {
			return have, err
		}
		t.users.lookAgain()
		err = o.keepUsers(ctx, &seen, v.Changed, have)
		o.guard.Expect(seen)
		if err != nil {
			return have, err
		}
	}
	if err = o.adoptKept(ctx, seen, have); err == nil {
		err = o.allOwn(have)
	}
	if err == nil {
		err = o.keeping(func() error { return o.store.Prepare(ctx) })
	}
	if err == nil {
		err = o.moveOut(ctx)
	}
	if err == nil {
		err = o.reveal()
	}
	for i := 0; t.spec.Allocate && err == nil && i < len(t.info.Files); i++ {
		if !o.files.Skipped(i) && !have.All() {
			if err = o.guard.Allocate(ctx, i); err != nil && t.leftOut(o, err) {
				err = nil
			}
		}
	}
	if err == nil {
		if t.spec.Allocate {
			t.e.rooms.leave(t) // the volume counts it as used now
		}
		o.seen, o.found = resume.Seen{}, nil
	}
	return have, err
}

// adopt claims what was found. It may write what was read once more.
func (o *opening) adopt(ctx context.Context, seen resume.Seen, have *bitfield.Bitfield) error {
	o.rewriting.Store(true)
	defer func() {
		o.rewriting.Store(false)
		o.files.Release() // they were opened without being asked for
	}()
	return o.guard.Adopt(ctx, seen, have)
}

// lock makes sure that nobody else writes the torrent here. What is complete needs none.
func (o *opening) lock() error {
	if o.unlock != nil || o.state == nil {
		return nil
	}
	release, err := resume.Lock(o.state, o.t.infoHash)
	o.unlock = release
	return err
}

// adoptLater claims what a seed was found to have. It writes nothing, so that can
// wait for its turn; where nothing new was found there is nothing to write.
func (o *opening) adoptLater(seen resume.Seen, have *bitfield.Bitfield, found bool) {
	o.seen, o.found = resume.Seen{}, nil
	// Stopping does not cut it short at once: it would be done again at each start.
	adopt := func(func()) {
		ctx, done := o.t.byes.Child()
		defer done()
		if err := o.adopt(ctx, seen, have); err != nil && ctx.Err() == nil {
			o.t.e.log.Warn("claim what was found", "torrent", o.t.info.Name, "err", err)
		}
	}
	if !found {
		adopt(nil)
		return
	}
	o.adopting.Add(1)
	o.claiming.Store(true)
	o.t.e.adoptions.Add(func(leave func()) {
		defer o.adopting.Done()
		defer o.claiming.Store(false)
		adopt(leave)
	})
}

// giveWay gives the place of a task to others before it closes the opening, when that waits
// for claims: their turn comes after all tasks that open files.
func (o *opening) giveWay(leave func()) {
	if o.claiming.Load() {
		leave()
	}
}

// notThere reports whether a torrent's files are gone altogether, so that they are to be
// waited for. When some are gone and others are there, no volume is missing: somebody
// removed them. Nor is one when somebody starts a download where everything is gone and
// the folder is on the device that the files were on; a folder on another device is the
// mount point of a volume that is not there.
func (t *Torrent) notThere(seen resume.Seen, v resume.Verdict, o *opening) bool {
	gone := v.FolderGone || len(v.Missing) > 0
	for _, id := range seen.Files {
		gone = gone && !id.Exists
	}
	if !gone || t.spec.SeedOnly || t.had.known() {
		return gone
	}
	return !o.loaded.SamePlace(seen)
}

// tellChanges says which files are not as they were left, and in what. It does not say who did
// it: after a kill, or on an odd file system, that is not known.
func (t *Torrent) tellChanges(o *opening, v resume.Verdict) {
	if !o.loaded.Found {
		return
	}
	if o.loaded.Damaged != "" {
		t.tell(Event{Kind: EventFiles, Text: "its journal is damaged and not trusted, everything is checked: " + o.loaded.Damaged})
		return
	}
	for _, i := range v.Missing {
		t.tell(Event{Kind: EventFiles, Text: o.lay.Files[i].Path + " was here and is gone"})
	}
	for k, i := range v.Changed {
		t.tell(Event{Kind: EventFiles, Text: o.lay.Files[i].Path + " is not as shoal left it (" + v.How[k] + "): it is checked"})
	}
}

// tellLonger says which files that are hashed now are longer than the torrent says: what is
// behind the end is somebody's, and stays.
func (t *Torrent) tellLonger(o *opening, seen resume.Seen, v resume.Verdict) {
	for i := range t.info.Files {
		more := seen.Files[i].Size - t.info.Files[i].Length
		if more <= 0 || t.info.Files[i].Pad || o.loaded.Found && !slices.Contains(v.Changed, i) {
			continue
		}
		t.tell(Event{Kind: EventFiles, Text: fmt.Sprintf("%s is %s longer than the torrent says: what is behind its end is kept, and not shared", o.lay.Files[i].Path, plural.Of(more, "byte"))})
	}
}

// close gives the files up. In order, everything that is verified is claimed
// first; nothing writes any more.
func (o *opening) close(ctx context.Context, inOrder bool) error {
	o.disk.Close()
	o.adopting.Wait()
	if o.moved != nil {
		o.t.e.leaveDevice(o.moved)
		o.moved = nil
	}
	if o.unlock != nil {
		defer o.unlock()
	}
	var err error
	if o.committer != nil {
		err = o.committer.Close(ctx, inOrder)
		if err == nil && inOrder {
			err = o.reveal()
		}
	}
	if o.t.spec.Storage != nil {
		return err // it is closed with the torrent
	}
	return errors.Join(err, o.store.Close())
}

// distrust takes claims back, before what is open is closed to be checked.
func (o *opening) distrust(pieces ...uint32) {
	if o.journal == nil {
		return
	}
	if err := o.journal.Distrust(pieces...); err != nil {
		o.t.e.log.Warn("take claims back", "torrent", o.t.info.Name, "err", err)
	}
}

// sync makes durable what is complete, and has it claimed.
func (o *opening) sync(ctx context.Context) error {
	if o.committer == nil {
		return o.disk.Sync(ctx)
	}
	// A small file may lie in the part file whole, and nothing more be written to it.
	if err := o.moveOut(ctx); err != nil {
		return err
	}
	for i := range o.t.info.Files {
		if !o.t.spec.SeedOnly && o.t.info.Files[i].Executable && !o.files.Skipped(i) {
			// Its bytes are right all the same: a file that is read-only, or another user's, is
			// not worth a word at each start.
			if err := o.files.MakeExecutable(i); err != nil {
				o.t.e.log.Debug("make executable", "torrent", o.t.info.Name, "err", err)
			}
		}
	}
	err := o.committer.Flush(ctx)
	if err == nil {
		return o.finish()
	}
	if err != nil && ctx.Err() == nil && !errors.As(err, new(*resume.SyncError)) {
		// The data is safe. That the journal could not be written costs a check
		// at the next start, and is told by the committer.
		return nil
	}
	return err
}

// settled is the outcome of an upkeep.Open or upkeep.Settle.
type settled struct {
	o       *opening
	have    *bitfield.Bitfield
	err     error
	outcome upkeep.Outcome
}

// upkeepOpen closes what was open, and opens the files anew. It is a task.
func (t *Torrent) upkeepOpen(prev *opening, doubts []uint32, gen int32, leave func()) {
	if prev != nil {
		if len(doubts) > 0 {
			prev.distrust(doubts...)
		}
		prev.giveWay(leave)
		if err := prev.close(&t.ctx, false); err != nil {
			t.e.log.Debug("close files to open them anew", "torrent", t.info.Name, "err", err)
		}
	}
	t.openSearching(newSearch(), gen, leave)
}

// openSearching opens the files. It begins again where some that were found are not the
// torrent's.
func (t *Torrent) openSearching(look *search, gen int32, leave func()) {
	o, err := t.openFiles(gen, look)
	if err != nil {
		s := settled{err: err, outcome: upkeep.Unusable}
		if errors.Is(err, errNotThere) {
			s.outcome = upkeep.NotThere
		}
		t.post(event{kind: evSettled, with: &s})
		return
	}
	t.upkeepSettle(o, leave)
}

// upkeepSettle looks at what is open and checks what is in doubt. It is a task.
func (t *Torrent) upkeepSettle(o *opening, leave func()) {
	ctx, done := t.ctx.Child()
	defer done()
	have, err := o.settle(ctx, leave)
	if errors.Is(err, errSearchAgain) && ctx.Err() == nil {
		if err := o.close(&t.ctx, false); err != nil {
			t.e.log.Debug("close files to search again", "torrent", t.info.Name, "err", err)
		}
		t.openSearching(o.search, o.gen, leave)
		return
	}
	s := settled{o: o, have: have, err: err}
	switch {
	case t.ctx.Err() != nil: // it went well, perhaps, and comes too late
		s.outcome, s.err = upkeep.Unusable, ErrStopped
	case errors.Is(err, errNotThere):
		s.outcome = upkeep.NotThere
	case have == nil, errors.Is(err, resume.ErrChanged):
		s.outcome = upkeep.Unusable // what is open knows the files as they were
	case err != nil:
		s.outcome = upkeep.Partly
	default:
		t.anew.Store(false) // that was for once
		o.loaded = nil
	}
	if s.outcome == upkeep.NotThere || s.outcome == upkeep.Unusable {
		// A folder that is held open would be the old one for ever.
		o.close(&t.ctx, false)
		s.o, s.have = nil, nil
	}
	if !t.post(event{kind: evSettled, with: &s}) && s.o != nil {
		s.o.close(&t.ctx, false)
	}
}

// afterSettle takes the outcome of an opening.
func (t *Torrent) afterSettle(now mono.Time, s *settled) {
	t.cur = s.o
	if s.o != nil && s.o.moved != nil {
		t.settleOn(s.o.moved)
		s.o.moved = nil
	}
	if s.err != nil || s.outcome == upkeep.Fine {
		t.cause = s.err
	}
	t.source.set(s.o)
	t.upkeep.Settled(now, s.outcome)
	switch {
	case s.have == nil:
		t.lookedAt()
	case t.swarm == nil, t.swarm.Bare():
		t.start(now, s.have)
	default:
		t.rejoin(now, s.have)
	}
	t.leaveOut()
	if t.swarm != nil && t.swarm.Complete() {
		t.sync() // also once more, when the last time failed
	}
	t.pub.pending = true
}

// rejoin tells the swarm what was lost and what is there again.
func (t *Torrent) rejoin(now mono.Time, have *bitfield.Bitfield) {
	for i, mark := range t.swarm.AppendMap(nil) {
		p := uint32(i)
		switch had := mark == 'v'; {
		case had && !have.Has(p):
			t.synced = false
			t.complete.Shut()
			t.swarm.Lost(now, p)
		case !had && have.Has(p):
			t.swarm.Regained(now, p)
		}
	}
	t.had.set(have) // after the source: whoever is woken reads
}

// lookedAt says, once, that it is known what is on disk.
func (t *Torrent) lookedAt() {
	if !t.checked.Passed() {
		t.pub.publishNow(t.e.now())
		t.checked.Open()
		t.tell(Event{Kind: EventChecked})
	}
}

// unwritten takes a write that failed to the machine that decides what follows.
func (t *Torrent) unwritten(now mono.Time, err error) {
	t.cause = err
	t.upkeep.Unwritten(now)
}

// spoilt says that what the files hold is in doubt, the given pieces whatever the
// files look like.
func (t *Torrent) spoilt(now mono.Time, err error, pieces ...uint32) {
	t.doubts = append(t.doubts, pieces...)
	t.cause = err
	t.tell(Event{Kind: EventFiles, Text: err.Error()})
	t.upkeep.Spoilt(now)
}

// maintain has done what the upkeep machine decided, and tells the swarm what it
// may do meanwhile.
func (t *Torrent) maintain(now mono.Time) {
	switch t.upkeep.Next() {
	case upkeep.Open:
		prev, doubts := t.cur, t.doubts
		t.cur, t.doubts = nil, nil
		t.source.set(nil)
		t.gen++
		gen, c := t.gen, t.change
		t.change = nil
		if c != nil {
			t.openSoon(func(leave func()) { c.do(prev, gen, leave) })
			break
		}
		t.openSoon(func(leave func()) { t.upkeepOpen(prev, doubts, gen, leave) })
	case upkeep.Settle:
		o := t.cur
		t.openSoon(func(leave func()) { t.upkeepSettle(o, leave) })
	case upkeep.Retry:
		t.upkeep.Retried(now, t.cur.disk.Retry())
	}
	t.stand(now)
	if state := t.upkeep.State(); state != t.state {
		t.state = state
		t.pub.publishNow(now) // whoever is told may look
		switch state {
		case upkeep.Held, upkeep.Missing:
			t.held = true
			t.tell(Event{Kind: EventHeld, Err: t.cause, Text: t.cause.Error()})
		case upkeep.Ready:
			if t.held {
				t.held = false
				t.tell(Event{Kind: EventGoesOn})
				t.tryRefused(now)
			}
		}
	}
}

// openSoon runs a task that opens or checks files, when its turn has come.
func (t *Torrent) openSoon(task func(leave func())) {
	t.tasks.Add(1)
	t.e.openings.Add(func(leave func()) {
		defer t.tasks.Done()
		task(leave)
	})
}

// source is what connections read from: the disk of the opening that is current.
type source struct {
	cur  atomic.Pointer[disk.Torrent]
	open atomic.Pointer[opening] // for Engine.watch
}

func (s *source) set(o *opening) {
	s.open.Store(o)
	if o == nil {
		s.cur.Store(nil)
	} else {
		s.cur.Store(o.disk)
	}
}

// Read implements peerconn.Source.
func (s *source) Read(refs []block.Ref, dst []byte) error {
	d := s.cur.Load()
	if d == nil {
		return disk.ErrClosed
	}
	return d.Read(refs, dst)
}

// had is the set of pieces that are verified, for readers of any goroutine.
type had struct {
	mu     sync.Mutex
	pieces *bitfield.Bitfield // nil until it is known what is on disk
	news   chan struct{}      // closed at the next change; nil while nobody waits
}

// changed gives a channel that is closed when something has changed.
func (h *had) changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.news == nil {
		h.news = make(chan struct{})
	}
	return h.news
}

// tell wakes those who wait. h.mu is held.
func (h *had) tell() {
	if h.news != nil {
		close(h.news)
		h.news = nil
	}
}

// nudge has those who wait look around: other things than pieces have changed.
func (h *had) nudge() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tell()
}

func (h *had) set(have *bitfield.Bitfield) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pieces = have.Clone()
	h.tell()
}

func (h *had) add(piece uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pieces.Set(piece)
	h.tell()
}

func (h *had) has(piece uint32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pieces != nil && h.pieces.Has(piece)
}

// known reports whether it was ever known what is on disk.
func (h *had) known() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pieces != nil
}

// Has reports whether a piece is verified and its files can be read now.
func (t *Torrent) Has(piece uint32) bool { return t.source.cur.Load() != nil && t.had.has(piece) }
