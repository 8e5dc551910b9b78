// Package peerconn moves bytes between a peer's socket and a torrent: a reader
// that turns the stream into wire messages and blocks, a writer that sends what
// the outbox holds. It decides nothing. A message that may not be is where a
// connection ends, before its body is read; everything else is the swarm's
// affair.
//
// Each connection has two goroutines. The reader owns the read buffer and the
// block being filled; the writer owns the upload buffer; the outbox between the
// torrent loop and the writer is the one lock. A batch that was delivered, and every
// block in it, belongs to the torrent; when it is refused, the reader gives them back.
// Whoever waits for a block buffer holds none.
//
// A connection ends when either side closes it, when a message may not be, when a
// write takes too long or too much waits to be written, and when the torrent takes no
// more. Close ends it at once, Finish when what waits is sent. Both goroutines end
// with the socket, and give back every buffer; the reader tells the reason, once and
// after its last batch. The torrent waits for both by Torrent.Group.
package peerconn

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/net/throttle"
	"shoal/internal/value/block"
)

// Buffers is where blocks come from: a bounded budget that makes the reader
// wait while the disk is behind, which is how back pressure reaches the peer.
type Buffers interface {
	// TryGet gives a free buffer, or nil when there is none.
	TryGet() *block.Block
	// Get waits for a free buffer; nil when done was closed first.
	Get(done <-chan struct{}) *block.Block
	// Put gives a buffer back.
	Put(*block.Block)
}

// Source is where the blocks that are sent come from.
type Source interface {
	// Read fills dst with the blocks one after another. dst is exactly as
	// long as they are together.
	Read(refs []block.Ref, dst []byte) error
}

// Torrent is what a connection needs of the torrent it belongs to.
type Torrent struct {
	Buffers Buffers
	Source  Source
	Spare   *Spares // upload buffers, shared by the engine

	// The torrent's share of the limits; nil where there can be none.
	Up, Down *throttle.Group

	// Deliver hands over what was read. It may wait. False says that the
	// torrent has ended, and the batch was not taken.
	Deliver func(*Batch) bool
	// Sent tells of blocks written to the peer. It may wait.
	Sent func(key uint64, blocks int, bytes int64)
	// Unsent tells of blocks that were taken back before they were written. It may wait.
	Unsent func(key uint64, blocks int)
	// PartsSent tells of parts of the metadata written to the peer. It may wait.
	PartsSent func(key uint64, parts int)
	// Unreadable tells of blocks that could not be read from disk.
	Unreadable func(ref block.Ref, err error)
	// Closed tells that the connection has ended, and why. It comes once, after
	// the last Deliver.
	Closed func(key uint64, err error)

	// Group counts the goroutines of the torrent's connections: their parent
	// waits for it.
	Group *sync.WaitGroup

	bounds atomic.Pointer[wire.Bounds]
}

// SetBounds sets what the messages of peers are checked against. The caller sets them
// before it starts a connection, and again when the metadata arrives.
func (t *Torrent) SetBounds(b wire.Bounds) { t.bounds.Store(&b) }

// Conn is one connection whose handshakes are done.
type Conn struct {
	key  uint64
	nc   net.Conn
	t    *Torrent
	out  outbox
	done chan struct{} // closed when the connection ends
	end  sync.Once
	err  error // why; set before done is closed

	up   throttle.Turn // of the writer
	down throttle.Turn // of the reader

	started bool // Start was called; owned by whoever calls Start and Finish
}

// New takes over nc, which has done its handshakes. key names the connection in
// what is delivered. What is sent before Start waits in the outbox.
func New(key uint64, nc net.Conn, t *Torrent) *Conn {
	c := &Conn{key: key, nc: nc, t: t, done: make(chan struct{})}
	c.out.wake = make(chan struct{}, 1)
	c.up, c.down = t.Up.Turn(), t.Down.Turn()
	return c
}

// Exempt has no limit hold for this connection. It is called before Start.
func (c *Conn) Exempt() { c.up, c.down = throttle.Turn{}, throttle.Turn{} }

// Start begins to read and write. It is called at most once.
func (c *Conn) Start() {
	c.started = true
	c.t.Group.Add(2)
	go c.writeLoop()
	go c.readLoop()
}

// ErrFlooded says that a peer does not read what it is sent.
var ErrFlooded = errors.New("the peer does not read what it is sent")

// Close ends the connection for the reason given. It does not wait; what is in
// the outbox is lost. Later calls change nothing.
func (c *Conn) Close(reason error) {
	c.end.Do(func() {
		c.err = reason
		close(c.done)
		c.nc.Close()
	})
}

// Finish ends the connection for the reason given, once what waits is sent or
// finishTimeout has passed. It does not wait. It is called by whoever calls
// Start.
func (c *Conn) Finish(reason error) {
	if !c.started {
		c.Close(reason)
		return
	}
	c.out.finish(reason, c.nc)
}

// finishTimeout is how long the last words to a peer may take.
const finishTimeout = 5 * time.Second

// Item is one message, with its block when it is a piece.
type Item struct {
	Message wire.Message
	Block   *block.Block
}

// batchItems bounds the messages of a batch, so that one peer's burst does not
// hold the loop for long.
const batchItems = 64

// Batch is what one read brought: a batch is one hand-off, however many
// messages it holds. Bodies lie in the batch and are valid until Recycle.
type Batch struct {
	Key   uint64
	Items []Item
	// Bare reports that the batch has a message from before the metadata: its piece
	// numbers were not checked.
	Bare bool

	bodies []byte
	home   chan *Batch
}

// Recycle gives the batch back to its reader. Every Block in it has been taken.
func (b *Batch) Recycle() {
	clear(b.Items)
	b.Items, b.Bare = b.Items[:0], false
	b.bodies = emptied(b.bodies)
	b.home <- b // never waits: there is room for every batch that exists
}

// writeTimeout is how long one write may take: a peer that reads nothing for so
// long is gone.
const writeTimeout = 2 * time.Minute
