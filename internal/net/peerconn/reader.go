package peerconn

import (
	"errors"

	"shoal/internal/format/wire"
	"shoal/internal/net/netio"
	"shoal/internal/value/block"
)

// Sizes of the read buffers: small while little arrives, large while data flows.
const (
	smallBuffer = 4 << 10
	largeBuffer = 256 << 10
	// batches is how many batches a reader has: one being filled, one with the loop.
	batches = 2
	// quietReads is how many small reads end the use of a large buffer.
	quietReads = 64
)

// reader turns a stream into batches.
type reader struct {
	c    *Conn
	buf  []byte
	r, w int // buf[r:w] is not parsed yet

	small []byte // buf while little arrives
	src   source
	ahead *ahead // nil where there is no vectored read

	one     [1][]byte       // the single buffer of a read
	oneFunc func() [][]byte // returns it; made once
	idle    func()          // gives back what a reader that waits must not hold
	empty   int             // beats in a row at which nothing had arrived

	batch *Batch
	home  chan *Batch

	// The piece whose payload is being read.
	piece  wire.Message
	cur    *block.Block
	filled int
	// payload is how many of the bytes to pay for next go into blocks; unpaid of them came with
	// earlier reads.
	payload, unpaid int

	noMetadata bool // the latest message came before the metadata
	quiet      int  // consecutive reads of little
}

func (c *Conn) readLoop() {
	defer c.t.Group.Done()
	rd := newReader(c)
	err := rd.run()
	if rd.cur != nil {
		c.t.Buffers.Put(rd.cur)
	}
	if rd.ahead != nil {
		rd.ahead.release()
	}
	c.t.Spare.put(rd.buf)
	c.Close(err)
	c.t.Closed(c.key, c.err)
}

func newReader(c *Conn) *reader {
	rd := &reader{c: c, small: make([]byte, smallBuffer), home: make(chan *Batch, batches), empty: emptyBeats}
	rd.buf = rd.small
	rd.oneFunc = func() [][]byte { return rd.one[:] }
	for range batches {
		rd.home <- &Batch{Key: c.key, home: rd.home}
	}
	if rd.src = newSocket(c.nc, c.t.Beats); rd.src != nil {
		rd.ahead = newAhead(rd)
		rd.idle = rd.ahead.releaseFunc
	} else {
		rd.src = newStream(c)
		rd.idle = nothing
	}
	return rd
}

// errEnded means that the torrent accepts no more.
var errEnded = errors.New("the torrent has ended")

func (rd *reader) run() error {
	for {
		n, err := rd.read()
		if n > 0 {
			if perr := rd.parse(); perr != nil {
				rd.deliver() // messages before the error are still valid
				return perr
			}
			if !rd.deliver() || !rd.pay(n) {
				return errEnded
			}
		}
		if err != nil {
			return netio.Plain(err)
		}
	}
}

// read reads more of the stream. While little arrives, the rest of a block goes straight into its
// buffer. While data flows, one call reads many blocks that way; without vectored reads a large
// buffer receives them, which is worth the copy.
func (rd *reader) read() (int, error) {
	rd.fit()
	quantum := rd.c.down.Quantum()
	if rd.ahead != nil && rd.ahead.ready() && guesses(quantum) {
		return rd.ahead.read(quantum)
	}
	if rd.cur != nil && rd.r == rd.w && len(rd.buf) == smallBuffer {
		rest := cut(rd.cur.Data[rd.filled:], quantum)
		n, err := rd.receiveOne(rest)
		rd.filled += n
		rd.payload += n
		if n == len(rest) && n >= block.Size/2 && rd.ahead != nil {
			rd.ahead.flows()
		}
		return n, err
	}
	n, err := rd.receiveOne(cut(rd.buf[rd.w:], quantum))
	rd.w += n
	return n, err
}

// fit makes room in the buffer and chooses its size by how much data flows.
func (rd *reader) fit() {
	switch {
	case rd.r < rd.w && rd.w < len(rd.buf):
		// A message is cut off, and there is room for more of it.
	case rd.r < rd.w && rd.r > 0:
		rd.w = copy(rd.buf, rd.buf[rd.r:rd.w])
		rd.r = 0
	case rd.r < rd.w:
		// A message larger than the buffer: a bitfield. wire.Bounds bounds it.
		rd.grow()
	default:
		rd.resize()
		rd.r, rd.w = 0, 0
	}
}

// grow doubles a full buffer. Large buffers come from the spares and go back there, so that all of
// them are counted.
func (rd *reader) grow() {
	n := 2 * len(rd.buf)
	var larger []byte
	if n == largeBuffer {
		larger = rd.c.t.Spare.get(n)
	} else {
		larger = make([]byte, n)
	}
	copy(larger, rd.buf)
	rd.c.t.Spare.put(rd.buf)
	rd.buf = larger
}

// resize chooses the size of an empty buffer.
func (rd *reader) resize() {
	switch {
	case len(rd.buf) == smallBuffer && rd.w == smallBuffer:
		// The last read filled it to the end: data flows.
		if rd.ahead != nil {
			rd.ahead.flows()
			return
		}
		rd.buf = rd.c.t.Spare.get(largeBuffer)
		rd.quiet = 0
	case len(rd.buf) == largeBuffer && rd.ahead == nil:
		if rd.w >= smallBuffer {
			rd.quiet = 0
		} else if rd.quiet++; rd.quiet > quietReads {
			rd.shrink()
		}
	case len(rd.buf) != smallBuffer:
		rd.shrink()
	}
}

func (rd *reader) shrink() {
	rd.c.t.Spare.put(rd.buf)
	rd.buf = rd.small
}

// parse turns the bytes in the buffer into messages.
func (rd *reader) parse() error {
	for {
		if rd.cur != nil {
			if !rd.fill() {
				return nil
			}
			continue
		}
		bounds := rd.c.t.bounds.Load()
		m, n, err := bounds.Decode(rd.buf[rd.r:rd.w])
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		rd.r += n
		rd.noMetadata = bounds.NoMetadata
		if m.ID != wire.Piece {
			rd.add(m, nil)
			continue
		}
		if err := rd.begin(m); err != nil {
			return err
		}
	}
}

// begin takes a buffer for the payload that follows. It delivers the batch before it waits: the
// blocks in the batch may be the only ones that will become free.
func (rd *reader) begin(m wire.Message) error {
	b := rd.free()
	if b == nil {
		if !rd.deliver() {
			return errEnded
		}
		if b = rd.c.t.Buffers.Get(rd.c.done); b == nil {
			return errEnded
		}
	}
	b.Data = b.Buf[:m.Length]
	rd.piece, rd.cur, rd.filled = m, b, 0
	return nil
}

// free returns a buffer without waiting. It prefers one that was taken for a guess, since a waiting
// reader must hold none.
func (rd *reader) free() *block.Block {
	if rd.ahead != nil {
		if b := rd.ahead.take(); b != nil {
			return b
		}
	}
	return rd.c.t.Buffers.TryGet()
}

// fill copies payload from the buffer to the block and reports whether the block is complete.
func (rd *reader) fill() bool {
	n := copy(rd.cur.Data[rd.filled:], rd.buf[rd.r:rd.w])
	rd.filled += n
	rd.payload += n
	rd.r += n
	if rd.filled < len(rd.cur.Data) {
		return false
	}
	rd.whole()
	return true
}

// whole adds the completed block to the batch.
func (rd *reader) whole() {
	m, b := rd.piece, rd.cur
	rd.cur = nil
	rd.add(m, b)
}

// add adds a message to the batch, with a copy of its body.
func (rd *reader) add(m wire.Message, b *block.Block) {
	if rd.batch == nil {
		rd.batch = <-rd.home
	}
	if m.Body != nil {
		at := len(rd.batch.bodies)
		rd.batch.bodies = append(rd.batch.bodies, m.Body...)
		m.Body = rd.batch.bodies[at:len(rd.batch.bodies):len(rd.batch.bodies)]
	}
	rd.batch.Items = append(rd.batch.Items, Item{m, b})
	rd.batch.NoMetadata = rd.batch.NoMetadata || rd.noMetadata
	if len(rd.batch.Items) >= batchItems {
		rd.deliver()
	}
}

// deliver hands the batch over. When the torrent has ended, it returns the blocks.
func (rd *reader) deliver() bool {
	b := rd.batch
	if b == nil {
		return true
	}
	rd.batch = nil
	if rd.c.t.Deliver(b) {
		return true
	}
	for _, it := range b.Items {
		if it.Block != nil {
			rd.c.t.Buffers.Put(it.Block)
		}
	}
	b.Recycle()
	return false
}
