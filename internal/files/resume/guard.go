package resume

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// ErrChanged is the cause of a failure when a file is not as we left it: most likely another
// program has created, replaced, cut or edited it, but a file system can do so, too. All of the
// file's pieces are then in doubt. Open the storage again, since it may hold the replaced file;
// compare the journal's Loaded with what exists, and resolve the doubt as at a start.
var ErrChanged = errors.New("not as shoal left it")

// changed returns ErrChanged with the difference.
func changed(how string) error { return fmt.Errorf("%w: %s", ErrChanged, how) }

// Guard is a torrent's storage with its journal beside it. It notes every write, withdraws a claim
// before writing over it, and does not write to a file that somebody else has changed. It does one
// write at a time; file systems serialize writes to one file anyway. It also returns no bytes of a
// file that is not as we left it: after each read it judges the open file's attributes.
type Guard struct {
	storage.Storage
	fs  storage.FS
	j   *Journal
	vol Volume

	mu        sync.Mutex // held for a write and for every other change of files
	unvouched int64      // bytes changed other than by writes; guarded by mu

	// Guarded by busyMu, which is only held briefly.
	busyMu      sync.Mutex
	busy        bool
	first, last int        // range of the files that are changing; also the part file
	changes     uint64     // number of changes begun and ended
	seen        []Identity // what reads are compared with before Adopt; nil for nothing
}

// NewGuard returns a Guard of st, whose files lie in the folder fsys on volume vol, with journal j.
// On a volume with late times, a changed file time alone means nothing while we write to the file:
// network file systems set it when they have written, not when we have.
func NewGuard(st storage.Storage, fsys storage.FS, j *Journal, vol Volume) *Guard {
	g := &Guard{Storage: st, fs: fsys, j: j, vol: vol}
	if c, ok := st.(interface {
		CheckReads(func(int, storage.Handle) error)
	}); ok {
		c.CheckReads(g.judge)
	}
	return g
}

// begin records that the files from first to before last are changing.
func (g *Guard) begin(first, last int) {
	g.busyMu.Lock()
	defer g.busyMu.Unlock()
	g.busy, g.first, g.last = true, first, last
	g.changes++
}

// end records that the change is over, and how the files look is noted.
func (g *Guard) end() {
	g.busyMu.Lock()
	defer g.busyMu.Unlock()
	g.busy = false
	g.changes++
}

// Adopt sets what exists, before the first write: the pieces that Compare trusts or that were
// hashed since and match, and how the files looked before any of that. When it returns nil, all of
// that is claimed and durable, and everything else is forgotten. It writes nothing when the journal
// says so already. Nothing else may write to the files meanwhile.
func (g *Guard) Adopt(ctx context.Context, seen Seen, have *bitfield.Bitfield) error {
	again, err := g.j.adopt(ctx, g.fs, seen, have)
	if err != nil || again.None() {
		return err
	}
	buf := make([]byte, g.j.lay.Geometry.PieceLength)
	for p := range again.Pieces() {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, off := buf[:g.j.lay.Geometry.PieceSize(p)], g.j.lay.Geometry.Offset(p, 0)
		if n, err := g.ReadAt(b, off); n < len(b) {
			return err
		}
		if err := g.WriteV([][]byte{b}, off); err != nil {
			return err
		}
		g.j.Verified(p)
	}
	_, err = g.j.Commit(ctx, g.Sync)
	return err
}

// WriteV implements storage.Storage.
func (g *Guard) WriteV(bufs [][]byte, off int64) error {
	var n int64
	for _, b := range bufs {
		n += int64(len(b))
	}
	if n == 0 || off < 0 || n > g.Size()-off {
		return g.Storage.WriteV(bufs, off) // Storage returns the error for a bad range
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	first, last := g.j.lay.touched(off, n)
	shared := g.j.lay.shared(off, n)
	before, err := g.before(first, last, shared)
	if err != nil {
		return err
	}
	waited, err := g.j.begin(off, n)
	if err != nil {
		return err
	}
	if waited { // long enough for somebody to have changed the files meanwhile
		if before, err = g.before(first, last, shared); err != nil {
			return errors.Join(err, g.j.end(nil))
		}
	}
	g.begin(first, last)
	defer g.end()
	err = g.Storage.WriteV(bufs, off)
	return errors.Join(err, g.after(before))
}

// before looks at the files before a write, and checks that they are as we left them. Where one of
// them is missing, or several files share a piece of the range, the write can go to the part file
// instead: the user can skip a file at any moment.
func (g *Guard) before(first, last int, shared bool) (seen []noted, err error) {
	absent := shared
	one := func(i int, at storage.Look, err error) error {
		id, err := identityNamed(g.j.lay.Files[i].Path, &at, err)
		if err != nil {
			return err
		}
		was := g.j.notedOf(i)
		if g.vol.LateTimes && id.sameFile(was, g.vol) && id.Size >= was.Size {
			id.ModTime = was.ModTime
		}
		if !id.same(was) {
			return g.notAsLeft(i, id.differs(was))
		}
		if id.Exists && id.Inode != was.Inode {
			g.reopen(i)
		}
		absent = absent || !id.Exists
		seen = append(seen, noted{i, id})
		return nil
	}
	err = g.lookAll(first, last, one)
	if part := g.j.lay.part(); err == nil && part >= 0 && absent {
		err = g.lookAll(part, part+1, one)
	}
	if err != nil {
		return nil, err
	}
	return seen, nil
}

// lookAll looks at the files from first to before last, and calls do until it returns an error.
func (g *Guard) lookAll(first, last int, do func(i int, at storage.Look, err error) error) (failed error) {
	storage.LookAll(g.fs, last-first, func(k int) string {
		if failed != nil || !kept(&g.j.lay.Files[first+k]) {
			return ""
		}
		return g.j.lay.Files[first+k].Path
	}, func(k int, at storage.Look, err error) { failed = do(first+k, at, err) })
	return failed
}

// after notes how the files look after a write, successful or not. A file that was replaced
// meanwhile is not the one that we wrote to, and no write makes a file shorter.
func (g *Guard) after(seen []noted) error {
	var failed error
	storage.LookAll(g.fs, len(seen), func(k int) string {
		if failed != nil {
			return ""
		}
		return g.j.lay.Files[seen[k].file].Path
	}, func(k int, at storage.Look, err error) {
		n := &seen[k]
		id, err := identityNamed(g.j.lay.Files[n.file].Path, &at, err)
		switch {
		case err != nil:
			failed = err
		case n.id.Exists && (!n.id.sameFile(id, g.vol) || id.Size < n.id.Size):
			failed = g.notAsLeft(n.file, id.differs(n.id)+" before it was written to")
		}
		n.id = id
	})
	if failed != nil {
		return failed
	}
	return g.j.end(seen)
}

// notAsLeft returns the error for a file that is not as we left it. It keeps the note about the file,
// so that a later comparison puts its pieces in doubt.
func (g *Guard) notAsLeft(i int, how string) error {
	return &storage.Error{Op: "write", Path: g.j.lay.Files[i].Path, Kind: storage.Other, Err: changed(how)}
}

// reopen makes the next write open file i again: its name leads to a file of the same size and
// time, but with another inode number. Either the file system invents numbers, or somebody replaced
// the file with a copy and the open one has no name.
func (g *Guard) reopen(i int) {
	if st, ok := g.Storage.(interface{ Reopen(entry int) }); ok {
		st.Reopen(i)
	}
}
