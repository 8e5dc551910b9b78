// Package lsdnode drives an lsd.Machine over sockets in the groups of BEP 14, one for each address
// family: it looks for peers on the local network. The machine decides; this package sends,
// receives and keeps the time.
//
// One goroutine for each socket reads it. One more goroutine announces and joins the groups; where
// that fails, because there is no network, it tries again every minute. A mutex guards the machine
// and is held for one call at a time.
package lsdnode

import (
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"shoal/internal/decide/lsd"
	"shoal/internal/net/netio"
	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// Config configures a Node.
type Config struct {
	Network netio.Multicaster
	// Port and Port6 are where peers reach us over IPv4 and IPv6; a port of 0 disables the family.
	Port, Port6 uint16
	// Found is called with a peer of an added torrent, by the goroutine of a socket. It must not
	// block for long.
	Found func(hash [20]byte, peer netip.AddrPort)

	Trace  trace.Func       // called by several goroutines, one at a time
	Logger *slog.Logger     // nil logs nothing
	Clock  func() mono.Time // nil means a clock of the node's own
}

const (
	// readPause keeps a socket that only returns errors from occupying a core.
	readPause = time.Second
	// joinEvery is the time between attempts to join a group.
	joinEvery = time.Minute
)

// Node is a running node of local service discovery. It is safe for concurrent use.
type Node struct {
	cfg     Config
	log     *slog.Logger
	sockets []*socket // one for each enabled family; fixed

	wake    chan struct{} // capacity 1: something may be due sooner
	stop    chan struct{}
	closing sync.Once
	group   sync.WaitGroup

	mu      sync.Mutex // guards everything below; held for one call
	machine *lsd.Machine
	closed  bool
}

// socket is the socket of a group. The announcer sets conn when it has joined the group; only it
// and the receiver read conn.
type socket struct {
	conn  netio.GroupConn
	group netip.AddrPort
	port  uint16
	told  bool // a failure to join was logged
}

// New starts a node, which joins the groups as soon as possible.
func New(cfg Config) *Node {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		start := time.Now()
		cfg.Clock = func() mono.Time { return mono.Start.Add(time.Since(start)) }
	}
	var cookie [8]byte
	crand.Read(cookie[:]) // never fails
	n := &Node{
		cfg: cfg, log: cfg.Logger, machine: lsd.New(hex.EncodeToString(cookie[:])),
		wake: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	for _, f := range []socket{{group: lsd.Group4, port: cfg.Port}, {group: lsd.Group6, port: cfg.Port6}} {
		if f.port != 0 {
			n.sockets = append(n.sockets, &f)
		}
	}
	n.join()
	n.group.Go(n.announce)
	return n
}

// join joins the groups that are not joined yet, and reports whether any are left.
func (n *Node) join() (left bool) {
	for _, s := range n.sockets {
		if s.conn != nil {
			continue
		}
		c, err := n.cfg.Network.JoinGroup(s.group)
		if err != nil {
			left = true
			if !s.told {
				s.told = true
				n.log.Info("no local service discovery yet", "group", s.group, "err", err)
			}
			continue
		}
		n.mu.Lock()
		if closed := n.closed; closed {
			n.mu.Unlock()
			c.Close()
			return false
		}
		s.conn = c
		n.group.Go(func() { n.receive(s) })
		n.mu.Unlock()
	}
	return left
}

// Close leaves the groups and waits until all goroutines of the node have ended.
func (n *Node) Close() error {
	var err error
	n.closing.Do(func() {
		close(n.stop)
		n.mu.Lock()
		n.closed = true
		for _, s := range n.sockets {
			if s.conn != nil {
				err = errors.Join(err, s.conn.Close())
			}
		}
		n.mu.Unlock()
		n.group.Wait()
	})
	return err
}

// Add announces a torrent, and reports its peers to Found, from now on. The torrent must not be
// private.
func (n *Node) Add(hash [20]byte) {
	n.mu.Lock()
	n.machine.Add(n.cfg.Clock(), infohash.Hash(hash))
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Remove undoes Add.
func (n *Node) Remove(hash [20]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.machine.Remove(infohash.Hash(hash))
}

// Stats returns the counts.
func (n *Node) Stats() lsd.Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.machine.Stats()
}

// announce sends what is due, and joins the remaining groups.
func (n *Node) announce() {
	timer, again := time.NewTimer(time.Hour), time.NewTicker(joinEvery)
	defer timer.Stop()
	defer again.Stop()
	for {
		n.mu.Lock()
		at := n.machine.Deadline()
		n.mu.Unlock()
		if at == mono.Never {
			timer.Stop()
		} else {
			timer.Reset(max(at.Sub(n.cfg.Clock()), 0))
		}
		select {
		case <-n.wake: // the deadline may have changed
		case <-again.C:
			if !n.join() {
				again.Stop()
			}
		case <-timer.C:
			n.say(n.cfg.Clock())
		case <-n.stop:
			return
		}
	}
}

// say announces what is due to the joined groups.
func (n *Node) say(now mono.Time) {
	n.mu.Lock()
	m, due := n.machine.Tick(now)
	packets := make([][]byte, len(n.sockets))
	for i, s := range n.sockets {
		m.Port = s.port
		packets[i] = lsd.Append(nil, s.group, m) // m refers to memory of the machine
	}
	hashes := len(m.Hashes)
	n.mu.Unlock()
	for i, s := range n.sockets {
		if !due || s.conn == nil {
			continue
		}
		if err := s.conn.Send(packets[i]); err == nil {
			n.note(now, trace.Sent, s.group, hashes, why.Periodic)
		} else if !errors.Is(err, net.ErrClosed) {
			n.log.Debug("announce on the local network", "group", s.group, "err", err)
		}
	}
}

// receive reads a socket.
func (n *Node) receive(s *socket) {
	b := make([]byte, lsd.MaxPacket+1) // a longer packet is truncated, and then refused
	for {
		size, from, err := s.conn.ReadFrom(b)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			n.log.Debug("local network", "group", s.group, "err", err)
			select {
			case <-time.After(readPause):
			case <-n.stop:
				return
			}
			continue
		}
		links := s.conn.Links()
		now := n.cfg.Clock()
		n.mu.Lock()
		peer, hashes := n.machine.Datagram(now, from, links, b[:size])
		hashes = append([]infohash.Hash(nil), hashes...)
		n.mu.Unlock()
		if len(hashes) == 0 {
			continue
		}
		n.note(now, trace.Received, peer, len(hashes), why.None)
		for _, h := range hashes {
			n.cfg.Found(h, peer)
		}
	}
}

func (n *Node) note(now mono.Time, way trace.Way, peer netip.AddrPort, hashes int, w why.Why) {
	if n.cfg.Trace != nil {
		n.cfg.Trace(trace.Record{
			At: now, Proto: trace.LSD, Way: way, Peer: peer, What: "bt-search",
			Piece: trace.No, Block: trace.No, N: int64(hashes), Why: w,
		})
	}
}
