package simnet

import (
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

// Streams travel in segments: large ones on a link without a rate, packets of the usual size on one
// with a rate, so that a slow link trickles.
const (
	largeSegment = 16 << 10
	smallSegment = 1400
)

// conn is one end of a stream. It supports half closing and resetting, as a *net.TCPConn does.
type conn struct {
	net           *Net
	host          *Host
	local, remote netip.AddrPort
	peer          *conn // the other end
	path          *path // path from here to there

	changed         sync.Cond
	readBy, writeBy time.Time
	linger          int
	closed          bool
	resetAt         time.Time // time at which this end notices that the stream broke; zero for never

	// Incoming data. The other end appends to it.
	queue    []segment
	held     int       // bytes in queue
	ends     time.Time // time of arrival of the other end's FIN; zero when it has not closed
	ignored  bool      // this end has stopped reading; incoming data is dropped
	ignoreAt time.Time // time at which the other end notices that
}

type segment struct {
	at   time.Time
	data []byte
}

// pair returns both ends of a new stream.
func (n *Net) pair(from, to *Host, source netip.Addr, dest netip.AddrPort) (client, server *conn) {
	local := netip.AddrPortFrom(source, from.port())
	client = &conn{net: n, host: from, local: local, remote: dest, path: n.path(from, to), linger: -1, changed: sync.Cond{L: &n.mu}}
	server = &conn{net: n, host: to, local: dest, remote: local, path: n.path(to, from), linger: -1, changed: sync.Cond{L: &n.mu}}
	client.peer, server.peer = server, client
	n.conns[client], n.conns[server] = struct{}{}, struct{}{}
	return client, server
}

// broken returns the reason why op can't continue, or nil.
func (c *conn) broken(now, deadline time.Time) error {
	switch {
	case c.closed:
		return net.ErrClosed
	case !deadline.IsZero() && !now.Before(deadline):
		return os.ErrDeadlineExceeded
	case c.peer.path.arrived(now, c.resetAt):
		return os.NewSyscallError("tcp", syscall.ECONNRESET)
	}
	return nil
}

func (c *conn) Read(b []byte) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for {
		now, in := time.Now(), c.peer.path
		if err := c.broken(now, c.readBy); err != nil {
			return 0, c.opError("read", err)
		}
		switch {
		case len(b) == 0:
			return 0, nil
		case c.ignored:
			return 0, io.EOF
		case len(c.queue) > 0 && in.arrived(now, c.queue[0].at):
			return c.take(now, b), nil
		case len(c.queue) == 0 && in.arrived(now, c.ends):
			return 0, io.EOF
		}
		next := c.ends
		if len(c.queue) > 0 {
			next = c.queue[0].at
		}
		c.net.await(&c.changed, earliest(c.readBy, in.due(next), in.due(c.resetAt)))
	}
}

// take copies arrived bytes into b and makes room for the writer.
func (c *conn) take(now time.Time, b []byte) int {
	n := 0
	for len(c.queue) > 0 && n < len(b) && c.peer.path.arrived(now, c.queue[0].at) {
		head := &c.queue[0]
		k := copy(b[n:], head.data)
		n += k
		if head.data = head.data[k:]; len(head.data) == 0 {
			c.queue = c.queue[1:]
		}
	}
	c.held -= n
	c.peer.changed.Broadcast()
	return n
}

func (c *conn) Write(b []byte) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	to, n := c.peer, 0
	for {
		now := time.Now()
		err := c.broken(now, c.writeBy)
		if err == nil && (!to.ends.IsZero() || c.peer.path.arrived(now, to.ignoreAt)) {
			err = os.NewSyscallError("write", syscall.EPIPE)
		}
		if err != nil {
			return n, c.opError("write", err)
		}
		if n == len(b) {
			return n, nil
		}
		size := min(len(b)-n, c.net.opts.Buffer-to.held, largeSegment)
		if c.path.Rate > 0 {
			size = min(size, smallSegment)
		}
		if size <= 0 {
			c.net.await(&c.changed, earliest(c.writeBy, to.path.due(c.resetAt), to.path.due(to.ignoreAt)))
			continue
		}
		if !to.ignored {
			at := to.last(c.path.send(now, size))
			to.queue = append(to.queue, segment{at, append([]byte(nil), b[n:n+size]...)})
			to.held += size
			to.changed.Broadcast()
		}
		n += size
	}
}

// last returns at, or a later time when what was sent before arrives later: a stream keeps its
// order when a link gets faster.
func (c *conn) last(at time.Time) time.Time {
	if k := len(c.queue); k > 0 && c.queue[k-1].at.After(at) {
		return c.queue[k-1].at
	}
	return at
}

// Close ends the stream in order: what was written still arrives. As with TCP, Close resets the
// stream instead when received data was not read, or after SetLinger(0).
func (c *conn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.opError("close", net.ErrClosed)
	}
	c.shut()
	return nil
}

func (c *conn) shut() {
	if c.closed {
		return
	}
	if c.linger == 0 || len(c.queue) > 0 && !c.ignored {
		c.peer.breakAt(c.path.send(time.Now(), 0))
	} else {
		c.finish()
	}
	c.ignore()
	c.closed = true
	delete(c.net.conns, c)
	c.changed.Broadcast()
}

// breakAt breaks the stream at this end at the given time.
func (c *conn) breakAt(at time.Time) {
	if c.resetAt.IsZero() || at.Before(c.resetAt) {
		c.resetAt = at
	}
	c.changed.Broadcast()
}

// finish sends the FIN.
func (c *conn) finish() {
	if to := c.peer; to.ends.IsZero() {
		to.ends = to.last(c.path.send(time.Now(), 0))
		to.changed.Broadcast()
	}
}

// ignore drops received and future data.
func (c *conn) ignore() {
	if !c.ignored {
		c.ignored = true
		c.ignoreAt = c.path.send(time.Now(), 0)
		c.queue, c.held = nil, 0
		c.peer.changed.Broadcast()
		c.changed.Broadcast()
	}
}

// CloseWrite ends sending at this end; it can still read.
func (c *conn) CloseWrite() error { return c.change("close", c.finish) }

// CloseRead ends reading; the other end can continue to send for a while.
func (c *conn) CloseRead() error { return c.change("close", c.ignore) }

// SetLinger with 0 makes Close reset the stream; a negative number undoes that.
func (c *conn) SetLinger(sec int) error {
	return c.change("set", func() { c.linger = sec })
}

// SetDeadline sets both deadlines.
func (c *conn) SetDeadline(t time.Time) error {
	return c.change("set", func() { c.readBy, c.writeBy = t, t })
}

// SetReadDeadline makes reads fail from t on, waiting or not; the zero time means never.
func (c *conn) SetReadDeadline(t time.Time) error {
	return c.change("set", func() { c.readBy = t })
}

// SetWriteDeadline is SetReadDeadline for writing.
func (c *conn) SetWriteDeadline(t time.Time) error {
	return c.change("set", func() { c.writeBy = t })
}

func (c *conn) change(op string, f func()) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if c.closed {
		return c.opError(op, net.ErrClosed)
	}
	f()
	c.changed.Broadcast()
	return nil
}

func (c *conn) LocalAddr() net.Addr  { return net.TCPAddrFromAddrPort(c.local) }
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.remote) }

func (c *conn) opError(op string, err error) error {
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
