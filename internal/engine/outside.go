package engine

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"shoal/internal/decide/extip"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// outside decides our external addresses. Votes come from the DHT's loop, the loops of
// torrents and announces; all of them read the result without waiting.
type outside struct {
	mu    sync.Mutex // guards tally, held for one vote
	tally extip.Tally
	addrs atomic.Pointer[[]netip.Addr] // at most one address per family; nil while none is known
}

// seenAs counts one vote on our external address.
func (e *Engine) seenAs(src extip.Source, by, says netip.Addr) {
	o := &e.outside
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.tally.Vote(e.now(), src, by, says) {
		return
	}
	says = says.Unmap()
	var addrs []netip.Addr
	for _, v6 := range []bool{false, true} {
		if a := o.tally.Addr(v6); a.IsValid() {
			addrs = append(addrs, a)
		}
	}
	o.addrs.Store(&addrs)
	e.log.Info("our external address has changed", "addr", says)
	if note := e.traceFunc(); note != nil {
		note(trace.Record{
			At: e.now(), Proto: trace.Torrent, What: "external address", Piece: trace.No, Block: trace.No,
			Why: why.Voted, Text: says.String(),
		})
	}
}

// outsideOf returns our external address in a family; invalid while unknown.
func (e *Engine) outsideOf(v6 bool) netip.Addr {
	if addrs := e.outside.addrs.Load(); addrs != nil {
		for _, a := range *addrs {
			if a.Is6() == v6 {
				return a
			}
		}
	}
	return netip.Addr{}
}

// External returns our external addresses on which enough others agree: at most one of
// each family.
func (e *Engine) External() []netip.Addr {
	if addrs := e.outside.addrs.Load(); addrs != nil {
		return slices.Clone(*addrs)
	}
	return nil
}

// lookOutside sends the swarm our external addresses when they have changed. A parked
// torrent does so when its loop runs next.
func (t *Torrent) lookOutside(now mono.Time) {
	addrs := t.e.outside.addrs.Load()
	if t.swarm == nil || !t.sent.outsideIs(addrs) {
		return
	}
	for _, a := range *addrs {
		t.swarm.External(now, a)
	}
}

// vote counts a peer's vote on our external address.
func (t *Torrent) vote(l *link, says netip.Addr) {
	src := extip.Caller
	if l.dialled {
		src = extip.Dialled
	}
	t.e.seenAs(src, l.addr.Addr(), says)
}
