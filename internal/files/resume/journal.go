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

// logLimit is how long, in bytes, the records after the snapshot get before we write a new version:
// room for about 10,000 pieces, read in a millisecond.
const logLimit = 1 << 20

// ErrNotAdopted is returned for a write or a commit before Guard.Adopt: a bug in the caller,
// which has not yet set what exists.
var ErrNotAdopted = errors.New("resume: write or commit before Adopt")

// SyncError means that the files could not be made durable. What was written since the last commit
// is in doubt, whatever it reads as.
type SyncError struct{ Err error }

// Error names the failed step and its cause.
func (e *SyncError) Error() string { return "make pieces durable: " + e.Err.Error() }

// Unwrap returns the cause.
func (e *SyncError) Unwrap() error { return e.Err }

// Config is what a Journal needs besides the layout.
type Config struct {
	Dir  string           // folder of the torrent's files, stored for later openers of the journal
	Boot Boot             // ThisBoot
	Now  func() time.Time // nil means time.Now

	// Names are the names of files that differ from the torrent's, for when the journal is missing
	// or damaged.
	Names Names
}

// Journal is the journal of one torrent. It holds its file open only during writes and commits.
type Journal struct {
	fs  FS
	lay Layout          // with the current names of the files
	own []storage.Entry // with the torrent's names
	cfg Config

	limit int64 // bound on the records after the snapshot, in bytes

	turn sync.Mutex // held for a whole Commit, Adopt, Distrust or Close

	mu      sync.Mutex   // never held during a sync of the torrent's files, only of the journal's
	idMu    sync.RWMutex // held, with mu, while st is replaced or its identities change
	st      *state       // shared with Loaded, and read-only, until adopted
	file    file
	handle  storage.Handle // nil when the file is not open
	syncing storage.Handle // in use by a Commit, which closes it if it is no longer handle
	adopted bool
	called  bool               // Call has set names that are not written yet
	changed []int              // files noted since the last commit
	marked  *bitfield.Bitfield // the same as a set; nil for none
	buf     []byte

	// Pieces that are verified and not yet claimed. readyMu is only held briefly, so that Verified
	// never blocks.
	readyMu sync.Mutex
	ready   []uint32
	taken   []uint32 // by a Commit in progress
}

// file is our position in the journal's file.
type file struct {
	base   int64  // length of the snapshot
	end    int64  // offset of the next record
	synced int64  // durable length
	seq    uint64 // number of the next record
	renew  bool   // no record may follow: write a new version first
}

// Open opens a torrent's journal, and returns what it says. If there is none, the first claim or
// write creates it. Without a folder of state the journal is in memory only: it proves nothing at
// the next start, but everything that happens until then.
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

// Loaded returns what the journal says now, as Open would in the same run of the system.
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

// adopt sets what exists: the pieces that are trusted or were hashed and match, and how the files
// looked before any of that. It forgets everything else. It makes the new part of that durable,
// in case its writer did not, and then claims the pieces. It writes nothing when nothing has
// changed.
//
// It returns pieces that it does not claim yet: we wrote them, and no sync is known to have covered
// them. After a failed sync the system can mark pages clean that never reached the device, and
// would not write them again. So the caller has to write these bytes once more.
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
	if j.fs != nil { // otherwise no later run reads it
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
	j.st, j.changed, j.marked, j.adopted = st, nil, nil, true
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

// says reports whether the journal already says what we want.
func (s *state) says(want *state) bool {
	return s.clean && !s.anyDoubt() && s.dir == want.dir &&
		s.folder.sameFile(want.folder, Volume{}) && s.have.Count() == want.have.Count() && !want.have.HasAny(s.have) &&
		sameAll(s.files, want.files) && sameAll(s.safe, want.safe)
}

// Verified records that a piece is written and matches its hash. It never blocks. The next Commit
// claims the piece, unless it is written to again before.
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

// unready removes pieces from the ready ones.
func (j *Journal) unready(is func(piece uint32) bool) {
	j.readyMu.Lock()
	defer j.readyMu.Unlock()
	j.ready = slices.DeleteFunc(j.ready, is)
	j.taken = slices.DeleteFunc(j.taken, is)
}

// putBack makes pieces that could not be claimed wait for the next Commit.
func (j *Journal) putBack() {
	j.readyMu.Lock()
	defer j.readyMu.Unlock()
	j.ready, j.taken = append(j.taken, j.ready...), nil
}

// Commit makes the verified pieces durable, then claims them, and returns the pieces that are now
// claimed and durable. sync makes everything durable that was written to the torrent's files
// before, with its names: storage's Sync.
//
// After a *SyncError the returned pieces are in doubt, with everything else written since the last
// Commit. The torrent's storage is then unusable: open it again, hash these pieces, and adopt them.
// After any other error the pieces wait for the next Commit.
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

// vouch makes durable how the files look now, as a Commit of no pieces would. sync is the same as
// in Commit.
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

// takeChanged returns the files noted since the last commit, and how they look.
func (j *Journal) takeChanged() (changed []int, safe []Identity) {
	j.mu.Lock()
	defer j.mu.Unlock()
	changed, j.changed, j.marked = j.changed, nil, nil
	safe = make([]Identity, len(changed))
	for k, i := range changed {
		safe[k] = j.st.files[i]
	}
	return changed, safe
}

// nowSafe records that files are synced as they looked before. The caller holds j.mu.
func (j *Journal) nowSafe(changed []int, safe []Identity) {
	j.idMu.Lock()
	j.st.apart()
	j.idMu.Unlock()
	for k, i := range changed {
		j.st.safe[i] = safe[k]
	}
}

// notSynced handles a failed sync in Commit.
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

// claim records pieces as durable, and makes the record durable. The caller holds j.mu; claim
// releases it to sync a record.
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
	if j.handle != h { // a newer version exists, and contains the claim
		h.Close()
		if !j.file.renew {
			return nil
		}
		return j.writeVersion()
	}
	if err != nil { // the content of the file is unknown
		j.file.renew = true
		return j.writeVersion()
	}
	j.file.synced = max(j.file.synced, end)
	return nil
}

// Distrust withdraws claims, durably: the pieces are in doubt.
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

// Close closes the journal. sync makes all writes to the torrent's files durable; with it, Close
// claims what is verified and closes the journal in order. With a nil sync the journal stays as it
// is.
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

// Rest closes the file until it is needed again, unless a Commit needs it now.
func (j *Journal) Rest() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.syncing == nil {
		j.letGo()
		j.buf = nil
	}
}

// Remove removes the journal of a torrent that the user has removed.
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
