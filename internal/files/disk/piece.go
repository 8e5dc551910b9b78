package disk

import (
	"crypto/sha1"
	"hash"

	"shoal/internal/value/block"
)

const blockSize = block.Size

// blockState is where a block of an unfinished piece is.
type blockState uint8

const (
	absent  blockState = iota
	held               // in memory
	written            // in its file, and no longer in memory
)

// phase is who has a piece.
type phase uint8

const (
	resting phase = iota // nobody; it waits for blocks
	queued               // the ready queue
	running              // a worker, or the one that writes will take it
	waiting              // nobody; the forgotten one before it has a worker still
)

// piece is an unfinished piece. Disk.mu guards it, but for what the worker that
// has it may do without: read the blocks that are present, and use the digest.
// Nobody else changes those meanwhile.
type piece struct {
	t     *Torrent
	index uint32
	n     uint32 // blocks

	blocks []*block.Block // nil where not held
	state  []blockState

	cursor uint32 // blocks before it are hashed
	front  uint32 // blocks before it are present
	clean  uint32 // blocks before it are written
	got    uint32 // blocks present
	held   uint32 // blocks in memory
	digest hash.Hash

	phase     phase
	relieve   bool              // give up all buffers
	sums      bool              // report the SHA-1 of each block
	forgotten bool              // drop it as soon as the worker lets go
	verified  bool              // it matches its hash
	stalled   bool              // it could not be written, and is kept
	again     bool              // its writes are tried again, unfinished as it is
	sumsFound [][sha1.Size]byte // to be reported once it is written

	successor *piece // begun after this one was forgotten; it has to wait

	q          *queue // the queue it is in
	prev, next *piece // in that queue
	chain      *piece // in Torrent.table, or in Torrent.spare
}

// add puts in a block that is absent.
func (p *piece) add(i uint32, b *block.Block, sums bool) {
	p.blocks[i], p.state[i] = b, held
	p.got++
	p.held++
	p.t.d.stats.Held++
	p.sums = p.sums || sums
	for p.front < p.n && p.state[p.front] != absent {
		p.front++
	}
}

// due reports whether there is enough at the cursor to be worth a worker.
func (p *piece) due() bool {
	return p.got == p.n || p.front-p.cursor >= p.t.d.batch
}

// large reports whether the piece is written in runs.
func (p *piece) large() bool { return p.n > p.t.d.hold }

// wrote marks blocks that were held as written. Their buffers are the caller's.
func (p *piece) wrote(from, to uint32) {
	for i := from; i < to; i++ {
		p.blocks[i], p.state[i] = nil, written
	}
	p.gave(to - from)
	for p.clean < p.n && p.state[p.clean] == written {
		p.clean++
	}
}

// gave counts blocks that are no longer held.
func (p *piece) gave(blocks uint32) {
	p.held -= blocks
	p.t.d.stats.Held -= int(blocks)
	if p.verified {
		p.t.d.stats.ToWrite -= int(blocks)
	}
}

// release gives all buffers back, which makes the piece useless.
func (p *piece) release() {
	for i, b := range p.blocks[:p.n] {
		if b != nil {
			p.t.d.budget.Put(b)
			p.blocks[i] = nil
		}
	}
	p.gave(p.held)
}

// tableSize is the number of chains a torrent's unfinished pieces hang in; there
// are rarely more pieces than this.
const tableSize = 64

// maxSpare bounds the finished pieces whose memory is kept for the next ones.
const maxSpare = 32

// begin makes a piece of the torrent, without blocks.
func (t *Torrent) begin(index uint32) *piece {
	p := t.spare
	if p != nil {
		t.spare = p.chain
		t.spares--
	} else {
		most := t.geom.Blocks(0) // no piece has more than the first
		p = &piece{t: t, digest: sha1.New(), blocks: make([]*block.Block, most), state: make([]blockState, most)}
	}
	p.index, p.n = index, t.geom.Blocks(index)
	t.d.stats.Pieces++
	return p
}

// recycle keeps the memory of a piece that holds nothing and is in no queue.
func (t *Torrent) recycle(p *piece) {
	t.d.stats.Pieces--
	if t.spares >= maxSpare || t.closed {
		return
	}
	p.digest.Reset()
	clear(p.state)
	*p = piece{t: t, digest: p.digest, blocks: p.blocks, state: p.state, chain: t.spare}
	t.spare = p
	t.spares++
}

// find gives the unfinished piece, or nil.
func (t *Torrent) find(index uint32) *piece {
	if t.table == nil {
		return nil
	}
	p := t.table[index%tableSize]
	for p != nil && p.index != index {
		p = p.chain
	}
	return p
}

// insert puts a piece into the table.
func (t *Torrent) insert(p *piece) {
	if t.table == nil {
		t.table = new([tableSize]*piece)
	}
	head := &t.table[p.index%tableSize]
	p.chain, *head = *head, p
}

// remove takes a piece out of the table.
func (t *Torrent) remove(p *piece) {
	at := &t.table[p.index%tableSize]
	for *at != p {
		at = &(*at).chain
	}
	*at, p.chain = p.chain, nil
}

// queue is a list of pieces; a piece is in at most one. It is written out for speed
// (decision 0177).
type queue struct {
	first, last *piece
	n           int
}

func (q *queue) push(p *piece) {
	p.q, p.prev, p.next = q, q.last, nil
	if q.last == nil {
		q.first = p
	} else {
		q.last.next = p
	}
	q.last = p
	q.n++
}

func (q *queue) remove(p *piece) {
	if p.prev == nil {
		q.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		q.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.q, p.prev, p.next = nil, nil, nil
	q.n--
}

func (q *queue) pop() *piece {
	p := q.first
	if p != nil {
		q.remove(p)
	}
	return p
}

// fullest gives the piece that holds the most buffers, of equals the first; where
// broken is false, among those whose torrent's writes go well. The queue is never
// longer than the budget has buffers.
func (q *queue) fullest(broken bool) (best *piece) {
	for p := q.first; p != nil; p = p.next {
		if (broken || p.t.broken == nil) && (best == nil || p.held > best.held) {
			best = p
		}
	}
	return best
}
