package disk

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"sync"

	"shoal/internal/files/storage"
	"shoal/internal/value/block"
	"shoal/internal/value/fault"
	"shoal/metainfo"
)

// ErrClosed is returned after Torrent.Close.
var ErrClosed = errors.New("disk: torrent closed")

// Result is the outcome of a piece whose blocks have all been stored, or that
// could not be written.
type Result struct {
	Piece uint32
	OK    bool  // it matches its hash, and is written: it can be served
	Err   error // of the file system; then nothing is known of the piece, unless it is stalled

	// Stalled, with Err, says that what is in memory of the piece is kept, and
	// written again by Retry: a piece that matches its hash, or one of which a part
	// had to be written before it was whole. Another Result follows once it is.
	Stalled bool

	// Sums are the SHA-1 of each block as it was received, when the piece does
	// not match or Store was told to give them. Nil when they could not be
	// had, since a block written early could not be read back.
	Sums [][sha1.Size]byte
}

// Torrent is one torrent's way to the disk. Its methods may be called from
// several goroutines.
type Torrent struct {
	d      *Disk
	st     storage.Storage
	geom   metainfo.Geometry
	hash   func(piece uint32) [sha1.Size]byte
	report func(Result)

	// Guarded by Disk.mu.
	done    chan struct{}      // closed by Close; nil while nobody waits for that
	table   *[tableSize]*piece // unfinished pieces, in chains by index; nil before the first
	spare   *piece             // finished ones, their memory to be used again
	spares  int
	busy    int        // workers, reads, checks and syncs in progress
	writing bool       // a worker writes finished pieces
	toWrite queue      // those that it takes next
	stalled queue      // pieces that could not be written
	kept    uint32     // blocks that they hold
	broken  error      // why; nothing is written until Retry
	goesOn  func()     // see OnGoesOn; set before the first Store
	quiet   *sync.Cond // busy became zero; nil while nobody waits for that
	closed  bool
}

// Open begins to work for a torrent. The storage stays the caller's, to be
// closed after Close. pieceHash gives the SHA-1 that a piece must have.
//
// report is called by workers, with no lock held, once for each piece that was
// stored completely or failed. It may wait, and then so does the worker; it must
// return when the torrent has ended, so that Close can.
func (d *Disk) Open(st storage.Storage, geom metainfo.Geometry, pieceHash func(piece uint32) [sha1.Size]byte, report func(Result)) *Torrent {
	t := &Torrent{d: d, st: st, geom: geom, hash: pieceHash, report: report}
	return t
}

// Store takes a block of an unfinished piece, and its buffer. It never waits and
// allocates nothing once it has been busy for a while. A block that the piece
// has already is dropped. With sums the Result has the SHA-1 of each block.
//
// After a Result that is not OK, or a Forget, the piece begins anew with the
// blocks stored from then on. Blocks that were stored between a failed write and
// the handling of its Result are kept: Forget drops them.
func (t *Torrent) Store(ref block.Ref, b *block.Block, sums bool) {
	d := t.d
	d.mu.Lock()
	d.stats.Blocks++
	i := ref.Index()
	if t.closed || ref.Begin%blockSize != 0 || ref.Length == 0 ||
		ref.Length != t.geom.BlockSize(ref.Piece, i) || len(b.Data) != int(ref.Length) {
		d.stats.Rejected++
		d.mu.Unlock()
		d.budget.Put(b)
		return
	}
	p := t.find(ref.Piece)
	if p == nil {
		p = t.begin(ref.Piece)
		t.insert(p)
	} else if p.forgotten {
		if p.successor == nil {
			p.successor = t.begin(ref.Piece)
			p.successor.phase = waiting
		}
		p = p.successor
	}
	if p.state[i] != absent {
		d.stats.Duplicates++
		d.mu.Unlock()
		d.budget.Put(b)
		return
	}
	p.add(i, b, sums)
	switch {
	case p.stalled:
		t.kept++
		d.stats.Stalled++
		if !t.room(0, 0) { // it is given up, or waits for its blocks like others
			t.unstall(p)
			d.queue(p)
		}
	case p.phase == resting:
		d.settle(p)
	}
	d.mu.Unlock()
}

// queue has a worker take a piece that is in no queue. The disk is locked.
func (d *Disk) queue(p *piece) {
	p.phase = queued
	d.ready.push(p)
	d.wakeOne()
}

// OnGoesOn has f called when a Retry has written what was kept of a piece that is not
// whole, of which no Result can tell. Like report, f is called by workers and may wait.
// It is set before the first Store.
func (t *Torrent) OnGoesOn(f func()) { t.goesOn = f }

// settle puts a piece that no worker has where it belongs: to the ready queue,
// or to those that wait for blocks. The disk is locked.
func (d *Disk) settle(p *piece) {
	switch {
	case p.due():
		if p.q != nil {
			d.resting.remove(p)
		}
		d.queue(p)
		return
	case p.q == nil && p.held > 0:
		d.resting.push(p)
	}
	if d.short() {
		d.wakeOne()
	}
}

// Forget drops what is held of an unfinished piece. No Result comes of blocks
// stored before, but one that is under way.
func (t *Torrent) Forget(piece uint32) {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	if p := t.find(piece); p != nil {
		t.forget(p)
	}
}

// forget drops a piece, or has its worker do so. The disk is locked.
func (t *Torrent) forget(p *piece) {
	if s := p.successor; s != nil {
		p.successor = nil
		s.release()
		t.recycle(s)
	}
	if p.phase == running {
		p.forgotten = true
		return
	}
	if p.stalled {
		t.unstall(p)
	} else if p.q != nil {
		p.q.remove(p)
	}
	t.remove(p)
	p.release()
	t.recycle(p)
}

// Retry has the stalled pieces written again, and gives their number. Until it is
// called nothing more is written for the torrent once a write has failed, so that a
// full disk sees one write for each try: pieces that are whole meanwhile stall too, or
// fail where too many are kept already. Each whole one ends in another Result; of
// others OnGoesOn tells that they could be written, and Result that they could not.
func (t *Torrent) Retry() (pieces int) {
	d := t.d
	d.mu.Lock()
	defer d.mu.Unlock()
	t.broken = nil
	pieces = t.stalled.n
	for p := t.stalled.first; p != nil; p = t.stalled.first {
		t.unstall(p)
		p.again, p.relieve = !p.verified, !p.verified
		d.queue(p)
	}
	return pieces
}

// unstall takes a piece out of those that are kept. The disk is locked.
func (t *Torrent) unstall(p *piece) {
	p.stalled = false
	t.stalled.remove(p)
	t.kept -= p.held
	t.d.stats.Stalled -= int(p.held)
	if p.verified {
		t.d.stats.ToWrite += int(p.held)
	}
}

// stall keeps a piece that could not be written, if the failure is of a kind that
// passes, and there is room. The disk is locked.
func (t *Torrent) stall(p *piece, err error) bool {
	if t.closed || p.forgotten || fileAlone(err) || !t.room(1, p.held) || errors.Is(err, storage.ErrClosed) || errors.Is(err, storage.ErrRange) {
		return false
	}
	p.phase, p.stalled, p.relieve, p.again = resting, true, false, false
	t.kept += p.held
	t.d.stats.Stalled += int(p.held)
	if p.verified {
		t.d.stats.ToWrite -= int(p.held)
	}
	t.stalled.push(p)
	return true
}

// fileAlone reports whether a failure is about one file: the others take writes, and what was
// to be in it is not worth keeping.
func fileAlone(err error) bool {
	return err != nil && storage.KindOf(err).Then() == fault.Refuse
}

// breaks returns the error that no more writes are tried after, until the next Retry.
func breaks(err error) error {
	if fileAlone(err) {
		return nil
	}
	return err
}

// room reports whether so many more pieces and blocks may be kept. All torrents together
// may keep half of the buffers, since whoever can write needs the rest, and one torrent
// half of that, or a single piece. The disk is locked.
func (t *Torrent) room(pieces int, blocks uint32) bool {
	most := uint32(t.d.budget.Cap()) / 2
	own := most / 2
	if t.stalled.n+pieces == 1 {
		own = most
	}
	return t.kept+blocks <= own && uint32(t.d.stats.Stalled)+blocks <= most
}

// enter begins something that Close waits for.
func (t *Torrent) enter() error {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	t.busy++
	return nil
}

// leave ends it.
func (t *Torrent) leave() {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	t.left()
}

func (t *Torrent) left() {
	if t.busy--; t.busy > 0 {
		return
	}
	t.done = nil // nobody waits for it any more
	if t.quiet != nil {
		t.quiet.Broadcast()
	}
}

// ending gives a channel that Close closes.
func (t *Torrent) ending() <-chan struct{} {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	if t.done == nil {
		t.done = make(chan struct{})
		if t.closed {
			close(t.done)
		}
	}
	return t.done
}

// Sync makes durable every piece that was reported OK before.
func (t *Torrent) Sync(ctx context.Context) error {
	if err := t.enter(); err != nil {
		return err
	}
	defer t.leave()
	return t.st.Sync(ctx)
}

// Close drops what is unfinished and waits until nobody works for the torrent.
// Blocks stored afterwards are dropped.
func (t *Torrent) Close() {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	if !t.closed {
		t.closed = true
		if t.done != nil {
			close(t.done)
		}
	}
	if t.table != nil {
		for _, p := range t.table {
			for p != nil {
				next := p.chain
				t.forget(p)
				p = next
			}
		}
	}
	if t.busy > 0 && t.quiet == nil {
		t.quiet = sync.NewCond(&t.d.mu)
	}
	for t.busy > 0 {
		t.quiet.Wait()
	}
	t.spare, t.spares = nil, 0
}

// Read reads blocks for upload, one after another into dst, which is as long as
// they are together. Blocks that follow each other in the torrent are read with
// one call.
func (t *Torrent) Read(refs []block.Ref, dst []byte) error {
	if err := t.enter(); err != nil {
		return err
	}
	defer t.leave()
	for len(refs) > 0 {
		run, length, err := t.contiguous(refs)
		if err != nil {
			return err
		}
		if length > len(dst) {
			return fmt.Errorf("disk: %d bytes of blocks into a buffer of %d", length, len(dst))
		}
		off := t.geom.Offset(refs[0].Piece, refs[0].Begin)
		if n, err := t.st.ReadAt(dst[:length], off); n < length {
			return err
		}
		refs, dst = refs[run:], dst[length:]
	}
	return nil
}

// ReadAt reads any range of the torrent, as io.ReaderAt does. What is had of it is for
// the caller to know.
func (t *Torrent) ReadAt(p []byte, off int64) (int, error) {
	if err := t.enter(); err != nil {
		return 0, err
	}
	defer t.leave()
	return t.st.ReadAt(p, off)
}

// ReadV is Read into one buffer for each block, each as long as its block.
func (t *Torrent) ReadV(refs []block.Ref, dst [][]byte) error {
	if len(refs) != len(dst) {
		return fmt.Errorf("disk: %d blocks into %d buffers", len(refs), len(dst))
	}
	for i, r := range refs {
		if len(dst[i]) != int(r.Length) {
			return fmt.Errorf("disk: block of %d bytes into a buffer of %d", r.Length, len(dst[i]))
		}
	}
	if err := t.enter(); err != nil {
		return err
	}
	defer t.leave()
	for len(refs) > 0 {
		run, _, err := t.contiguous(refs)
		if err != nil {
			return err
		}
		if err := t.st.ReadV(dst[:run], t.geom.Offset(refs[0].Piece, refs[0].Begin)); err != nil {
			return err
		}
		refs, dst = refs[run:], dst[run:]
	}
	return nil
}

// contiguous gives how many of refs, from the first, follow each other in the
// torrent, and their length together.
func (t *Torrent) contiguous(refs []block.Ref) (run, length int, err error) {
	end := t.geom.Offset(refs[0].Piece, refs[0].Begin)
	for _, r := range refs {
		if !t.geom.Valid(r.Piece, r.Begin, r.Length) {
			return 0, 0, fmt.Errorf("disk: no block %v of %d bytes", r, r.Length)
		}
		if t.geom.Offset(r.Piece, r.Begin) != end {
			break
		}
		end += int64(r.Length)
		run++
		length += int(r.Length)
	}
	return run, length, nil
}
