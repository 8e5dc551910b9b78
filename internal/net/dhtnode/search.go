package dhtnode

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"shoal/internal/decide/dht"
	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
)

// maxUntaken is how many peers a lookup holds for a caller that does not take them. The oldest are
// dropped: later ones come from nodes closer to the info-hash.
const maxUntaken = 2000

// Found is the result of a lookup.
type Found struct {
	dht.Result
	Nodes []krpc.Node // closest nodes that answered, closest first
}

// search is a lookup, in each DHT that the node is in, with its waiting caller. The loop adds
// peers, the caller takes them.
type search struct {
	wake   chan struct{} // capacity 1: there is something to take
	ids    map[*side]dht.LookupID
	target krpc.ID

	mu    sync.Mutex // guards everything below; held only for a copy
	peers []netip.AddrPort
	left  int // number of DHTs in which it still runs
	over  bool
	found Found
	err   error
}

func (s *search) put(peers []netip.AddrPort) {
	s.mu.Lock()
	s.peers = append(s.peers, peers...)
	if extra := len(s.peers) - maxUntaken; extra > 0 {
		s.peers = slices.Delete(s.peers, 0, extra)
	}
	s.mu.Unlock()
	s.ring()
}

// end handles the end of the lookup in one DHT; the last one ends the search.
func (s *search) end(e dht.Effect) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found.Add(e.Result)
	s.found.Nodes = append(s.found.Nodes, e.Nodes...)
	if s.left--; s.left > 0 {
		return
	}
	slices.SortStableFunc(s.found.Nodes, func(a, b krpc.Node) int { return s.target.Compare(a.ID, b.ID) })
	s.over = true
	switch s.found.Outcome {
	case dht.Silence:
		s.err = ErrSilence
	case dht.Busy:
		s.err = ErrBusy
	}
	s.ring()
}

func (s *search) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.over {
		s.over, s.err = true, err
	}
}

func (s *search) ring() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns the peers found since the last call.
func (s *search) take() (peers []netip.AddrPort, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	peers, s.peers = s.peers, nil
	return peers, s.over
}

// Errors of a lookup or a query, besides ErrClosed and the context's error.
var (
	// ErrSilence is returned when no node answered in time.
	ErrSilence = errors.New("no DHT node answered")
	// ErrBusy is returned when too many calls wait already, or when the address can't be that of a
	// node.
	ErrBusy = errors.New("too many DHT queries are waiting, or the address is not usable")
)

// RefusedError is an error with which the other node answered.
type RefusedError struct {
	Code int // 201 to 204, see BEP 5
	Text string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("refused with error %d: %q", e.Code, e.Text)
}

// Lookup looks for peers of an info-hash, and announces a peer of ours if announce says so. It
// calls found, in the calling goroutine, with each batch of addresses. It returns when the lookup
// is over, which takes seconds, or ctx is. holders is how many nodes accepted the announce.
func (n *Node) Lookup(ctx context.Context, hash [20]byte, announce dht.Announce, found func([]netip.AddrPort)) (holders int) {
	f, err := n.Search(ctx, hash, announce, found)
	if err != nil {
		n.log.Debug("DHT lookup", "info_hash", krpc.ID(hash), "err", err)
	}
	return f.Announced
}

// Search is Lookup with the full result. found can be nil.
func (n *Node) Search(ctx context.Context, hash [20]byte, announce dht.Announce, found func([]netip.AddrPort)) (Found, error) {
	return n.wait(ctx, hash, found, func(now mono.Time, m *dht.Machine) dht.LookupID { return m.Lookup(now, hash, announce) })
}

// Closest looks for the nodes closest to a target, in all DHTs that the node is in.
func (n *Node) Closest(ctx context.Context, target krpc.ID) (Found, error) {
	return n.wait(ctx, target, nil, func(now mono.Time, m *dht.Machine) dht.LookupID { return m.FindClosest(now, target) })
}

// wait starts a lookup and passes on what it finds until it is over.
func (n *Node) wait(ctx context.Context, target krpc.ID, found func([]netip.AddrPort), start func(mono.Time, *dht.Machine) dht.LookupID) (Found, error) {
	s := &search{wake: make(chan struct{}, 1), target: target, left: len(n.sides)}
	if err := n.do(ctx, func(now mono.Time) {
		s.ids = make(map[*side]dht.LookupID)
		for _, o := range n.sides {
			id := start(now, o.machine)
			s.ids[o], o.searches[id] = id, s
		}
	}); err != nil {
		return Found{}, err
	}
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			n.do(context.Background(), func(now mono.Time) {
				for _, o := range n.sides {
					delete(o.searches, s.ids[o])
					o.machine.Cancel(now, s.ids[o])
				}
			})
			return Found{}, ctx.Err()
		case <-n.ended:
			s.fail(ErrClosed)
		}
		peers, over := s.take()
		if len(peers) > 0 && found != nil {
			found(peers)
		}
		if over {
			return s.found, s.err
		}
	}
}

// Answer is the answer of one node.
type Answer struct {
	dht.Result
	Nodes []krpc.Node
	Peers []netip.AddrPort
}

// call is a query to one node, with its waiting caller.
type call struct {
	done   chan struct{}
	answer Answer
	err    error
}

func (c *call) end(e dht.Effect) {
	c.answer = Answer{e.Result, slices.Clone(e.Nodes), slices.Clone(e.Addrs)}
	switch e.Result.Outcome {
	case dht.Silence:
		c.err = ErrSilence
	case dht.Busy:
		c.err = ErrBusy
	case dht.Refused:
		c.err = &RefusedError{e.Result.Code, e.Result.Text}
	}
	close(c.done)
}

// Ping pings the node at addr; the answer has its ID.
func (n *Node) Ping(ctx context.Context, addr netip.AddrPort) (Answer, error) {
	return n.ask(ctx, addr, func(now mono.Time, m *dht.Machine) dht.QueryID { return m.Ping(now, addr) })
}

// FindNode asks the node at addr for the nodes that it knows closest to target.
func (n *Node) FindNode(ctx context.Context, addr netip.AddrPort, target krpc.ID) (Answer, error) {
	return n.ask(ctx, addr, func(now mono.Time, m *dht.Machine) dht.QueryID { return m.FindNode(now, addr, target) })
}

// GetPeers asks the node at addr for the peers that it stores for an info-hash.
func (n *Node) GetPeers(ctx context.Context, addr netip.AddrPort, hash [20]byte) (Answer, error) {
	return n.ask(ctx, addr, func(now mono.Time, m *dht.Machine) dht.QueryID { return m.GetPeers(now, addr, hash) })
}

func (n *Node) ask(ctx context.Context, addr netip.AddrPort, start func(mono.Time, *dht.Machine) dht.QueryID) (Answer, error) {
	c, s := &call{done: make(chan struct{})}, n.sideOf(addr)
	if err := n.do(ctx, func(now mono.Time) { s.calls[start(now, s.machine)] = c }); err != nil {
		return Answer{}, err
	}
	select {
	case <-c.done:
		return c.answer, c.err
	case <-ctx.Done(): // the loop forgets the query when it ends
		return Answer{}, ctx.Err()
	case <-n.ended:
		return Answer{}, ErrClosed
	}
}

// abandon drops all waiting callers; they notice that the loop has ended.
func (n *Node) abandon() {
	for _, s := range n.sides {
		clear(s.searches)
		clear(s.calls)
	}
}
