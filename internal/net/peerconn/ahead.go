package peerconn

import (
	"io"

	"shoal/internal/format/wire"
	"shoal/internal/value/block"
)

// aheadBlocks is how many blocks one call can read: 15 with their headers fit the large buffer,
// which receives them when the guess was wrong.
const aheadBlocks = 15

// ahead reads many blocks with one call, straight into their buffers, on the guess that each block
// is followed by the header of another whole one. While data flows the guess is nearly always
// right, and payload is copied once, out of the kernel. When it is wrong, ahead puts what it read
// into the reader's buffer, for the ordinary way.
//
// It takes blocks for the guess only while there is something to read, and only free ones: a
// connection that waits for its peer holds none (decision 0041).
type ahead struct {
	rd *reader

	spare []*block.Block // taken, not used yet
	heads [aheadBlocks][wire.PieceHeader]byte
	vec   [2*aheadBlocks + 1][]byte
	begun int // bytes of the first header that an earlier call read
	room  int // bytes that the latest call could have read
	last  int // bytes that the next call may find, by what the latest ones did
	quiet int // consecutive calls that read little
	most  int // number of blocks that a call can read within the limits
	on    bool

	// Method values, made once.
	prepareFunc func() [][]byte
	releaseFunc func()
}

func newAhead(rd *reader) *ahead {
	a := &ahead{rd: rd}
	a.prepareFunc, a.releaseFunc = a.prepare, a.release
	return a
}

// flows starts the guessing: one call read much.
func (a *ahead) flows() {
	a.on, a.quiet, a.last = true, 0, block.Size
}

// ready reports whether the guess can begin here: inside a block, or before a message of which less
// than a header is read.
func (a *ahead) ready() bool {
	return a.on && len(a.rd.buf) == smallBuffer &&
		(a.rd.cur != nil && a.rd.r == a.rd.w || a.rd.cur == nil && a.rd.w-a.rd.r < wire.PieceHeader)
}

// prepare returns the buffers to read into, in the order of the stream.
func (a *ahead) prepare() [][]byte {
	vec := a.vec[:0]
	if rd := a.rd; rd.cur != nil {
		vec = append(vec, rd.cur.Data[rd.filled:])
	}
	for want := min(a.last/block.Size+2, a.most); len(a.spare) < want; {
		b := a.rd.c.t.Buffers.TryGet()
		if b == nil {
			break
		}
		a.spare = append(a.spare, b)
	}
	for i, b := range a.spare {
		head := a.heads[i][:]
		if i == 0 {
			head = head[a.begun:]
		}
		vec = append(vec, head, b.Buf[:block.Size])
	}
	if len(vec) == 0 {
		// No buffer is free. Read the header alone.
		vec = append(vec, a.heads[0][a.begun:])
	}
	a.room = 0
	for _, b := range vec {
		a.room += len(b)
	}
	return vec
}

// release returns the blocks taken for the guess.
func (a *ahead) release() {
	for i, b := range a.spare {
		a.rd.c.t.Buffers.Put(b)
		a.spare[i] = nil
	}
	a.spare = a.spare[:0]
}

// take returns one of the blocks taken for a wrong guess; nil when there is none.
func (a *ahead) take() *block.Block {
	last := len(a.spare) - 1
	if last < 0 {
		return nil
	}
	b := a.spare[last]
	a.spare[last] = nil
	a.spare = a.spare[:last]
	return b
}

// read reads by the guess. The bytes end up in rd.cur, in the batch, and, where the guess was
// wrong, in rd.buf. quantum bounds the bytes; 0 means no bound.
func (a *ahead) read(quantum int) (int, error) {
	rd := a.rd
	a.most = aheadBlocks
	if quantum > 0 {
		a.most = min(quantum/block.Size, aheadBlocks)
	}
	a.begun = copy(a.heads[0][:], rd.buf[rd.r:rd.w])
	rd.r, rd.w = 0, 0
	n, err := rd.receive(a.prepareFunc, a.releaseFunc)
	clear(a.vec[:])
	a.last = max(n, a.last/2)
	if n == a.room {
		a.last = 2 * n // there is more
	}
	if n >= block.Size {
		a.quiet = 0
	} else if a.quiet++; a.quiet > quietReads {
		a.on = false
	}
	a.sort(n)
	if !a.on || err != nil {
		a.release()
	}
	return n, err
}

// sort turns n bytes that were read into messages.
func (a *ahead) sort(n int) {
	rd := a.rd
	if rd.cur != nil {
		k := min(n, len(rd.cur.Data)-rd.filled)
		rd.filled += k
		rd.payload += k
		n -= k
		if rd.filled < len(rd.cur.Data) {
			return
		}
		rd.whole()
	}
	used := 0
	for begun := a.begun; n+begun > 0; begun = 0 {
		head := a.heads[used][:]
		if n+begun < len(head) || len(a.spare) == 0 {
			rd.w = copy(rd.buf, head[:begun+n])
			break
		}
		n -= len(head) - begun
		m, ok := a.guessed(head)
		if !ok {
			a.spill(used, n)
			break
		}
		b := a.spare[used]
		used++
		k := min(n, block.Size)
		b.Data = b.Buf[:block.Size]
		rd.piece, rd.cur, rd.filled = m, b, k
		rd.payload += k
		n -= k
		if k == block.Size {
			rd.whole()
		}
	}
	a.begun = 0
	kept := copy(a.spare, a.spare[used:])
	clear(a.spare[kept:])
	a.spare = a.spare[:kept]
}

// guessed decodes a header and reports whether it belongs to a whole block.
func (a *ahead) guessed(head []byte) (wire.Message, bool) {
	m, n, err := a.rd.c.t.bounds.Load().Decode(head)
	return m, err == nil && n == len(head) && m.ID == wire.Piece && m.Length == block.Size
}

// spill puts an unexpected header, and the n bytes after it, into the reader's buffer.
func (a *ahead) spill(at, n int) {
	rd := a.rd
	if n+wire.PieceHeader > len(rd.buf) {
		rd.buf = rd.c.t.Spare.get(largeBuffer)
	}
	rd.w = copy(rd.buf, a.heads[at][:])
	for n > 0 {
		for _, part := range [2][]byte{a.spare[at].Buf[:block.Size], a.part(at + 1)} {
			k := copy(rd.buf[rd.w:], part[:min(n, len(part))])
			rd.w += k
			n -= k
		}
		at++
	}
}

// part returns a header, or nil after the last one.
func (a *ahead) part(at int) []byte {
	if at < aheadBlocks {
		return a.heads[at][:]
	}
	return nil
}

// eof turns the end of a stream into io.EOF, as Read does.
func eof(n int, err error) error {
	if n == 0 && err == nil {
		return io.EOF
	}
	return err
}
