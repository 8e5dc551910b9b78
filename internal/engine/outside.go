package engine

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"

	"shoal/internal/decide/external"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// outside is at which addresses the world sees the engine. What others say comes from
// the DHT's loop, from the loops of torrents and from announces; what was found out is
// read by all of them without waiting.
type outside struct {
	mu    sync.Mutex // guards tally, for the length of a vote
	tally external.Tally
	addrs atomic.Pointer[[]netip.Addr] // at most one a family; nil while none is known
}

// seenAs takes somebody's word for our address.
func (e *Engine) seenAs(src external.Source, by, says netip.Addr) {
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
	e.log.Info("others see us at a new address", "addr", says)
	if note := e.traceFunc(); note != nil {
		note(trace.Record{
			At: e.now(), Proto: trace.Torrent, What: "external address", Piece: trace.No, Block: trace.No,
			Why: why.Voted, Text: says.String(),
		})
	}
}

// outsideOf gives our address in a family as the world sees it; invalid while unknown.
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

// External gives the addresses at which the world sees the engine, as far as enough
// others agree: at most one of each family.
func (e *Engine) External() []netip.Addr {
	if addrs := e.outside.addrs.Load(); addrs != nil {
		return slices.Clone(*addrs)
	}
	return nil
}

// lookOutside tells the swarm our address when that has changed. Torrents that are
// parked learn of it when they have something to do.
func (t *Torrent) lookOutside(now mono.Time) {
	addrs := t.e.outside.addrs.Load()
	if t.swarm == nil || !t.sent.outsideIs(addrs) {
		return
	}
	for _, a := range *addrs {
		t.swarm.External(now, a)
	}
}

// vote takes what a peer said of our address.
func (t *Torrent) vote(l *link, says netip.Addr) {
	src := external.Caller
	if l.dialled {
		src = external.Dialled
	}
	t.e.seenAs(src, l.addr.Addr(), says)
}
