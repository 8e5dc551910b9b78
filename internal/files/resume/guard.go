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
// program has made, replaced, cut or edited it, but a file system can do so, too. All of the file's pieces are
// in doubt then. The storage is to be opened again, since it may hold the file that
// was replaced; what the journal's Loaded says is to be compared with what is there
// and the doubt resolved, as at a start.
var ErrChanged = errors.New("not as shoal left it")

// changed is ErrChanged, and in what.
func changed(how string) error { return fmt.Errorf("%w: %s", ErrChanged, how) }

// Guard is a torrent's storage with its journal beside it: no write goes unnoted,
// none goes over a claim, and none into a file that somebody else has changed. It
// writes one thing at a time; file systems do so for one file anyway. Nor does it give
// out bytes of a file that is not as we left it: each read is judged by how the open
// file looks when it is done.
type Guard struct {
	storage.Storage
	fs  storage.FS
	j   *Journal
	vol Volume

	mu        sync.Mutex // held for a write, and whatever else changes files
	unvouched int64      // bytes of files that were changed otherwise, by mu

	// Guarded by busyMu, which is held for moments only.
	busyMu      sync.Mutex
	busy        bool
	first, last int        // the files that are being changed; and the part file
	changes     uint64     // beginnings and ends of changes
	seen        []Identity // what reads are judged by before Adopt; nil for nothing
}

// NewGuard gives st, whose files lie in the folder fsys on a volume, the journal j. With late
// times a change of a file's time alone says nothing while we write to it: file systems over
// a network set it when they have written, not when we have.
func NewGuard(st storage.Storage, fsys storage.FS, j *Journal, vol Volume) *Guard {
	g := &Guard{Storage: st, fs: fsys, j: j, vol: vol}
	if c, ok := st.(interface {
		CheckReads(func(int, storage.Handle) error)
	}); ok {
		c.CheckReads(g.judge)
	}
	return g
}

// begin says that the files from first to before last change from here on.
func (g *Guard) begin(first, last int) {
	g.busyMu.Lock()
	defer g.busyMu.Unlock()
	g.busy, g.first, g.last = true, first, last
	g.changes++
}

// end says that the files have changed, and how they look is noted.
func (g *Guard) end() {
	g.busyMu.Lock()
	defer g.busyMu.Unlock()
	g.busy = false
	g.changes++
}

// Adopt says what is there, before the first write: the pieces that Compare trusts,
// or that were hashed since and match, and how the files were seen before any of
// that. When it returns nil all of it is claimed and durable, and everything else
// is forgotten. It writes nothing when the journal says so already. Nothing else may
// write to the files meanwhile.
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
		return g.Storage.WriteV(bufs, off) // it knows what to say
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
	if waited { // so long that somebody may have been there meanwhile
		if before, err = g.before(first, last, shared); err != nil {
			return errors.Join(err, g.j.end(nil))
		}
	}
	g.begin(first, last)
	defer g.end()
	err = g.Storage.WriteV(bufs, off)
	return errors.Join(err, g.after(before))
}

// before sees the files before a write; they are as they were left. Where one of them is
// not there, or the range is of a piece that several files share, the part file may be written
// to in its place: a file can be left out at any moment.
func (g *Guard) before(first, last int, shared bool) (seen []noted, err error) {
	absent := shared
	look := func(i int) error {
		if !kept(&g.j.lay.Files[i]) {
			return nil
		}
		id, err := look(g.fs, g.j.lay.Files[i].Path)
		if err != nil {
			return err
		}
		was := g.j.notedOf(i)
		if g.vol.LateTimes && id.sameFile(was, g.vol) && id.Size >= was.Size {
			id.ModTime = was.ModTime
		}
		if !id.same(was) {
			return g.spoilt(i, id.differs(was))
		}
		if id.Exists && id.Inode != was.Inode {
			g.reopen(i)
		}
		absent = absent || !id.Exists
		seen = append(seen, noted{i, id})
		return nil
	}
	for i := first; i < last; i++ {
		if err := look(i); err != nil {
			return nil, err
		}
	}
	if part := g.j.lay.part(); part >= 0 && absent {
		return seen, look(part)
	}
	return seen, nil
}

// after notes what the files look like after a write, whether it went well or not.
// A file that was replaced meanwhile is not the one that was written to, and none gets
// shorter by a write.
func (g *Guard) after(seen []noted) error {
	for k := range seen {
		n := &seen[k]
		id, err := look(g.fs, g.j.lay.Files[n.file].Path)
		if err != nil {
			return err
		}
		if n.id.Exists && (!n.id.sameFile(id, g.vol) || id.Size < n.id.Size) {
			return g.spoilt(n.file, id.differs(n.id)+" before it was written to")
		}
		n.id = id
	}
	return g.j.end(seen)
}

// spoilt says that a file is not as we left it. What is noted of it stays as it is,
// so that its pieces are in doubt for whoever compares.
func (g *Guard) spoilt(i int, how string) error {
	return &storage.Error{Op: "write", Path: g.j.lay.Files[i].Path, Kind: storage.Other, Err: changed(how)}
}

// reopen opens file i again before the next write: its name leads to a file of the same size
// and time and of another number. Either the file system invents numbers, or it is a copy,
// and what is open is a file that nobody will find.
func (g *Guard) reopen(i int) {
	if st, ok := g.Storage.(interface{ Reopen(entry int) }); ok {
		st.Reopen(i)
	}
}
