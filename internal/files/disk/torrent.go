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

// Result is the outcome of a piece whose blocks have all been stored, or that could not be written.
type Result struct {
	Piece uint32
	OK    bool  // the piece matches its hash and is written: we can serve it
	Err   error // error of the file system; the state of the piece is then unknown, unless it is stalled

	// Stalled, with Err, says that the piece stays in memory for Retry to write again: either it
	// matches its hash, or a part of it had to be written before it was complete. Another Result
	// follows when Retry has written it.
	Stalled bool

	// Sums are the SHA-1 of each block as it was received, for a piece that does not match and when
	// Store asked for them. Nil when a block that was written early could not be read back.
	Sums [][sha1.Size]byte
}

// Torrent is one torrent's access to the disk. Its methods are safe for concurrent use.
type Torrent struct {
	d      *Disk
	st     storage.Storage
	geom   metainfo.Geometry
	hash   func(piece uint32) [sha1.Size]byte
	report func(Result)

	// Guarded by Disk.mu.
	done    chan struct{}      // closed by Close; nil while nobody waits for it
	table   *[tableSize]*piece // unfinished pieces, chained by index; nil before the first
	spare   *piece             // finished pieces, for reuse
	spares  int
	busy    int        // number of workers, reads, checks and syncs in progress
	writing bool       // a worker writes finished pieces
	toWrite pieces     // pieces that it writes next
	stalled pieces     // pieces that could not be written
	kept    uint32     // number of blocks in stalled
	broken  error      // why the last write failed; nothing is written until Retry
	resumed func()     // see OnResumed; set before the first Store
	quiet   *sync.Cond // signals that busy is zero; nil while nobody waits for it
	closed  bool
}

// Open starts work for a torrent. The caller keeps the storage, and closes it after Close.
// pieceHash returns the SHA-1 that a piece must have.
//
// Workers call report, without holding a lock, once for each piece that was stored completely or
// failed. report can block, which blocks the worker. It must return when the torrent has ended, so
// that Close can.
func (d *Disk) Open(st storage.Storage, geom metainfo.Geometry, pieceHash func(piece uint32) [sha1.Size]byte, report func(Result)) *Torrent {
	t := &Torrent{d: d, st: st, geom: geom, hash: pieceHash, report: report}
	return t
}

// Store takes over a block of an unfinished piece, and its buffer. It never blocks, and allocates
// nothing once its tables have grown. It drops a block that the piece already has. With sums, the
// Result has the SHA-1 of each block.
//
// After a Result that is not OK, or a Forget, the piece starts over with the blocks stored from
// then on. Blocks that were stored between a failed write and the handling of its Result stay:
// Forget drops them.
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
		if !t.room(0, 0) { // drop it, or let it wait for its blocks like others
			t.unstall(p)
			d.enqueue(p)
		}
	case p.phase == resting:
		d.settle(p)
	}
	d.mu.Unlock()
}

// enqueue hands a worker a piece that is in no queue. The caller holds the disk's lock.
func (d *Disk) enqueue(p *piece) {
	p.phase = queued
	d.ready.push(p)
	d.wakeOne()
}

// OnResumed sets f, which is called when a Retry has written what it kept of an incomplete piece: no
// Result reports that. Like report, f is called by workers and can block. Set it before the first
// Store.
func (t *Torrent) OnResumed(f func()) { t.resumed = f }

// settle puts a piece without a worker into the right queue: ready, or waiting for blocks. The
// caller holds the disk's lock.
func (d *Disk) settle(p *piece) {
	switch {
	case p.due():
		if p.q != nil {
			d.resting.remove(p)
		}
		d.enqueue(p)
		return
	case p.q == nil && p.held > 0:
		d.resting.push(p)
	}
	if d.short() {
		d.wakeOne()
	}
}

// Forget drops what is in memory of an unfinished piece. Blocks stored before lead to no Result,
// unless it is already under way.
func (t *Torrent) Forget(piece uint32) {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	if p := t.find(piece); p != nil {
		t.forget(p)
	}
}

// forget drops a piece, or tells its worker to drop it. The caller holds the disk's lock.
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

// Retry writes the stalled pieces again, and returns their number. After a failed write the torrent
// writes nothing until Retry, so that a full disk sees one write per attempt. Pieces that become
// complete meanwhile stall too, or fail when too many are kept already. Each complete piece ends in
// another Result. For an incomplete one, OnResumed reports that it was written, and a Result that it
// was not.
func (t *Torrent) Retry() (pieces int) {
	d := t.d
	d.mu.Lock()
	defer d.mu.Unlock()
	t.broken = nil
	pieces = t.stalled.n
	for p := t.stalled.first; p != nil; p = t.stalled.first {
		t.unstall(p)
		p.again, p.relieve = !p.verified, !p.verified
		d.enqueue(p)
	}
	return pieces
}

// unstall removes a piece from the stalled ones. The caller holds the disk's lock.
func (t *Torrent) unstall(p *piece) {
	p.stalled = false
	t.stalled.remove(p)
	t.kept -= p.held
	t.d.stats.Stalled -= int(p.held)
	if p.verified {
		t.d.stats.ToWrite += int(p.held)
	}
}

// stall keeps a piece that could not be written, if the failure can pass and there is room. The
// caller holds the disk's lock.
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

// fileAlone reports whether a failure concerns one file only: writes to the others succeed, and its
// data is not worth keeping.
func fileAlone(err error) bool {
	return err != nil && storage.KindOf(err).Then() == fault.Refuse
}

// breaks returns the error that stops all writes until the next Retry; nil when err does not.
func breaks(err error) error {
	if fileAlone(err) {
		return nil
	}
	return err
}

// room reports whether this many more pieces and blocks can stall. All torrents together may keep
// half of the buffers, because torrents that can write need the rest. One torrent may keep half of
// that, or a single piece. The caller holds the disk's lock.
func (t *Torrent) room(pieces int, blocks uint32) bool {
	most := uint32(t.d.budget.Cap()) / 2
	own := most / 2
	if t.stalled.n+pieces == 1 {
		own = most
	}
	return t.kept+blocks <= own && uint32(t.d.stats.Stalled)+blocks <= most
}

// enter starts an operation that Close waits for.
func (t *Torrent) enter() error {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	if t.closed {
		return ErrClosed
	}
	t.busy++
	return nil
}

// leave ends such an operation.
func (t *Torrent) leave() {
	t.d.mu.Lock()
	defer t.d.mu.Unlock()
	t.left()
}

func (t *Torrent) left() {
	if t.busy--; t.busy > 0 {
		return
	}
	t.done = nil // nobody waits for it any longer
	if t.quiet != nil {
		t.quiet.Broadcast()
	}
}

// ending returns a channel that Close closes.
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

// Close drops unfinished pieces and waits until no worker works for the torrent. Later blocks are
// dropped.
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

// Read reads blocks for upload, one after another, into dst, whose length is the sum of theirs. One
// call reads blocks that are adjacent in the torrent.
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
			return fmt.Errorf("disk: read %d bytes of blocks into a buffer of %d bytes", length, len(dst))
		}
		off := t.geom.Offset(refs[0].Piece, refs[0].Begin)
		if n, err := t.st.ReadAt(dst[:length], off); n < length {
			return err
		}
		refs, dst = refs[run:], dst[length:]
	}
	return nil
}

// ReadAt reads any range of the torrent, as io.ReaderAt does. The caller must know which bytes we
// have.
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
		return fmt.Errorf("disk: read %d blocks into %d buffers", len(refs), len(dst))
	}
	for i, r := range refs {
		if len(dst[i]) != int(r.Length) {
			return fmt.Errorf("disk: read a block of %d bytes into a buffer of %d bytes", r.Length, len(dst[i]))
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

// contiguous returns how many of refs, from the first, are adjacent in the torrent, and their total
// length.
func (t *Torrent) contiguous(refs []block.Ref) (run, length int, err error) {
	end := t.geom.Offset(refs[0].Piece, refs[0].Begin)
	for _, r := range refs {
		if !t.geom.Valid(r.Piece, r.Begin, r.Length) {
			return 0, 0, fmt.Errorf("disk: read block %v of %d bytes: not in the torrent", r, r.Length)
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
