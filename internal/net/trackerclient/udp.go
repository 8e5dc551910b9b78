package trackerclient

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"shoal/internal/format/tracker"
	"shoal/internal/net/netio"
)

const (
	// maxConnections bounds the connection ids that we keep: with more trackers at the same time,
	// each announce needs a new one.
	maxConnections = 1024

	// readPause is the pause after an error of the socket that does not end it.
	readPause = 100 * time.Millisecond
)

// ErrSilent is returned when a tracker does not answer our packets.
var ErrSilent = errors.New("no answer")

// A udpSocket talks to all trackers of one family. Its receiver hands each answer to the call that
// waits for it, and ignores everything else.
type udpSocket struct {
	conn  netio.PacketConn
	v6    bool
	ended chan struct{} // closed when the receiver has ended

	mu      sync.Mutex
	waiting map[uint32]awaited // by transaction id
	ids     map[netip.AddrPort]connection
}

// A connection is the id by which a tracker knows our address for a while (BEP 15).
type connection struct {
	id    uint64
	until time.Time
}

// socket returns the socket for the family of local, and opens it the first time.
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
		waiting: make(map[uint32]awaited), ids: make(map[netip.AddrPort]connection),
	}
	if c.sockets == nil {
		c.sockets = make(map[bool]*udpSocket)
	}
	c.sockets[v6] = s
	go s.receive()
	return s, nil
}

// Close closes the sockets of UDP trackers and waits for their receivers, and closes the
// connections that are kept. Announces in progress over UDP fail.
func (c *Client) Close() error {
	c.lines.close()
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
