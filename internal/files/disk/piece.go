package disk

import (
	"crypto/sha1"
	"hash"

	"shoal/internal/value/block"
)

const blockSize = block.Size

// blockState says where a block of an unfinished piece is.
type blockState uint8

const (
	absent  blockState = iota
	held               // in memory
	written            // in its file, and no longer in memory
)

// phase says where a piece is.
type phase uint8

const (
	resting phase = iota // no owner; it waits for blocks
	queued               // in the ready queue
	running              // a worker has it, or the worker that writes will take it
	waiting              // no owner; a worker still has the forgotten piece before it
)

// piece is an unfinished piece. Disk.mu guards it, with one exception: the worker that has the
// piece reads the present blocks and uses the digest without the lock. Nobody else changes those
// meanwhile.
type piece struct {
	t     *Torrent
	index uint32
	n     uint32 // number of blocks

	blocks []*block.Block // nil where not held
	state  []blockState

	cursor uint32 // blocks before it are hashed
	front  uint32 // blocks before it are present
	clean  uint32 // blocks before it are written
	got    uint32 // blocks present
	held   uint32 // blocks in memory
	digest hash.Hash

	phase     phase
	relieve   bool              // release all buffers
	sums      bool              // report the SHA-1 of each block
	forgotten bool              // drop the piece as soon as the worker is done with it
	verified  bool              // the piece matches its hash
	stalled   bool              // the piece could not be written, and is kept
	again     bool              // retry its writes although it is incomplete
	sumsFound [][sha1.Size]byte // reported once the piece is written

	successor *piece // begun after this one was forgotten; waits for it

	q          *pieces // queue that it is in
	prev, next *piece  // neighbours in that queue
	chain      *piece  // next in Torrent.table or Torrent.spare
}

// add adds a block that is absent.
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

// due reports whether the blocks at the cursor are worth a worker.
func (p *piece) due() bool {
	return p.got == p.n || p.front-p.cursor >= p.t.d.batch
}

// large reports whether the piece is written in runs.
func (p *piece) large() bool { return p.n > p.t.d.hold }

// wrote marks held blocks as written. Their buffers belong to the caller.
func (p *piece) wrote(from, to uint32) {
	for i := from; i < to; i++ {
		p.blocks[i], p.state[i] = nil, written
	}
	p.gave(to - from)
	for p.clean < p.n && p.state[p.clean] == written {
		p.clean++
	}
}

// gave subtracts blocks that are no longer held.
func (p *piece) gave(blocks uint32) {
	p.held -= blocks
	p.t.d.stats.Held -= int(blocks)
	if p.verified {
		p.t.d.stats.ToWrite -= int(blocks)
	}
}

// release returns all buffers, which makes the piece useless.
func (p *piece) release() {
	for i, b := range p.blocks[:p.n] {
		if b != nil {
			p.t.d.budget.Put(b)
			p.blocks[i] = nil
		}
	}
	p.gave(p.held)
}

// tableSize is the number of hash chains for a torrent's unfinished pieces, which are rarely more.
const tableSize = 64

// maxSpare bounds the finished pieces that we keep for reuse.
const maxSpare = 32

// begin returns a piece of the torrent without blocks.
func (t *Torrent) begin(index uint32) *piece {
	p := t.spare
	if p != nil {
		t.spare = p.chain
		t.spares--
	} else {
		most := t.geom.Blocks(0) // the first piece has the most blocks
		p = &piece{t: t, digest: sha1.New(), blocks: make([]*block.Block, most), state: make([]blockState, most)}
	}
	p.index, p.n = index, t.geom.Blocks(index)
	t.d.stats.Pieces++
	return p
}

// recycle keeps a piece that holds nothing and is in no queue for reuse.
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

// find returns the unfinished piece, or nil.
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

// insert adds a piece to the table.
func (t *Torrent) insert(p *piece) {
	if t.table == nil {
		t.table = new([tableSize]*piece)
	}
	head := &t.table[p.index%tableSize]
	p.chain, *head = *head, p
}

// remove removes a piece from the table.
func (t *Torrent) remove(p *piece) {
	at := &t.table[p.index%tableSize]
	for *at != p {
		at = &(*at).chain
	}
	*at, p.chain = p.chain, nil
}

// pieces is a list of pieces; a piece is in at most one. It is written out for speed
// (decision 0177).
type pieces struct {
	first, last *piece
	n           int
}

func (q *pieces) push(p *piece) {
	p.q, p.prev, p.next = q, q.last, nil
	if q.last == nil {
		q.first = p
	} else {
		q.last.next = p
	}
	q.last = p
	q.n++
}

func (q *pieces) remove(p *piece) {
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

func (q *pieces) pop() *piece {
	p := q.first
	if p != nil {
		q.remove(p)
	}
	return p
}

// fullest returns the piece that holds the most buffers, the first of equals. With broken false it
// ignores torrents whose writes fail. The queue is never longer than the budget has buffers.
func (q *pieces) fullest(broken bool) (best *piece) {
	for p := q.first; p != nil; p = p.next {
		if (broken || p.t.broken == nil) && (best == nil || p.held > best.held) {
			best = p
		}
	}
	return best
}
