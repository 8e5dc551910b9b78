package disk

import (
	"crypto/sha1"

	"shoal/internal/value/block"
)

// readBack is how many bytes are read at a time of blocks that were written early.
const readBack = 256 << 10

// worker is the state of one worker.
type worker struct {
	d       *Disk
	bufs    [][]byte       // buffers of the write in progress
	blocks  []*block.Block // the same buffers, as blocks to return
	scratch []byte         // for reading back; nil until first needed
	sum     [sha1.Size]byte
}

// run works on a piece until nothing is left to do for it. The caller holds the disk's lock; run
// releases it meanwhile.
func (w *worker) run(p *piece) {
	t := p.t
	p.phase = running
	t.busy++
	if p.verified { // an earlier write failed
		w.store(p)
		return
	}
	for !p.forgotten {
		if p.front > p.cursor && (p.relieve || p.due()) {
			if err := w.hash(p); err != nil {
				w.end(p, Result{Err: err})
				return
			}
			if p.cursor == p.n {
				w.finish(p)
				return
			}
			if p.large() && p.cursor >= p.clean+w.d.run && !w.early(p, p.cursor) {
				return
			}
			continue
		}
		if !p.relieve {
			p.phase = resting
			w.d.settle(p)
			t.left()
			return
		}
		if !w.early(p, p.n) {
			return
		}
		p.relieve = false
	}
	w.drop(p)
	t.left()
}

// early writes the blocks before index to of a piece that is not verified yet. It returns false
// when that fails: the piece is then stalled or dropped, and no longer belongs to the worker.
func (w *worker) early(p *piece, to uint32) bool {
	t := p.t
	err, tried := t.broken, false
	if err == nil {
		err, tried = w.write(p, p.clean, to), true
		t.broken = breaks(err)
	}
	if err == nil {
		if p.again && !p.forgotten && t.resumed != nil {
			w.d.mu.Unlock()
			t.resumed()
			w.d.mu.Lock()
		}
		p.again = false
		return true
	}
	// Drop it when callers wait for buffers and the write has no prospect.
	if (tried || !p.relieve || p.again) && t.stall(p, err) {
		w.told(t, Result{Piece: p.index, Err: err, Stalled: true})
		return false
	}
	w.end(p, Result{Err: err})
	return false
}

// hash moves the cursor over a run of present blocks (decision 0049).
func (w *worker) hash(p *piece) error {
	from, to := p.cursor, min(p.front, p.cursor+w.d.run)
	w.d.mu.Unlock()
	err := w.each(p, from, to, func(data []byte) { p.digest.Write(data) })
	w.d.mu.Lock()
	if err != nil {
		return err
	}
	p.cursor = to
	w.d.stats.Hashed += p.bytes(from, to)
	return nil
}

// bytes returns the length of the blocks with indexes from to to-1.
func (p *piece) bytes(from, to uint32) int64 {
	return min(int64(to)*blockSize, int64(p.t.geom.PieceSize(p.index))) - int64(from)*blockSize
}

// each calls do with the data of present blocks, one by one. It reads back what is no longer in
// memory. The caller does not hold the disk's lock.
func (w *worker) each(p *piece, from, to uint32, do func(data []byte)) error {
	for i := from; i < to; {
		if p.state[i] == held {
			do(p.blocks[i].Data)
			i++
			continue
		}
		end := i + 1
		for end < to && end-i < readBack/blockSize && p.state[end] == written {
			end++
		}
		taken := int64(0)
		if w.scratch == nil {
			w.scratch, taken = make([]byte, readBack), readBack
		}
		data := w.scratch[:p.bytes(i, end)]
		n, err := p.t.st.ReadAt(data, p.t.geom.Offset(p.index, i*blockSize))
		w.d.mu.Lock()
		w.d.stats.Scratch += taken
		w.d.stats.ReadBack += int64(n)
		w.d.mu.Unlock()
		if n < len(data) {
			return err
		}
		for ; i < end; i++ {
			n := min(len(data), blockSize)
			do(data[:n])
			data = data[n:]
		}
	}
	return nil
}

// write writes the blocks with indexes from to to-1 that are in memory, adjacent ones with one
// call, and returns their buffers. The caller holds the disk's lock; write releases it meanwhile.
func (w *worker) write(p *piece, from, to uint32) error {
	for i := from; i < to; {
		if p.state[i] != held {
			i++
			continue
		}
		first := i
		for ; i < to && i-first < maxRun && p.state[i] == held; i++ {
			w.bufs = append(w.bufs, p.blocks[i].Data)
			w.blocks = append(w.blocks, p.blocks[i])
		}
		w.d.mu.Unlock()
		err := p.t.st.WriteV(w.bufs, p.t.geom.Offset(p.index, first*blockSize))
		w.d.mu.Lock()
		if err == nil {
			w.d.stats.Written += p.bytes(first, i)
			p.wrote(first, i)
			w.d.budget.putAll(w.blocks)
		}
		clear(w.bufs)
		clear(w.blocks)
		w.bufs, w.blocks = w.bufs[:0], w.blocks[:0]
		if err != nil {
			return err
		}
	}
	return nil
}

// finish verifies a piece that is hashed to its end, writes it if it matches, and reports.
func (w *worker) finish(p *piece) {
	r := Result{Piece: p.index}
	sums := p.sums
	w.d.mu.Unlock()
	p.digest.Sum(w.sum[:0])
	r.OK = w.sum == p.t.hash(p.index)
	if sums || !r.OK {
		r.Sums = w.sums(p)
	}
	w.d.mu.Lock()
	if !r.OK {
		w.end(p, r)
		return
	}
	p.verified, p.sumsFound = true, r.Sums
	w.d.stats.ToWrite += int(p.held)
	w.store(p)
}

// store writes a verified piece, and reports. One worker of a torrent writes at a time: a file
// accepts one write after another anyway, and a second worker would burn its core waiting in the
// kernel. It leaves its piece to the writing worker, and hashes instead.
func (w *worker) store(p *piece) {
	t := p.t
	if t.writing {
		t.toWrite.push(p)
		return
	}
	t.writing = true
	for ; p != nil; p = t.toWrite.pop() {
		r := Result{OK: true, Sums: p.sumsFound}
		if !p.forgotten {
			err := t.broken
			if err == nil {
				err = w.write(p, p.clean, p.n)
				t.broken = breaks(err)
			}
			if err != nil && t.stall(p, err) {
				w.told(t, Result{Piece: p.index, Err: err, Stalled: true})
				continue
			}
			if err != nil {
				r = Result{Err: err}
			}
		}
		w.end(p, r)
	}
	t.writing = false
}

// sums returns the SHA-1 of each block; nil when one can't be read back.
func (w *worker) sums(p *piece) [][sha1.Size]byte {
	sums := make([][sha1.Size]byte, 0, p.n)
	err := w.each(p, 0, p.n, func(data []byte) { sums = append(sums, sha1.Sum(data)) })
	if err != nil {
		return nil
	}
	return sums
}

// end finishes a piece: it drops the rest of it and reports. The report comes last, so that its
// receiver can begin the piece again.
func (w *worker) end(p *piece, r Result) {
	t, forgotten := p.t, p.forgotten
	r.Piece = p.index
	w.drop(p)
	if !forgotten {
		w.d.mu.Unlock()
		t.report(r)
		w.d.mu.Lock()
	}
	t.left()
}

// told reports on a piece, which can have another owner by now.
func (w *worker) told(t *Torrent, r Result) {
	w.d.mu.Unlock()
	t.report(r)
	w.d.mu.Lock()
	t.left()
}

// drop forgets a piece. Its successor, if any, takes its place.
func (w *worker) drop(p *piece) {
	t, next := p.t, p.successor
	t.remove(p)
	p.release()
	t.recycle(p)
	if next != nil {
		next.phase = resting
		t.insert(next)
		w.d.settle(next)
	}
}
