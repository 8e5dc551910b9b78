package trackerclient

import (
	"context"
	crand "crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"shoal/internal/netio"
	"shoal/internal/tracker"
)

// BEP 15 has a client wait for 15 s, then 30, 60 and so on for over an hour. Nobody does:
// packets get lost, so one is repeated soon; and a tracker that says nothing for as long
// as BEP 15 waits first is left for the next.
var resends = [...]time.Duration{0, 3 * time.Second, 9 * time.Second}

const (
	giveUp = 15 * time.Second // after the first of the packets

	// maxConnections bounds the connection ids that are kept: more trackers at the same
	// time have to give a new one each time.
	maxConnections = 1024

	// maxAsking bounds the packets that an answer is awaited to. The dispatcher of the
	// engine keeps far below it.
	maxAsking = 4096

	// readPause is what follows an error of the socket that is not its end.
	readPause = 100 * time.Millisecond
)

// ErrSilent says that nothing came back to packets sent to a tracker.
var ErrSilent = errors.New("no answer")

// A udpSocket asks all trackers of one family. Its receiver hands each answer to whoever
// waits for it; everything else that comes is passed over.
type udpSocket struct {
	conn  netio.PacketConn
	v6    bool
	ended chan struct{} // closed when the receiver has ended

	mu      sync.Mutex
	waiting map[uint32]waiter // by transaction id
	ids     map[netip.AddrPort]connection
}

// A waiter waits for the answer of one tracker.
type waiter struct {
	from  netip.AddrPort
	reply chan tracker.UDPReply // holds one: the first
}

// A connection is what a tracker knows our address by, for a while.
type connection struct {
	id    uint64
	until time.Time
}

// socket gives the socket of the family that local belongs to, opening it the first time.
func (c *Client) socket(local netip.Addr) (*udpSocket, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v6 := local.Is6()
	if s := c.sockets[v6]; s != nil {
		return s, nil
	}
	if c.closed {
		return nil, net.ErrClosed
	}
	conn, err := c.Network.ListenPacket(netip.AddrPortFrom(local, 0))
	if err != nil {
		return nil, err
	}
	s := &udpSocket{
		conn: conn, v6: v6, ended: make(chan struct{}),
		waiting: make(map[uint32]waiter), ids: make(map[netip.AddrPort]connection),
	}
	if c.sockets == nil {
		c.sockets = make(map[bool]*udpSocket)
	}
	c.sockets[v6] = s
	go s.receive()
	return s, nil
}

// Close ends the sockets of UDP trackers and waits for what reads them. Announces that
// are under way fail.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	sockets := c.sockets
	c.sockets = nil
	c.mu.Unlock()
	var failed error
	for _, s := range sockets {
		failed = errors.Join(failed, s.conn.Close())
		<-s.ended
	}
	return failed
}

// receive reads until the socket is closed.
func (s *udpSocket) receive() {
	defer close(s.ended)
	b := make([]byte, tracker.MaxUDPPacket)
	for {
		n, from, err := s.conn.ReadFrom(b)
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			time.Sleep(readPause)
			continue
		}
		s.deliver(b[:n], from)
	}
}

// deliver gives a packet to whoever asked its sender, by its transaction id.
func (s *udpSocket) deliver(b []byte, from netip.AddrPort) {
	if r, ok := tracker.ParseUDPReply(b); ok {
		s.mu.Lock()
		w, awaited := s.waiting[r.TID]
		s.mu.Unlock()
		if !awaited || w.from != from {
			return
		}
		r, _ = tracker.ParseUDPReply(append([]byte(nil), b...))
		select {
		case w.reply <- r:
		default: // it has one already
		}
	}
}

// await makes a place for the answer of one tracker.
func (s *udpSocket) await(from netip.AddrPort) (tid uint32, w waiter, err error) {
	w = waiter{from: from, reply: make(chan tracker.UDPReply, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) >= maxAsking {
		return 0, w, errors.New("too many announces under way")
	}
	for {
		// A stranger that could guess it could answer in the tracker's name.
		var b [4]byte
		crand.Read(b[:])
		tid = binary.BigEndian.Uint32(b[:])
		if _, taken := s.waiting[tid]; !taken {
			s.waiting[tid] = w
			return tid, w, nil
		}
	}
}

func (s *udpSocket) forget(tid uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, tid)
}

// ask sends a packet at once and again at the times of again, and waits for a reply of
// the kind wanted, or an error of the tracker, until patience ends with ErrSilent.
func (s *udpSocket) ask(ctx context.Context, to netip.AddrPort, want tracker.Action, again []time.Duration, patience time.Duration, packet func(tid uint32) []byte) (tracker.UDPReply, error) {
	tid, w, err := s.await(to)
	if err != nil {
		return tracker.UDPReply{}, err
	}
	defer s.forget(tid)
	b := packet(tid)
	begun := time.Now()
	for {
		next := patience
		if len(again) > 0 {
			next = again[0]
		}
		timer := time.NewTimer(next - time.Since(begun))
		select {
		case r := <-w.reply:
			timer.Stop()
			switch {
			case r.Action == want:
				return r, nil
			case r.Action == tracker.ActionError:
				return r, r.Failure()
			}
		case <-timer.C:
			if len(again) == 0 {
				return tracker.UDPReply{}, ErrSilent
			}
			again = again[1:]
			if err := s.conn.WriteTo(b, to); err != nil {
				return tracker.UDPReply{}, err
			}
		case <-s.ended:
			timer.Stop()
			return tracker.UDPReply{}, net.ErrClosed
		case <-ctx.Done():
			timer.Stop()
			return tracker.UDPReply{}, ctx.Err()
		}
	}
}

// exchange asks one tracker: for a connection id where there is none that holds, and
// then what is to be asked. An id that the tracker does not know, or that it says nothing
// to, is replaced once: it may have been started anew.
func (s *udpSocket) exchange(ctx context.Context, to netip.AddrPort, want tracker.Action, packet func(conn uint64, tid uint32) []byte) (tracker.UDPReply, error) {
	for {
		id, kept := s.connection(to)
		again, patience := resends[:], giveUp
		if kept {
			again, patience = resends[:1], resends[1]
		} else {
			r, err := s.ask(ctx, to, tracker.ActionConnect, again, patience, func(tid uint32) []byte {
				return tracker.AppendUDPConnect(nil, tid)
			})
			if err != nil {
				return r, err
			}
			id = r.ConnectionID()
			s.connected(to, id)
		}
		r, err := s.ask(ctx, to, want, again, patience, func(tid uint32) []byte { return packet(id, tid) })
		if stale := errors.Is(err, ErrSilent) || mismatch(err); stale {
			s.disconnected(to)
			if kept {
				continue
			}
		}
		return r, err
	}
}

// mismatch reports whether a tracker says that it does not know our connection id. There
// is no number for that; the words are those of deployed trackers, misprints and all.
func mismatch(err error) bool {
	var failure *tracker.FailureError
	if !errors.As(err, &failure) {
		return false
	}
	text := strings.ToLower(failure.Reason)
	return strings.Contains(text, "connection id") || strings.Contains(text, "connection_id") || strings.Contains(text, "connectionid")
}

func (s *udpSocket) connection(to netip.AddrPort) (uint64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.ids[to]
	if ok && !time.Now().Before(c.until) {
		delete(s.ids, to)
		ok = false
	}
	return c.id, ok
}

func (s *udpSocket) connected(to netip.AddrPort, id uint64) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ids) >= maxConnections {
		for a, c := range s.ids {
			if !now.Before(c.until) {
				delete(s.ids, a)
			}
		}
		if len(s.ids) >= maxConnections {
			clear(s.ids)
		}
	}
	s.ids[to] = connection{id: id, until: now.Add(tracker.ConnectionLife)}
}

func (s *udpSocket) disconnected(to netip.AddrPort) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.ids, to)
}

// askUDP asks the addresses of a tracker in turn until one answers.
func (c *Client) askUDP(ctx context.Context, to target, w way, want tracker.Action, packet func(conn uint64, tid uint32) []byte) (tracker.UDPReply, netip.Addr, error) {
	fail := func(op string, err error) (tracker.UDPReply, netip.Addr, error) {
		return tracker.UDPReply{}, netip.Addr{}, &Error{Host: to.authority, Op: op, Err: cause(ctx, err)}
	}
	addrs := c.permitted(to, w.addrs, false)
	if len(addrs) == 0 {
		return fail("send", forbidden(to))
	}
	s, err := c.socket(w.local)
	if err != nil {
		return fail("open a UDP socket", err)
	}
	for _, a := range addrs {
		var r tracker.UDPReply
		r, err = s.exchange(ctx, netip.AddrPortFrom(a, to.port), want, packet)
		var failure *tracker.FailureError
		switch {
		case err == nil:
			return r, a, nil
		case errors.As(err, &failure):
			return fail("read the reply", failure)
		case ctx.Err() != nil:
			return fail("ask", err)
		}
	}
	return fail("ask", err)
}
