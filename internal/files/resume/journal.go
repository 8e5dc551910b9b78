package resume

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// logLimit is how long the records behind the snapshot get before a new version
// is written: 10,000 pieces or so, read in a millisecond.
const logLimit = 1 << 20

// ErrNotAdopted is returned for a write or a commit before Guard.Adopt: a mistake of the
// caller, who has not said yet what is there.
var ErrNotAdopted = errors.New("resume: nothing is adopted yet")

// SyncError says that the files could not be made durable. What was written since
// the last commit is in doubt, whatever it reads as.
type SyncError struct{ Err error }

// Error gives the cause.
func (e *SyncError) Error() string { return "make pieces durable: " + e.Err.Error() }

// Unwrap gives the cause.
func (e *SyncError) Unwrap() error { return e.Err }

// Config is what a Journal needs besides the layout.
type Config struct {
	Dir  string           // the folder that holds the torrent's files, kept for whoever opens the journal
	Boot Boot             // ThisBoot
	Now  func() time.Time // nil means time.Now

	// Names are those of files that have not the torrent's, for when the journal can't tell:
	// it is not there, or damaged.
	Names Names
}

// Journal is the journal of one torrent. It holds no file open but while writes
// and commits are going on.
type Journal struct {
	fs  FS
	lay Layout          // with the names that the files have
	own []storage.Entry // with those of the torrent
	cfg Config

	limit int64 // of the records behind the snapshot

	turn sync.Mutex // held for a whole Commit, Adopt, Distrust or Close

	mu      sync.Mutex   // never held while files are synced, but for those of the journal
	idMu    sync.RWMutex // held, with mu, while st is replaced, or the identities in it change
	st      *state       // before adopted shared with Loaded, and not changed
	file    file
	handle  storage.Handle // nil when the file is not open
	syncing storage.Handle // in use by a Commit, who closes it if it is no longer handle
	adopted bool
	called  bool  // Call has given names that are not written
	changed []int // files noted since the last commit
	buf     []byte

	// Pieces that are verified, and not yet claimed. readyMu is held for moments
	// only, so that Verified never waits.
	readyMu sync.Mutex
	ready   []uint32
	taken   []uint32 // of a Commit in progress
}

// file is where in the file we are.
type file struct {
	base   int64  // length of the snapshot
	end    int64  // where the next record goes
	synced int64  // what is durable of it
	seq    uint64 // of the next record
	renew  bool   // no record may follow: a new version comes first
}

// Open opens a torrent's journal, and tells what it says. There may be none; then
// it comes to be with the first claim or write. With no folder of state the journal
// is kept in memory alone: it vouches for nothing at the next start, and for all that
// happens until then.
func Open(fsys FS, lay Layout, c Config) (*Journal, *Loaded, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	j := &Journal{fs: fsys, lay: lay, cfg: c, limit: logLimit}
	lo, st, f, err := load(fsys, &j.lay, c.Boot, c.Names)
	if err != nil {
		return nil, nil, err
	}
	j.st, j.file = st, f
	j.cfg.Names = nil
	j.own = lay.Files
	j.name()
	lo.Names, lo.Renaming = st.names.names(), st.names.pending()
	return j, lo, nil
}

// Loaded gives what the journal says now, as Open would in the same run of the
// system.
func (j *Journal) Loaded() *Loaded {
	j.mu.Lock()
	defer j.mu.Unlock()
	st := j.st.clone()
	return &Loaded{
		Found: true, Clean: st.clean, Dir: st.dir, Have: st.have,
		Names: st.names.names(), Renaming: st.names.pending(),
		lay: &j.lay, st: st, boot: j.cfg.Boot, same: true,
	}
}

// adopt says what is there: the pieces that are trusted or were hashed and match,
// and how the files were seen before any of that. Everything else is forgotten.
// It makes durable what is new of that, since whoever wrote it may not have; then
// it claims the pieces. It writes nothing when nothing has changed.
//
// The pieces it gives are not claimed yet: we wrote them, and no sync is known to
// have covered them. After a sync that failed the system may take pages for clean
// that never reached the device, and would not write them: so the bytes have to be
// written once more.
func (j *Journal) adopt(ctx context.Context, data storage.FS, seen Seen, have *bitfield.Bitfield) (again *bitfield.Bitfield, err error) {
	j.turn.Lock()
	defer j.turn.Unlock()
	j.mu.Lock()
	sure, fresh := have.Clone(), have.Clone()
	again = bitfield.New(have.Len())
	without(fresh, j.st.have)
	for p := range fresh.Pieces() {
		if j.st.inDoubt(p) {
			again.Set(p)
		}
	}
	without(fresh, again)
	without(sure, again)
	durable := slices.Clone(j.st.safe)
	j.mu.Unlock()
	if j.fs != nil { // else nothing is said to anybody who comes later
		if err := harden(ctx, data, &j.lay, fresh, seen.Files, durable); err != nil {
			return nil, &SyncError{err}
		}
	}

	j.mu.Lock()
	defer j.mu.Unlock()
	j.readyMu.Lock()
	j.ready = nil
	j.readyMu.Unlock()
	files := slices.Clone(seen.Files)
	st := &state{
		boot: j.cfg.Boot.ID, dir: j.cfg.Dir, folder: seen.Folder,
		have: sure, files: files, safe: files, clean: true, names: j.st.names,
	}
	if !again.None() {
		st.doubt = again.Clone()
	}
	old := j.st
	j.idMu.Lock()
	j.st, j.changed, j.adopted = st, nil, true
	j.idMu.Unlock()
	switch {
	case j.called:
	case j.file.end > 0 && old.says(st):
		return again, nil
	case j.file.end == 0 && have.None(): // nothing worth a file yet
		return again, nil
	}
	j.file.renew, j.called = true, false
	return again, j.writeVersion()
}

// says reports whether what the journal says is what is to be said.
func (s *state) says(want *state) bool {
	return s.clean && !s.anyDoubt() && s.dir == want.dir &&
		s.folder.sameFile(want.folder, Volume{}) && s.have.Count() == want.have.Count() && !want.have.HasAny(s.have) &&
		sameAll(s.files, want.files) && sameAll(s.safe, want.safe)
}

// Verified says that a piece is written and matches its hash. It never waits. The
// piece is claimed by the next Commit, unless it is written to again before.
func (j *Journal) Verified(piece uint32) {
	j.readyMu.Lock()
	defer j.readyMu.Unlock()
	j.ready = append(j.ready, piece)
}

// anyReady reports whether there is something to commit.
func (j *Journal) anyReady() bool {
	j.readyMu.Lock()
	defer j.readyMu.Unlock()
	return len(j.ready) > 0
}

// unready takes pieces back.
func (j *Journal) unready(is func(piece uint32) bool) {
	j.readyMu.Lock()
	defer j.readyMu.Unlock()
	j.ready = slices.DeleteFunc(j.ready, is)
	j.taken = slices.DeleteFunc(j.taken, is)
}

// putBack has pieces that could not be claimed wait for the next Commit.
func (j *Journal) putBack() {
	j.readyMu.Lock()
	defer j.readyMu.Unlock()
	j.ready, j.taken = append(j.taken, j.ready...), nil
}

// Commit makes durable what is verified, then claims it, and gives the pieces that
// are claimed and durable now. sync makes everything durable that was written to
// the torrent's files before, with its names: storage's Sync.
//
// After a *SyncError the pieces given are in doubt, with all else written since
// the last Commit: the torrent's storage is of no more use, and after it is opened
// again they are to be hashed, and adopted. After any other error they are kept
// for the next Commit.
func (j *Journal) Commit(ctx context.Context, sync func(context.Context) error) ([]uint32, error) {
	j.turn.Lock()
	defer j.turn.Unlock()
	j.mu.Lock()
	j.readyMu.Lock()
	j.taken, j.ready = j.ready, nil
	none := len(j.taken) == 0
	j.readyMu.Unlock()
	adopted := j.adopted
	j.mu.Unlock()
	if none {
		return nil, nil
	}
	if !adopted {
		j.putBack()
		return nil, ErrNotAdopted
	}
	changed, safe := j.takeChanged()
	if err := sync(ctx); err != nil {
		return j.notSynced(ctx, changed, err)
	}

	j.mu.Lock()
	defer j.mu.Unlock()
	j.readyMu.Lock()
	pieces := slices.Clone(j.taken)
	j.readyMu.Unlock()
	j.nowSafe(changed, safe)
	if err := j.claim(pieces, changed); err != nil {
		j.putBack()
		return nil, fmt.Errorf("claim pieces: %w", err)
	}
	j.readyMu.Lock()
	j.taken = nil
	j.readyMu.Unlock()
	return pieces, nil
}

// vouch makes durable how the files look now, as a Commit of no pieces would. sync is
// that of Commit.
func (j *Journal) vouch(ctx context.Context, sync func(context.Context) error) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	changed, safe := j.takeChanged()
	if len(changed) == 0 {
		return nil
	}
	if err := sync(ctx); err != nil {
		_, err = j.notSynced(ctx, changed, err)
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.nowSafe(changed, safe)
	return j.claim(nil, changed)
}

// takeChanged gives the files noted since the last commit, and how they look.
func (j *Journal) takeChanged() (changed []int, safe []Identity) {
	j.mu.Lock()
	defer j.mu.Unlock()
	changed, j.changed = j.changed, nil
	safe = make([]Identity, len(changed))
	for k, i := range changed {
		safe[k] = j.st.files[i]
	}
	return changed, safe
}

// nowSafe has files be synced as they looked before. j.mu is held.
func (j *Journal) nowSafe(changed []int, safe []Identity) {
	j.idMu.Lock()
	j.st.apart()
	j.idMu.Unlock()
	for k, i := range changed {
		j.st.safe[i] = safe[k]
	}
}

// notSynced is a Commit whose sync failed.
func (j *Journal) notSynced(ctx context.Context, changed []int, err error) ([]uint32, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, i := range changed {
		j.note(i)
	}
	if ctx.Err() != nil {
		j.putBack()
		return nil, ctx.Err()
	}
	j.readyMu.Lock()
	pieces := j.taken
	j.taken = nil
	j.readyMu.Unlock()
	return pieces, &SyncError{err}
}

// claim records pieces as durable, and makes the record so. j.mu is held, but for
// the sync of a record.
func (j *Journal) claim(pieces []uint32, changed []int) error {
	j.st.commit(pieces)
	if j.file.renew || j.file.end-j.file.base > j.limit {
		j.file.renew = true
		return j.writeVersion()
	}
	if j.fs == nil {
		return nil
	}
	err := j.append(kindCommit, func(b []byte) []byte {
		b = binary.AppendUvarint(b, uint64(len(pieces)))
		for _, p := range pieces {
			b = binary.AppendUvarint(b, uint64(p))
		}
		return appendChanged(b, changed, j.st.safe)
	})
	if err != nil {
		return err
	}
	h, end := j.handle, j.file.end
	j.syncing = h
	j.mu.Unlock()
	err = h.Sync()
	j.mu.Lock()
	j.syncing = nil
	if j.handle != h { // there is a newer version, and it has the claim
		h.Close()
		if !j.file.renew {
			return nil
		}
		return j.writeVersion()
	}
	if err != nil { // what the file holds is unknown
		j.file.renew = true
		return j.writeVersion()
	}
	j.file.synced = max(j.file.synced, end)
	return nil
}

// Distrust takes claims back, durably: the pieces are in doubt.
func (j *Journal) Distrust(pieces ...uint32) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	j.unready(func(p uint32) bool { return slices.Contains(pieces, p) })
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.adopted {
		j.st = j.st.clone()
	}
	claimed := false
	for _, p := range pieces {
		claimed = j.st.have.Clear(p) || claimed
		j.st.setDoubt(p)
	}
	if !claimed {
		return nil
	}
	j.file.renew = true
	return j.writeVersion()
}

// Close gives the journal up. With sync, which makes durable all that was written
// to the torrent's files, what is verified is claimed and the journal closed in
// order; otherwise it is left as it is.
func (j *Journal) Close(ctx context.Context, sync func(context.Context) error) error {
	defer j.Rest()
	if sync == nil {
		return nil
	}
	if _, err := j.Commit(ctx, sync); err != nil {
		return err
	}
	j.turn.Lock()
	defer j.turn.Unlock()
	j.mu.Lock()
	dirty := j.adopted && !j.st.clean
	j.mu.Unlock()
	if !dirty {
		return nil
	}
	if err := sync(ctx); err != nil {
		return &SyncError{err}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.st.safe = j.st.files
	j.st.clean, j.file.renew = true, true
	return j.writeVersion()
}

// Rest closes the file until it is needed again; not while a Commit needs it.
func (j *Journal) Rest() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.syncing == nil {
		j.letGo()
		j.buf = nil
	}
}

// Remove removes the journal of a torrent that is given up.
func Remove(fsys FS, lay Layout) error {
	for _, name := range []string{lay.FileName() + newSuffix, lay.FileName()} {
		if err := fsys.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the journal: %w", err)
		}
	}
	if err := fsys.SyncDir("."); err != nil {
		return fmt.Errorf("remove the journal: %w", err)
	}
	return nil
}
