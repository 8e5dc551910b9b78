package resume

import (
	"context"
	"errors"
	"sync"

	"shoal/internal/bitfield"
	"shoal/internal/storage"
)

// ErrChanged is the cause of a write's failure when its file is not as we left it:
// somebody else has made, replaced, cut or edited it. All of the file's pieces are
// in doubt then. The storage is to be opened again, since it may hold the file that
// was replaced; what the journal's Loaded says is to be compared with what is there
// and the doubt resolved, as at a start.
var ErrChanged = errors.New("changed by another program")

// Guard is a torrent's storage with its journal beside it: no write goes unnoted,
// none goes over a claim, and none into a file that somebody else has changed. It
// writes one thing at a time; file systems do so for one file anyway. Nor does it give
// out bytes of a file that is not as we left it: each read is judged by how the open
// file looks when it is done.
type Guard struct {
	storage.Storage
	fs   storage.FS
	j    *Journal
	late bool

	mu sync.Mutex // held for a write

	writeMu     sync.Mutex
	first, last int        // files that are being written to
	seen        []Identity // what reads are judged by before Adopt; nil for nothing
}

// NewGuard gives st, whose files lie in the folder fsys, the journal j. With late a
// change of a file's time alone says nothing while we write to it: file systems
// over a network set it when they have written, not when we have (see LateTimes).
func NewGuard(st storage.Storage, fsys storage.FS, j *Journal, late bool) *Guard {
	g := &Guard{Storage: st, fs: fsys, j: j, late: late}
	if c, ok := st.(interface {
		CheckReads(func(int, storage.Handle) error)
	}); ok {
		c.CheckReads(g.judge)
	}
	return g
}

// judge tells whether a file that was read from is as we left it. What is written to
// at the same time can't be judged; the next write will.
func (g *Guard) judge(i int, h storage.Handle) error {
	if g.asLeft(i, h) || g.writing(i) {
		return nil
	}
	// A write may have ended just now: look again, with none in progress.
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.asLeft(i, h) {
		return nil
	}
	return ErrChanged
}

func (g *Guard) asLeft(i int, h storage.Handle) bool {
	if i >= len(g.j.lay.Files) {
		return true // a part file that nobody keeps books of
	}
	id, err := identityOf(h)
	if err != nil {
		return false
	}
	was, adopted := g.j.left(i)
	if !adopted {
		seen := g.expected()
		if seen == nil {
			return true
		}
		was = seen[i]
	}
	if g.late && id.sameFile(was) && id.Size >= was.Size {
		return true
	}
	return id.same(was)
}

// Expect has reads judged by how the files were seen, before that is adopted. It is
// called when nobody reads any more to find out what is there; with nothing seen it is
// taken back.
func (g *Guard) Expect(seen Seen) {
	g.writeMu.Lock()
	defer g.writeMu.Unlock()
	g.seen = seen.Files
}

func (g *Guard) expected() []Identity {
	g.writeMu.Lock()
	defer g.writeMu.Unlock()
	return g.seen
}

func (g *Guard) writing(i int) bool {
	g.writeMu.Lock()
	defer g.writeMu.Unlock()
	return g.first <= i && i < g.last || g.last > 0 && i == g.j.lay.part()
}

func (g *Guard) setWriting(first, last int) {
	g.writeMu.Lock()
	defer g.writeMu.Unlock()
	g.first, g.last = first, last
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
	before, err := g.before(first, last)
	if err != nil {
		return err
	}
	if err := g.j.begin(off, n); err != nil {
		return err
	}
	g.setWriting(first, last)
	defer g.setWriting(0, 0)
	err = g.Storage.WriteV(bufs, off)
	return errors.Join(err, g.after(before))
}

// before sees the files before a write; they are as they were left. Where one of them is
// not there, the part file may be written to in its place.
func (g *Guard) before(first, last int) (seen []noted, err error) {
	absent := false
	look := func(i int) error {
		if !kept(&g.j.lay.Files[i]) {
			return nil
		}
		id, err := look(g.fs, g.j.lay.Files[i].Path)
		if err != nil {
			return err
		}
		was := g.j.notedOf(i)
		if g.late && id.sameFile(was) && id.Size >= was.Size {
			id.ModTime = was.ModTime
		}
		if !id.same(was) {
			return g.spoilt(i)
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
// A file that was replaced meanwhile is not the one that was written to.
func (g *Guard) after(seen []noted) error {
	for k := range seen {
		n := &seen[k]
		id, err := look(g.fs, g.j.lay.Files[n.file].Path)
		if err != nil {
			return err
		}
		if n.id.Exists && !n.id.sameFile(id) {
			return g.spoilt(n.file)
		}
		n.id = id
	}
	return g.j.end(seen)
}

// Allocate reserves room for file i. It changes the file, and no byte of a piece that
// is had.
func (g *Guard) Allocate(ctx context.Context, i int) error {
	st, ok := g.Storage.(interface {
		Allocate(ctx context.Context, i int) error
	})
	if !ok || !kept(&g.j.lay.Files[i]) {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	before, err := g.before(i, i+1)
	if err != nil {
		return err
	}
	g.setWriting(i, i+1)
	defer g.setWriting(0, 0)
	err = st.Allocate(ctx, i)
	return errors.Join(err, g.after(before))
}

// parts is a storage with a part file.
type parts interface {
	InPart() []int
	MoveOut(ctx context.Context, entry int) error
	PartIsDone() bool
	RemovePart() error
}

// MoveOut has the files that are wanted come out of the part file, and removes it when
// nothing needs it any more. A stop in between costs the check of a file at most.
func (g *Guard) MoveOut(ctx context.Context) error {
	st, ok := g.Storage.(parts)
	if !ok || g.j.lay.part() < 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, i := range st.InPart() {
		if err := st.MoveOut(ctx, i); err != nil {
			return err
		}
		if err := g.after([]noted{{file: i}}); err != nil {
			return err
		}
	}
	if !st.PartIsDone() {
		return nil
	}
	// In this order: a part file that is there and not noted is in doubt, no more; one
	// that is noted and not there would be missed.
	if err := g.Sync(ctx); err != nil {
		return err
	}
	if err := g.j.end([]noted{{file: g.j.lay.part()}}); err != nil {
		return err
	}
	return st.RemovePart()
}

// spoilt says that a file is not as we left it. What is noted of it stays as it is,
// so that its pieces are in doubt for whoever compares.
func (g *Guard) spoilt(i int) error {
	return &storage.Error{Op: "write", Path: g.j.lay.Files[i].Path, Kind: storage.Other, Err: ErrChanged}
}
