// Package peerconn moves bytes between a peer's socket and a torrent: a reader turns the stream
// into wire messages and blocks, a writer sends the content of the outbox. It decides nothing. An
// invalid message ends the connection before its body is read; the swarm decides everything else.
//
// Each connection has two goroutines. The reader owns the read buffer and the block that it fills;
// the writer owns the upload buffer; the outbox between the torrent loop and the writer has the one
// lock. A delivered batch, and every block in it, belongs to the torrent; when the torrent refuses
// the batch, the reader returns the blocks. A reader that waits for a block buffer holds none.
//
// A connection ends in one of these ways:
//
//   - either side closes it;
//   - the peer sends an invalid message;
//   - a write takes too long, or too much waits to be written;
//   - the torrent accepts no more.
//
// Close ends it at once, Finish after sending what waits. Both goroutines end with the socket, and
// return every buffer. The reader reports the reason once, after its last batch. The torrent waits
// for both through Torrent.Group.
package peerconn

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/mailbox"
	"shoal/internal/net/throttle"
	"shoal/internal/net/uplink"
	"shoal/internal/value/block"
)

// Buffers provides blocks from a bounded budget. The reader waits for one while the disk is behind,
// so that back pressure reaches the peer.
type Buffers interface {
	// TryGet returns a free buffer, or nil when there is none.
	TryGet() *block.Block
	// Get waits for a free buffer; it returns nil when done is closed first.
	Get(done <-chan struct{}) *block.Block
	// Put returns a buffer.
	Put(*block.Block)
}

// Source provides the blocks to send.
type Source interface {
	// Read fills dst with the blocks one after another. The length of dst is the sum of theirs.
	Read(refs []block.Ref, dst []byte) error
}

// Torrent is what a connection needs from its torrent.
type Torrent struct {
	Buffers Buffers
	Source  Source
	Spare   *Spares // upload buffers, shared by the engine

	// Rate limits of the torrent; nil where no limit is possible.
	Up, Down *throttle.Group

	// Deliver hands over what was read. It can block. False means that the torrent has ended and
	// did not take the batch.
	Deliver func(*Batch) bool
	// Sent reports blocks written to the peer. It can block.
	Sent func(key uint64, blocks int, bytes int64)
	// Unsent reports blocks that were taken back before they were written. It can block.
	Unsent func(key uint64, blocks int)
	// PartsSent reports parts of the metadata written to the peer. It can block.
	PartsSent func(key uint64, parts int)
	// Unreadable reports a block that could not be read from disk.
	Unreadable func(ref block.Ref, err error)
	// Closed reports that the connection has ended, and why. It is called once, after the last
	// Deliver.
	Closed func(key uint64, err error)

	// Beats are those of the engine, at which patient connections are read; nil means that no
	// connection is patient.
	Beats *mailbox.Beats

	// Group counts the goroutines of the torrent's connections; their parent waits for it.
	Group *sync.WaitGroup

	bounds atomic.Pointer[wire.Bounds]
}

// SetBounds sets the bounds for the messages of peers. The caller sets them before it starts a
// connection, and again when the metadata arrives.
func (t *Torrent) SetBounds(b wire.Bounds) { t.bounds.Store(&b) }

// Conn is one connection after its handshakes.
type Conn struct {
	key  uint64
	nc   net.Conn
	t    *Torrent
	out  outbox
	done chan struct{} // closed when the connection ends
	end  sync.Once
	err  error // reason of the end; set before done is closed

	patience atomic.Int32 // see Patient

	up   throttle.Turn // turn of the writer
	down throttle.Turn // turn of the reader
	link *uplink.Link  // what watches the line; nil for none

	started bool // Start was called; owned by the caller of Start and Finish
}

// New takes over nc, whose handshakes are done. key identifies the connection in callbacks. What is
// sent before Start waits in the outbox.
func New(key uint64, nc net.Conn, t *Torrent) *Conn {
	c := &Conn{key: key, nc: nc, t: t, done: make(chan struct{})}
	c.out.wake = make(chan struct{}, 1)
	c.up, c.down = t.Up.Turn(), t.Down.Turn()
	return c
}

// Exempt exempts this connection from the rate limits. Call it before Start.
func (c *Conn) Exempt() { c.up, c.down = throttle.Turn{}, throttle.Turn{} }

// Patient says for how many beats everything that the peer may send can wait; 0 means that it cannot.
// The reader follows it from its next wait on.
func (c *Conn) Patient(beats int) {
	if c.t.Beats != nil {
		c.patience.Store(int32(beats))
	}
}

// Watch lets a link know what this connection sends. Call it before Start.
func (c *Conn) Watch(l *uplink.Link) {
	c.link = l
	c.up.Near(l.Near())
}

// Start starts reading and writing. Call it at most once.
func (c *Conn) Start() {
	c.started = true
	c.t.Group.Add(2)
	go c.writeLoop()
	go c.readLoop()
}

// ErrFlooded is returned when a peer does not read what we send.
var ErrFlooded = errors.New("the peer does not read what we send")

// Close ends the connection with this reason. It does not block; the content of the outbox is lost.
// Later calls change nothing.
func (c *Conn) Close(reason error) {
	c.end.Do(func() {
		c.err = reason
		close(c.done)
		c.nc.Close()
	})
}

// Finish ends the connection with this reason once everything waiting is sent, or after
// finishTimeout. It does not block. Only the caller of Start may call it.
func (c *Conn) Finish(reason error) {
	if !c.started {
		c.Close(reason)
		return
	}
	c.out.finish(reason, c.nc)
}

// finishTimeout bounds the time for the last messages to a peer.
const finishTimeout = 5 * time.Second

// Item is one message, with its block when it is a piece.
type Item struct {
	Message wire.Message
	Block   *block.Block
}

// batchItems bounds the messages of a batch, so that one peer's burst does not occupy the loop for
// long.
const batchItems = 64

// Batch is the result of one read, handed over at once however many messages it has. Bodies lie in
// the batch and are valid until Recycle.
type Batch struct {
	Key   uint64
	Items []Item
	// NoMetadata reports that the batch has a message from before the metadata: its piece numbers were
	// not checked.
	NoMetadata bool

	bodies []byte
	home   chan *Batch
}

// Recycle returns the batch to its reader. The caller has taken every Block out of it.
func (b *Batch) Recycle() {
	clear(b.Items)
	b.Items, b.NoMetadata = b.Items[:0], false
	b.bodies = emptied(b.bodies)
	b.home <- b // never blocks: there is room for every existing batch
}

// writeTimeout bounds one write: a peer that reads nothing for this long is gone.
const writeTimeout = 2 * time.Minute
