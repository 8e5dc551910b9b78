package disk_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"shoal/internal/files/disk"
	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
	"shoal/internal/testkit"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/metainfo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var must = testkit.Must

// content is a torrent for tests: what it holds and how it is cut.
type content struct {
	entries []storage.Entry
	geom    metainfo.Geometry
	data    []byte
	sums    [][sha1.Size]byte
}

func newContent(pieceLength uint32, entries ...storage.Entry) *content {
	c := &content{entries: storagetest.Lay(entries...)}
	last := c.entries[len(c.entries)-1]
	total := last.Offset + last.Length
	c.geom = metainfo.Geometry{Total: total, PieceLength: pieceLength, Pieces: uint32((total + int64(pieceLength) - 1) / int64(pieceLength))}
	c.data = storagetest.Expect(c.entries, storagetest.Random(uint64(total), total))
	for p := range c.geom.Pieces {
		c.sums = append(c.sums, sha1.Sum(c.piece(p)))
	}
	return c
}

// single is a torrent of one file.
func single(pieceLength uint32, total int64) *content {
	return newContent(pieceLength, storage.Entry{Path: "payload", Length: total})
}

func (c *content) piece(p uint32) []byte {
	at := c.geom.Offset(p, 0)
	return c.data[at : at+int64(c.geom.PieceSize(p))]
}

func (c *content) hash(p uint32) [sha1.Size]byte { return c.sums[p] }

// refs gives all blocks of the torrent, in order.
func (c *content) refs() (refs []block.Ref) {
	for p := range c.geom.Pieces {
		refs = append(refs, c.blocks(p)...)
	}
	return refs
}

// blocks gives the blocks of a piece.
func (c *content) blocks(p uint32) (refs []block.Ref) {
	for i := range c.geom.Blocks(p) {
		refs = append(refs, c.geom.Block(p, i))
	}
	return refs
}

// rig is a disk with one torrent on it.
type rig struct {
	*content
	t       *testing.T
	budget  *disk.Budget
	disk    *disk.Disk
	torrent *disk.Torrent
	store   storage.Storage
	results chan disk.Result
}

// newRig opens the content in memory, or on what is given. All ends with t, and
// then every buffer is back.
func newRig(t *testing.T, c *content, buffers int, st storage.Storage) *rig {
	r := &rig{content: c, t: t, budget: disk.NewBudget(int64(buffers) * block.Size), store: st, results: make(chan disk.Result, c.geom.Pieces+100)}
	if st == nil {
		r.store = memory(t, c)
	}
	r.disk = disk.New(disk.Config{Workers: 3, Budget: r.budget})
	r.torrent = r.disk.Open(r.store, c.geom, c.hash, func(res disk.Result) { r.results <- res })
	t.Cleanup(func() {
		r.torrent.Close()
		r.disk.Close()
		if s := r.disk.Stats(); s.Pieces != 0 || s.Held != 0 || s.InUse != 0 || s.Queued != 0 || s.ToWrite != 0 || s.Stalled != 0 {
			t.Errorf("after Close there are %d pieces, %d blocks held, %d bytes in use, %d queued", s.Pieces, s.Held, s.InUse, s.Queued)
		}
	})
	return r
}

func memory(t *testing.T, c *content) storage.Storage {
	return files(t, c, storage.NewMemFS())
}

func files(t *testing.T, c *content, fsys storage.FS) storage.Storage {
	t.Helper()
	st, err := storage.New(c.entries, storage.Config{FS: fsys, Pool: storage.NewPool(0)})
	must(t, err)
	t.Cleanup(func() { st.Close() })
	return st
}

func folder(t *testing.T, dir string) storage.FS {
	t.Helper()
	f, err := storage.OpenFolder(dir)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// send stores blocks as a peer would bring them. What change does to the bytes
// is the peer's lie.
func (r *rig) send(refs []block.Ref, change func(ref block.Ref, data []byte)) {
	for _, ref := range refs {
		b := r.budget.Get(r.t.Context().Done())
		if b == nil {
			return // the test is over
		}
		b.Data = b.Buf[:ref.Length]
		copy(b.Data, r.data[r.geom.Offset(ref.Piece, ref.Begin):])
		if change != nil {
			change(ref, b.Data)
		}
		r.torrent.Store(ref, b, false)
	}
}

// await takes n results, by piece.
func (r *rig) await(n int) map[uint32]disk.Result {
	got := make(map[uint32]disk.Result)
	for range n {
		res := <-r.results
		if _, again := got[res.Piece]; again {
			r.t.Errorf("piece %d was reported twice", res.Piece)
		}
		got[res.Piece] = res
	}
	return got
}

// complete checks that all pieces were reported right and the storage holds them.
func (r *rig) complete(results map[uint32]disk.Result) {
	r.t.Helper()
	for p, res := range results {
		if !res.OK || res.Err != nil || res.Sums != nil {
			r.t.Errorf("piece %d: %+v, want OK and no more", p, res)
		}
	}
	got := make([]byte, len(r.data))
	must(r.t, r.store.ReadV([][]byte{got}, 0))
	if !bytes.Equal(got, r.data) {
		r.t.Error("the storage holds other bytes")
	}
	if len(r.results) != 0 {
		r.t.Errorf("%d results too many", len(r.results))
	}
}

func shuffled(seed uint64, refs []block.Ref) []block.Ref {
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(refs), func(i, j int) { refs[i], refs[j] = refs[j], refs[i] })
	return refs
}

// Every shape of torrent comes out right whatever the order of the blocks and
// however small the budget: with one buffer for 40 pieces at once as well.
func TestAnyOrderAnyBudget(t *testing.T) {
	shapes := map[string]*content{
		"40 pieces":             single(5*block.Size, 40*5*block.Size-1000),
		"odd piece length":      single(40000, 40000*9+1),
		"pieces below a block":  single(1000, 33000),
		"one piece":             single(1<<20, 700001),
		"pieces written in run": single(270*block.Size, 280*block.Size+5),
		"many files and pads":   newContent(32768, storagetest.Layout()...),
	}
	for name, c := range shapes {
		for _, buffers := range []int{1, 2, 7, 64, 4096} {
			for _, order := range []string{"in order", "random", "backwards", "four senders"} {
				if name == "pieces written in run" && buffers < 64 && order != "in order" {
					continue // thousands of single blocks read back; covered by the others
				}
				t.Run(fmt.Sprintf("%s, %d buffers, %s", name, buffers, order), func(t *testing.T) {
					r := newRig(t, c, buffers, nil)
					refs := c.refs()
					switch order {
					case "in order":
						r.send(refs, nil)
					case "random":
						r.send(shuffled(1, refs), nil)
					case "backwards":
						for i := range refs {
							r.send(refs[len(refs)-1-i:len(refs)-i], nil)
						}
					case "four senders":
						shuffled(2, refs)
						var wg sync.WaitGroup
						for i := range 4 {
							wg.Go(func() { r.send(refs[len(refs)*i/4:len(refs)*(i+1)/4], nil) })
						}
						wg.Wait()
					}
					r.complete(r.await(int(c.geom.Pieces)))
					if in := r.budget.InUse(); in != 0 {
						t.Errorf("%d buffers in use when all is done", in)
					}
					if s := r.disk.Stats(); s.Written+padBytes(c) != c.geom.Total && s.Written != c.geom.Total {
						t.Errorf("wrote %d bytes of %d", s.Written, c.geom.Total)
					}
				})
			}
		}
	}
}

func padBytes(c *content) (n int64) {
	for _, e := range c.entries {
		if e.Pad {
			n += e.Length
		}
	}
	return n
}

// A piece held in memory is compared before it is written, and written at once.
func TestWholePieceWithOneWrite(t *testing.T) {
	c := single(64*block.Size, 4*64*block.Size)
	var mu sync.Mutex
	var writes []string
	hooked := &storagetest.Hooked{Storage: memory(t, c), BeforeWrite: func(off, n int64) error {
		mu.Lock()
		defer mu.Unlock()
		writes = append(writes, fmt.Sprintf("%d+%d", off/block.Size, n/block.Size))
		return nil
	}}
	r := newRig(t, c, 1024, hooked)
	for p := range c.geom.Pieces {
		r.send(shuffled(uint64(p), c.blocks(p)), nil)
		r.await(1)
	}
	if got := fmt.Sprint(writes); got != "[0+64 64+64 128+64 192+64]" {
		t.Errorf("writes, in blocks: %v", got)
	}
	if s := r.disk.Stats(); s.Wakes > 4*4+4 {
		t.Errorf("%d wakes for 256 blocks", s.Wakes)
	}
}

// A piece that does not match is not written, and the sums of its blocks tell
// the bad one; it can then be fetched again.
func TestBadPiece(t *testing.T) {
	c := single(8*block.Size, 3*8*block.Size)
	r := newRig(t, c, 256, nil)
	lie := func(ref block.Ref, data []byte) {
		if ref.Piece == 1 && ref.Index() == 5 {
			data[100] ^= 1
		}
	}
	r.send(c.refs(), lie)
	results := r.await(3)
	bad := results[1]
	if bad.OK || bad.Err != nil || len(bad.Sums) != 8 || !results[0].OK || !results[2].OK {
		t.Fatalf("results %+v", results)
	}
	for i, sum := range bad.Sums {
		at := i * block.Size
		if right := sum == sha1.Sum(c.piece(1)[at:at+block.Size]); right == (i == 5) {
			t.Errorf("block %d: its sum is right: %v", i, right)
		}
	}
	got := make([]byte, 8*block.Size)
	must(t, r.store.ReadV([][]byte{got}, c.geom.Offset(1, 0)))
	if !bytes.Equal(got, make([]byte, len(got))) {
		t.Error("the bad piece was written")
	}
	// Again, with the sums asked for by one of the blocks.
	for _, ref := range c.blocks(1) {
		b := r.budget.TryGet()
		b.Data = b.Buf[:copy(b.Buf, c.piece(1)[ref.Begin:][:ref.Length])]
		r.torrent.Store(ref, b, ref.Index() == 3)
	}
	again := r.await(1)[1]
	if !again.OK || len(again.Sums) != 8 || again.Sums[5] == bad.Sums[5] || again.Sums[4] != bad.Sums[4] {
		t.Errorf("the second copy: %+v", again)
	}
	again.Sums = nil
	r.complete(map[uint32]disk.Result{1: again})
}

// A bad piece whose blocks were written early for want of buffers has the sums
// of its blocks as well, and the right copy replaces it.
func TestBadPieceWrittenEarly(t *testing.T) {
	c := single(8*block.Size, 12*8*block.Size)
	r := newRig(t, c, 3, nil)
	r.send(shuffled(3, c.refs()), func(ref block.Ref, data []byte) {
		if ref.Piece == 1 && ref.Index() == 5 {
			data[100] ^= 1
		}
	})
	results := r.await(12)
	if bad := results[1]; bad.OK || len(bad.Sums) != 8 || bad.Sums[5] == sha1.Sum(c.piece(1)[5*block.Size:6*block.Size]) || bad.Sums[4] != sha1.Sum(c.piece(1)[4*block.Size:5*block.Size]) {
		t.Fatalf("result %+v", bad)
	}
	r.send(c.blocks(1), nil)
	delete(results, 1)
	for p, res := range r.await(1) {
		results[p] = res
	}
	r.complete(results)
	if s := r.disk.Stats(); s.ReadBack == 0 || s.Relieved == 0 {
		t.Errorf("nothing was written early: %+v", s)
	}
}

// The second copy of a block is dropped and its buffer is free again, wherever
// the first copy is: in memory, or written early.
func TestDuplicates(t *testing.T) {
	lie := func(_ block.Ref, data []byte) { clear(data) }
	for _, buffers := range []int{1, 256} {
		c := single(6*block.Size, 5*6*block.Size)
		r := newRig(t, c, buffers, nil)
		for p := range c.geom.Pieces {
			refs := shuffled(uint64(p), c.blocks(p))
			r.send(refs[:5], nil)
			r.send(refs[:5], lie)
			r.send(refs[5:], nil)
		}
		r.complete(r.await(int(c.geom.Pieces)))
		if s := r.disk.Stats(); s.Duplicates != 25 || (buffers == 1) != (s.Relieved > 0) {
			t.Errorf("%d buffers: stats %+v, want 25 duplicates", buffers, s)
		}
	}
}

// What is not a block of the torrent is dropped.
func TestRejects(t *testing.T) {
	c := single(3*block.Size, 5*block.Size+100)
	r := newRig(t, c, 16, nil)
	for _, ref := range []block.Ref{
		{Piece: 2, Begin: 0, Length: block.Size},
		{Piece: 1 << 31, Begin: 0, Length: block.Size},
		{Piece: 0, Begin: 3 * block.Size, Length: block.Size},
		{Piece: 0, Begin: 1 << 31, Length: block.Size},
		{Piece: 0, Begin: 100, Length: block.Size},
		{Piece: 0, Begin: 0, Length: 100},
		{Piece: 1, Begin: 2 * block.Size, Length: block.Size},
		{Piece: 1, Begin: 2 * block.Size, Length: 0},
	} {
		b := r.budget.TryGet()
		b.Data = b.Buf[:min(ref.Length, block.Size)]
		r.torrent.Store(ref, b, false)
	}
	b := r.budget.TryGet()
	b.Data = b.Buf[:10] // shorter than it says
	r.torrent.Store(c.geom.Block(0, 0), b, false)
	if s := r.disk.Stats(); s.Rejected != 9 || s.InUse != 0 || s.Pieces != 0 {
		t.Errorf("stats %+v, want 9 rejected and nothing kept", s)
	}
}

// A block that was written early and can't be read back fails its piece.
func TestReadBackFails(t *testing.T) {
	c := single(4*block.Size, 4*block.Size)
	hooked := &storagetest.Hooked{Storage: memory(t, c), BeforeRead: func(int64, int64) error { return syscall.EIO }}
	r := newRig(t, c, 1, hooked)
	refs := c.refs()
	r.send([]block.Ref{refs[2], refs[1], refs[3], refs[0]}, nil)
	if res := r.await(1)[0]; res.OK || !errors.Is(res.Err, syscall.EIO) {
		t.Errorf("result %+v, want the failure to read", res)
	}
}

// What was stored before Forget is gone, and what is stored after it counts,
// also while a worker has the piece and is in the middle of a write.
func TestForget(t *testing.T) {
	c := single(4*block.Size, 8*block.Size)
	r := newRig(t, c, 64, nil)
	r.send(c.blocks(0)[:3], func(_ block.Ref, data []byte) { clear(data) })
	r.torrent.Forget(0)
	r.torrent.Forget(0)
	r.torrent.Forget(1)
	if s := r.disk.Stats(); s.InUse != 0 || s.Pieces != 0 {
		t.Errorf("after Forget: %+v", s)
	}
	r.send(c.blocks(0), nil)
	if res := r.await(1)[0]; !res.OK {
		t.Errorf("result %+v", res)
	}

	started, release := make(chan bool, 1), make(chan bool)
	hooked := &storagetest.Hooked{Storage: memory(t, c), BeforeWrite: func(int64, int64) error {
		started <- true
		<-release
		return nil
	}}
	r = newRig(t, c, 64, hooked)
	r.send(c.blocks(1), nil)
	<-started
	r.torrent.Forget(1)
	r.send(c.blocks(1)[:2], func(_ block.Ref, data []byte) { clear(data) })
	r.torrent.Forget(1)           // also forgets what was begun since
	r.send(c.blocks(1)[1:3], nil) // begun anew, waits for the worker
	r.send(c.blocks(1)[1:2], nil) // a duplicate
	release <- true
	r.send(c.blocks(1)[3:], nil)
	r.send(c.blocks(1)[:1], nil)
	<-started
	release <- true
	if res := r.await(1)[1]; !res.OK {
		t.Errorf("result %+v", res)
	}
	if s := r.disk.Stats(); s.Duplicates != 1 || len(r.results) != 0 {
		t.Errorf("stats %+v, %d results too many", s, len(r.results))
	}
}

// Close waits for the worker in the middle of a write, and frees what is held;
// what comes afterwards is refused.
func TestCloseWhileBusy(t *testing.T) {
	c := single(4*block.Size, 20*4*block.Size)
	started, release := make(chan bool, 10), make(chan bool)
	hooked := &storagetest.Hooked{Storage: memory(t, c), BeforeWrite: func(int64, int64) error {
		started <- true
		<-release
		return nil
	}}
	r := newRig(t, c, 200, hooked)
	for p := range c.geom.Pieces {
		r.send(c.blocks(p)[:3+p%2], nil)
	}
	<-started // one worker writes at a time
	const whole = 10
	closed := make(chan bool)
	go func() {
		r.torrent.Close()
		close(closed)
	}()
	for r.disk.Stats().Pieces > whole { // until Close has begun: those of which blocks are missing are gone
		runtime.Gosched()
	}
	select {
	case <-closed:
		t.Error("Close did not wait for the writes")
	default:
	}
	close(release)
	<-closed
	if in := r.budget.InUse(); in != 0 {
		t.Errorf("%d buffers in use after Close", in)
	}
	r.send(c.blocks(0)[:1], nil)
	if s := r.disk.Stats(); s.Rejected != 1 || s.InUse != 0 {
		t.Errorf("a block stored after Close: %+v", s)
	}
	buf := make([]byte, block.Size)
	for op, err := range map[string]error{
		"read":  r.torrent.Read(c.blocks(0)[:1], buf),
		"sync":  r.torrent.Sync(t.Context()),
		"check": second(r.torrent.Check(t.Context(), nil)),
	} {
		if !errors.Is(err, disk.ErrClosed) {
			t.Errorf("%s after Close: %v", op, err)
		}
	}
}

func second(_ *bitfield.Bitfield, err error) error { return err }

// A report that waits holds up its worker, not Store; and other torrents go on.
func TestReportMayWait(t *testing.T) {
	c := single(block.Size, 8*block.Size)
	r := newRig(t, c, 64, nil)
	release, reported := make(chan bool), make(chan disk.Result, 8)
	slow := r.disk.Open(memory(t, c), c.geom, c.hash, func(res disk.Result) {
		<-release
		reported <- res
	})
	own := *r
	own.torrent = slow
	own.send(c.blocks(0), nil) // occupies one worker of three
	r.send(c.refs(), nil)
	r.complete(r.await(8))
	own.send(c.refs()[1:], nil) // Store does not wait
	close(release)
	for range 8 {
		if res := <-reported; !res.OK {
			t.Errorf("result %+v", res)
		}
	}
	slow.Close()
}

func TestRead(t *testing.T) {
	c := newContent(3*block.Size, storagetest.Layout()...)
	var reads []string
	hooked := &storagetest.Hooked{Storage: memory(t, c), BeforeRead: func(off, n int64) error {
		reads = append(reads, fmt.Sprintf("%d+%d", off, n))
		return nil
	}}
	must(t, hooked.WriteV([][]byte{c.data}, 0))
	r := newRig(t, c, 4, hooked)
	refs := []block.Ref{
		{Piece: 0, Begin: 0, Length: block.Size},
		{Piece: 0, Begin: block.Size, Length: block.Size},
		{Piece: 0, Begin: 2 * block.Size, Length: block.Size},
		{Piece: 1, Begin: 0, Length: 100}, // runs on in the next piece
		{Piece: 1, Begin: 5, Length: 7},   // any range can be asked for
		{Piece: 0, Begin: 1, Length: 3},
	}
	var want []byte
	var vec [][]byte
	for _, ref := range refs {
		at := c.geom.Offset(ref.Piece, ref.Begin)
		want = append(want, c.data[at:at+int64(ref.Length)]...)
		vec = append(vec, make([]byte, ref.Length))
	}
	got := make([]byte, len(want))
	must(t, r.torrent.Read(refs, got))
	must(t, r.torrent.ReadV(refs, vec))
	if !bytes.Equal(got, want) || !bytes.Equal(bytes.Join(vec, nil), want) {
		t.Error("other bytes were read")
	}
	if s := fmt.Sprint(reads); s != "[0+49252 49157+7 1+3 0+49252 49157+7 1+3]" {
		t.Errorf("reads %v, want those in sequence as one", s)
	}
	for _, bad := range []block.Ref{{Piece: 9, Length: 1}, {Piece: 0, Begin: 3 * block.Size, Length: 1}, {Piece: 0, Begin: 1, Length: 1<<32 - 1}, {}} {
		if r.torrent.Read([]block.Ref{bad}, got) == nil {
			t.Errorf("read of %v with %d bytes", bad, bad.Length)
		}
	}
	if r.torrent.Read(refs, got[:10]) == nil || r.torrent.ReadV(refs, vec[:2]) == nil {
		t.Error("read into too little room")
	}
}

// Check finds what is right in files that are partly written, wrong, too long,
// too short or missing, and reads nothing of those that can't be complete.
func TestCheck(t *testing.T) {
	entries := []storage.Entry{
		{Path: "d/right", Length: 100000},
		{Path: "d/wrong", Length: 100000},
		{Path: "d/missing", Length: 100000},
		{Path: "d/longer", Length: 100000},
		{Path: "d/empty", Length: 0},
		{Path: "pad", Length: 5000, Pad: true},
		{Path: "d/short", Length: 100000},
		{Path: "d/tail", Length: 70000},
	}
	for _, pieceLength := range []uint32{1000, 16384, 40000, 1 << 20} {
		c := newContent(pieceLength, entries...)
		dir := t.TempDir()
		must(t, os.Mkdir(dir+"/d", 0o755))
		onDisk := bytes.Clone(c.data)
		bad := bitfield.New(c.geom.Pieces) // pieces that can't be right
		spoil := func(from, to int64) {
			for p := from / int64(pieceLength); p <= (to-1)/int64(pieceLength); p++ {
				bad.Set(uint32(p))
			}
		}
		unread := bitfield.New(c.geom.Pieces)
		for _, e := range c.entries {
			data := onDisk[e.Offset : e.Offset+e.Length]
			switch e.Path {
			case "pad":
				continue
			case "d/missing":
				spoil(e.Offset, e.Offset+e.Length)
				for p := e.Offset / int64(pieceLength); p <= (e.Offset+e.Length-1)/int64(pieceLength); p++ {
					unread.Set(uint32(p))
				}
				continue
			case "d/wrong":
				data[50000] ^= 1
				spoil(e.Offset+50000, e.Offset+50001)
			case "d/longer":
				data = append(bytes.Clone(data), "more"...)
			case "d/short":
				data = data[:60001]
				spoil(e.Offset+60001, e.Offset+e.Length)
				for p := (e.Offset + 60001) / int64(pieceLength); p <= (e.Offset+e.Length-1)/int64(pieceLength); p++ {
					unread.Set(uint32(p))
				}
			}
			must(t, os.WriteFile(dir+"/"+e.Path, data, 0o644))
		}
		r := newRig(t, c, 4, files(t, c, folder(t, dir)))
		seen := bitfield.New(c.geom.Pieces)
		have, err := r.torrent.Check(t.Context(), func(p uint32, ok bool) {
			if !seen.Set(p) || ok == bad.Has(p) {
				t.Errorf("piece %d: ok %v; or it came twice", p, ok)
			}
		})
		must(t, err)
		if !seen.All() || have.Count() != c.geom.Pieces-bad.Count() {
			t.Errorf("pieces of %d: progress came for %v, found %v, cannot be %v", pieceLength, seen, have, bad)
		}
		var unreadBytes int64
		for p := range unread.Pieces() {
			unreadBytes += int64(c.geom.PieceSize(p))
		}
		if s := r.disk.Stats(); s.Scanned != c.geom.Total-unreadBytes {
			t.Errorf("read %d bytes, want %d", s.Scanned, c.geom.Total-unreadBytes)
		}
		some := bitfield.New(c.geom.Pieces)
		some.Set(0)
		some.Set(c.geom.Pieces - 1)
		have, err = r.torrent.CheckPieces(t.Context(), some, nil, nil)
		must(t, err)
		if want := some.Count() - btoi(bad.Has(0)) - btoi(c.geom.Pieces > 1 && bad.Has(c.geom.Pieces-1)); have.Count() != want {
			t.Errorf("check of the first and last piece found %v, want %d", have, want)
		}
	}
}

func btoi(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

func TestCheckFailures(t *testing.T) {
	c := single(block.Size, 40*block.Size)
	hooked := &storagetest.Hooked{Storage: memory(t, c)}
	must(t, hooked.WriteV([][]byte{c.data}, 0))
	r := newRig(t, c, 4, hooked)

	// A device that fails in one place: the rest is found, and the failure told.
	hooked.BeforeRead = func(off, n int64) error {
		if at := int64(20*block.Size + 5); off <= at && at < off+n {
			return &storage.Error{Op: "read", Path: "payload", Kind: storage.IO, Err: syscall.EIO}
		}
		return nil
	}
	have, err := r.torrent.Check(t.Context(), nil)
	if storage.KindOf(err) != storage.IO || have.Has(20) || have.None() && c.geom.Pieces > 16 {
		t.Errorf("found %v, %v", have, err)
	}

	// Cancelled while it reads.
	ctx, cancel := context.WithCancel(t.Context())
	hooked.BeforeRead = func(off, n int64) error { cancel(); return nil }
	if have, err = r.torrent.Check(ctx, nil); !errors.Is(err, context.Canceled) || have == nil {
		t.Errorf("cancelled: %v, %v", have, err)
	}

	// The torrent is closed while it reads.
	started, release := make(chan bool, 10), make(chan bool)
	hooked.BeforeRead = func(off, n int64) error { started <- true; <-release; return nil }
	done := make(chan error)
	go func() { done <- second(r.torrent.Check(context.Background(), nil)) }()
	<-started
	go r.torrent.Close()
	for r.torrent.Read(nil, nil) == nil { // until Close has begun
		runtime.Gosched()
	}
	close(release)
	if err := <-done; !errors.Is(err, disk.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	r.torrent.Close()
}

func TestHashSpan(t *testing.T) {
	for _, pieceLength := range []uint32{1000, 16384, 100000, 300000, 1 << 20} {
		c := newContent(pieceLength, storagetest.Layout()...)
		st := memory(t, c)
		must(t, st.Prepare(t.Context()))
		must(t, st.WriteV([][]byte{c.data}, 0))
		n := uint32(0)
		sums, err := disk.HashSpan(t.Context(), st, c.geom, func(uint32) { n++ })
		must(t, err)
		for p, sum := range c.sums {
			if !bytes.Equal(sums[p*sha1.Size:(p+1)*sha1.Size], sum[:]) {
				t.Errorf("pieces of %d: the sum of piece %d differs", pieceLength, p)
			}
		}
		if n != c.geom.Pieces || len(sums) != int(n)*sha1.Size {
			t.Errorf("progress came for %d of %d pieces, %d bytes of sums", n, c.geom.Pieces, len(sums))
		}
	}
	c := single(1000, 5000)
	if _, err := disk.HashSpan(t.Context(), memory(t, c), c.geom, nil); storage.KindOf(err) != storage.Missing {
		t.Errorf("a missing file: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := disk.HashSpan(ctx, memory(t, c), c.geom, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
