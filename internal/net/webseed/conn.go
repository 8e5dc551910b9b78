package webseed

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/net/netio"
	"shoal/internal/net/throttle"
	"shoal/internal/value/block"
	"shoal/metainfo"
)

// bufferSize is the size of a block: when nothing is buffered, a block is read straight into its
// buffer.
const bufferSize = block.Size

// batchBlocks bounds the blocks that are delivered together.
const batchBlocks = 8

// Client is the state that all connections of an engine share. Set its fields before the first
// connection and do not change them later.
type Client struct {
	Network   netio.Network
	UserAgent string
	RootCAs   *x509.CertPool // trusted certificate authorities; nil means the system's
}

// agent returns the user agent without characters that could start a new line.
func (c *Client) agent() string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, c.UserAgent)
}

// Budget provides block buffers.
type Budget interface {
	TryGet() *block.Block
	Get(done <-chan struct{}) *block.Block
	Put(b *block.Block)
}

// Torrent is the state that all connections of a torrent share.
type Torrent struct {
	Info     *metainfo.Info
	InfoHash [20]byte
	Buffers  Budget
	Down     *throttle.Group
	Exempt   func(netip.Addr) bool // whether an address is exempt from the rate limits; nil means none is
	// Deliver takes over a batch and its buffers. It can block. It returns false when the torrent
	// has ended and took nothing.
	Deliver func(*Batch) bool
	Group   *sync.WaitGroup // counts the goroutines
}

// Source is one web seed of a torrent.
type Source struct {
	URL     string
	Pieces  bool // it serves pieces (BEP 17)
	Trusted bool // the user named it: it may have a local address at any path
}

// Item is a block that arrived.
type Item struct {
	Ref   block.Ref
	Block *block.Block
}

// Batch is the result of a fetch, in order. End is nil except in the last one.
type Batch struct {
	Fetch uint64
	Items []Item
	End   *webplan.Result
}

// Conn fetches one run after the other, as the swarm tells it.
type Conn struct {
	client *Client
	t      *Torrent
	source Source
	geo    metainfo.Geometry
	base   target
	bad    error // error of the URL

	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // capacity 1

	mu   sync.Mutex
	next *webplan.Act       // next fetch
	now  uint64             // fetch in progress; 0 for none
	stop context.CancelFunc // ends the fetch in progress
	nc   net.Conn           // socket, for stop

	// Owned by the goroutine.
	wire   *wire
	stream stream
	moved  moved
	turn   throttle.Turn
	exempt bool
}

// stream is an open answer without ranges.
type stream struct {
	body io.ReadCloser
	file int
	at   int64 // offset of the next byte
}

// moved remembers the redirect of a file.
type moved struct {
	file int
	to   target
	ok   bool
	// public: an address on the internet led there.
	public bool
}

// New returns a connection and starts its goroutine, which ends with ctx or Close.
func (c *Client) New(ctx context.Context, t *Torrent, s Source) *Conn {
	conn := &Conn{client: c, t: t, source: s, geo: t.Info.Geometry(), wake: make(chan struct{}, 1), turn: t.Down.Turn()}
	conn.base, conn.bad = parse(s.URL)
	conn.ctx, conn.cancel = context.WithCancel(ctx)
	t.Group.Go(conn.loop)
	return conn
}

// Fetch starts a run. The one before has ended or was stopped. Fetch does not block.
func (c *Conn) Fetch(a *webplan.Act) {
	c.mu.Lock()
	c.next = a
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Stop ends a fetch. It does not block; blocks of the fetch can still be delivered.
func (c *Conn) Stop(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil && c.next.ID == id {
		c.next = nil
	}
	if c.now == id && c.stop != nil {
		c.stop()
		c.interrupt()
	}
}

// Close ends the connection. It does not block: wait for Group.
func (c *Conn) Close() {
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupt()
}

// interrupt wakes the goroutine that waits for the socket. The caller holds the mutex.
func (c *Conn) interrupt() {
	if c.nc != nil {
		c.nc.Close()
	}
}

// hold remembers the socket for interrupt; it returns false when the fetch has been stopped.
func (c *Conn) hold(nc net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nc = nc
	return nc == nil || c.ctx.Err() == nil
}

// hangUp closes the connection and the open stream.
func (c *Conn) hangUp() {
	c.stream = stream{}
	if c.wire != nil {
		c.wire.nc.Close()
		c.wire = nil
	}
	c.hold(nil)
}

// limit puts the connection under the rate limits, unless its address is exempt.
func (c *Conn) limit(a netip.Addr) { c.exempt = c.t.Exempt != nil && c.t.Exempt(a) }

func (c *Conn) loop() {
	defer c.turn.Leave()
	defer c.hangUp()
	for {
		select {
		case <-c.ctx.Done():
			return
		case <-c.wake:
		}
		for {
			a, ctx, cancel := c.take()
			if a == nil {
				break
			}
			ok := c.fetch(ctx, a)
			cancel()
			if !ok {
				return
			}
		}
	}
}

// take returns the next fetch; nil when there is none.
func (c *Conn) take() (*webplan.Act, context.Context, context.CancelFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := c.next
	c.next, c.now, c.stop = nil, 0, nil
	if a == nil || c.ctx.Err() != nil {
		return nil, nil, nil
	}
	ctx, cancel := context.WithCancel(c.ctx)
	c.now, c.stop = a.ID, cancel
	return a, ctx, cancel
}

// fetch performs one run and delivers its outcome. It returns false when the torrent has ended.
func (c *Conn) fetch(ctx context.Context, a *webplan.Act) bool {
	r := &run{c: c, ctx: ctx, act: a, ref: c.geo.Block(a.Run.Piece, a.Run.Block), left: a.Run.Blocks}
	err := r.do()
	if ctx.Err() != nil {
		c.hangUp()
		r.drop()
		return c.ctx.Err() == nil
	}
	r.release()
	end := webplan.Result{Whole: r.whole}
	var f *failure
	switch {
	case errors.As(err, &f):
		end = f.Result
		end.File = r.file
	case err != nil:
		end = webplan.Result{Outcome: webplan.Broken, File: r.file, Text: plain(err).Error()}
	}
	if err != nil {
		c.hangUp()
	}
	r.end = &end
	return r.deliver()
}

// pay waits until the rate limits allow n bytes.
func (c *Conn) pay(ctx context.Context, n int) bool {
	return c.exempt || c.turn.Take(n, ctx.Done())
}

// deadline allows the server BlockTime for the next block.
func (c *Conn) deadline() {
	if c.wire != nil {
		c.wire.nc.SetDeadline(time.Now().Add(BlockTime))
	}
}
