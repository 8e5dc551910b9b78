// Package lsdnode drives an lsd.Machine over sockets in the groups of BEP 14, one for each
// address family: it looks for peers on the local network. The machine decides; this
// package sends, receives and keeps the time.
//
// One goroutine for each socket reads it, one announces. The machine is behind a mutex that
// is held for the length of one of its calls.
package lsdnode

import (
	crand "crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"shoal/internal/infohash"
	"shoal/internal/lsd"
	"shoal/internal/mono"
	"shoal/internal/netio"
	"shoal/internal/trace"
	"shoal/internal/why"
)

// Config is what a Node is made with.
type Config struct {
	Network netio.Multicaster
	// Port and Port6 are where peers reach us over IPv4 and IPv6; a family with port 0 is
	// left alone.
	Port, Port6 uint16
	// Found is called with a peer of a torrent that was added, by the goroutine of a
	// socket. It must not wait for long.
	Found func(hash [20]byte, peer netip.AddrPort)

	Trace  trace.Func       // called by several goroutines, one at a time
	Logger *slog.Logger     // default: nothing is logged
	Clock  func() mono.Time // default: a clock of the node's own
}

// readPause keeps a socket that only gives errors from keeping a core busy.
const readPause = time.Second

// Node is a running speaker of local service discovery. It is safe for concurrent use.
type Node struct {
	cfg     Config
	log     *slog.Logger
	sockets []socket

	wake    chan struct{} // of capacity 1: there may be something to announce sooner
	stop    chan struct{}
	closing sync.Once
	group   sync.WaitGroup

	mu      sync.Mutex // guards machine, for the length of a call
	machine *lsd.Machine
}

type socket struct {
	netio.GroupConn
	group netip.AddrPort
	port  uint16
}

// New joins the groups and starts. It is an error when none can be joined: there may be no
// network, or none that has groups.
func New(cfg Config) (*Node, error) {
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
	var failed error
	for _, f := range []socket{{group: lsd.Group4, port: cfg.Port}, {group: lsd.Group6, port: cfg.Port6}} {
		if f.port == 0 {
			continue
		}
		var err error
		if f.GroupConn, err = cfg.Network.JoinGroup(f.group); err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		n.sockets = append(n.sockets, f)
	}
	if len(n.sockets) == 0 {
		return nil, fmt.Errorf("look for peers on the local network: %w", failed)
	}
	for _, s := range n.sockets {
		n.group.Go(func() { n.receive(s) })
	}
	n.group.Go(n.announce)
	return n, nil
}

// Close leaves the groups and waits until nothing of the node is left running.
func (n *Node) Close() error {
	var err error
	n.closing.Do(func() {
		close(n.stop)
		for _, s := range n.sockets {
			err = errors.Join(err, s.Close())
		}
		n.group.Wait()
	})
	return err
}

// Add has a torrent announced, and peers of it told, from now on. It must not be private.
func (n *Node) Add(hash [20]byte) {
	n.mu.Lock()
	n.machine.Add(n.cfg.Clock(), infohash.Hash(hash))
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// Remove ends that.
func (n *Node) Remove(hash [20]byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.machine.Remove(infohash.Hash(hash))
}

// Stats gives the counts.
func (n *Node) Stats() lsd.Stats {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.machine.Stats()
}

// announce sends what is due.
func (n *Node) announce() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
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
		case <-n.wake:
			continue // the deadline may have moved
		case <-timer.C:
		case <-n.stop:
			return
		}
		now := n.cfg.Clock()
		n.mu.Lock()
		m, due := n.machine.Tick(now)
		packets := make([][]byte, len(n.sockets))
		if due {
			for i, s := range n.sockets {
				m.Port = s.port
				packets[i] = lsd.Append(nil, s.group, m)
			}
		}
		hashes := len(m.Hashes)
		n.mu.Unlock()
		if !due {
			continue
		}
		for i, s := range n.sockets {
			if err := s.Send(packets[i]); err != nil && !errors.Is(err, net.ErrClosed) {
				n.log.Debug("announce on the local network", "group", s.group, "err", err)
				continue
			}
			n.note(now, trace.Sent, s.group, hashes, why.Periodic)
		}
	}
}

// receive reads a socket.
func (n *Node) receive(s socket) {
	b := make([]byte, lsd.MaxPacket+1) // what is longer is cut, and then refused
	for {
		size, from, err := s.ReadFrom(b)
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
		links := s.Links()
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
