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

// bufferSize is that of a block: where nothing is read ahead a block goes straight to its
// buffer.
const bufferSize = block.Size

// batchBlocks is how many blocks are handed on at once, at most.
const batchBlocks = 8

// Client is what all connections of an engine have in common. Its fields are set before
// the first one and not changed after.
type Client struct {
	Network   netio.Network
	UserAgent string
	RootCAs   *x509.CertPool // whose certificates are trusted; nil means those of the system
}

// agent gives the user agent without what could start a new line.
func (c *Client) agent() string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, c.UserAgent)
}

// Budget is where block buffers come from.
type Budget interface {
	TryGet() *block.Block
	Get(done <-chan struct{}) *block.Block
	Put(b *block.Block)
}

// Torrent is what all connections of a torrent have in common.
type Torrent struct {
	Info     *metainfo.Info
	InfoHash [20]byte
	Buffers  Budget
	Down     *throttle.Group
	Exempt   func(netip.Addr) bool // whether no limit holds for an address; nil for none
	// Deliver takes over a batch and its buffers. It may wait. It reports false when the
	// torrent has ended; then nothing was taken over.
	Deliver func(*Batch) bool
	Group   *sync.WaitGroup // has the goroutines
}

// Source is one web seed of a torrent.
type Source struct {
	URL     string
	Pieces  bool // it gives pieces (BEP 17)
	Trusted bool // the user named it: it may be on a local address whatever it looks like
}

// Item is a block that came.
type Item struct {
	Ref   block.Ref
	Block *block.Block
}

// Batch is what a fetch brought, in order. End is nil but for the last one.
type Batch struct {
	Fetch uint64
	Items []Item
	End   *webplan.Result
}

// Conn fetches what it is told to, one run after the other.
type Conn struct {
	client *Client
	t      *Torrent
	source Source
	geo    metainfo.Geometry
	base   target
	bad    error // what is wrong with the URL

	ctx    context.Context
	cancel context.CancelFunc
	wake   chan struct{} // of capacity one

	mu   sync.Mutex
	next *webplan.Act       // to be begun
	now  uint64             // under way; 0 for none
	stop context.CancelFunc // ends it
	nc   net.Conn           // the socket, for stop

	// Owned by the goroutine.
	wire   *wire
	stream stream
	moved  moved
	turn   throttle.Turn
	exempt bool
}

// stream is an answer without ranges that is still open.
type stream struct {
	body io.ReadCloser
	file int
	at   int64 // the next byte
}

// moved remembers where a file was redirected to.
type moved struct {
	file int
	to   target
	ok   bool
	// public: an address of the internet led there.
	public bool
}

// New makes a connection and starts its goroutine. It ends with ctx, or by Close.
func (c *Client) New(ctx context.Context, t *Torrent, s Source) *Conn {
	conn := &Conn{client: c, t: t, source: s, geo: t.Info.Geometry(), wake: make(chan struct{}, 1), turn: t.Down.Turn()}
	conn.base, conn.bad = parse(s.URL)
	conn.ctx, conn.cancel = context.WithCancel(ctx)
	t.Group.Go(conn.loop)
	return conn
}

// Fetch begins a run. The one before has ended, or was stopped. It does not wait.
func (c *Conn) Fetch(a *webplan.Act) {
	c.mu.Lock()
	c.next = a
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Stop ends a fetch. It does not wait; blocks of it may still be delivered.
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

// Close ends the connection. It does not wait: Group does.
func (c *Conn) Close() {
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.interrupt()
}

// interrupt has whoever waits for the socket wake up. The mutex is held.
func (c *Conn) interrupt() {
	if c.nc != nil {
		c.nc.Close()
	}
}

// hold remembers the socket for interrupt; false says that it is too late for a new one.
func (c *Conn) hold(nc net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.nc = nc
	return nc == nil || c.ctx.Err() == nil
}

// hangUp closes what is open.
func (c *Conn) hangUp() {
	c.stream = stream{}
	if c.wire != nil {
		c.wire.nc.Close()
		c.wire = nil
	}
	c.hold(nil)
}

// limit puts the connection under the limits of rate, unless it is exempt.
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

// take gives what is to be fetched next; nil when there is nothing.
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

// fetch performs one run and tells how it ended. It reports false when the torrent has.
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

// pay waits until n bytes may be read under the limits of rate.
func (c *Conn) pay(ctx context.Context, n int) bool {
	return c.exempt || c.turn.Take(n, ctx.Done())
}

// deadline gives the server time for the next block.
func (c *Conn) deadline() {
	if c.wire != nil {
		c.wire.nc.SetDeadline(time.Now().Add(BlockTime))
	}
}
