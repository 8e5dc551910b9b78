package engine

import (
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"shoal/internal/decide/filestate"
	"shoal/internal/decide/obstacle"
	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/metadata"
	"shoal/internal/value/meter"
	"shoal/internal/value/mono"
)

// Stats is an immutable snapshot of a torrent.
type Stats struct {
	At        time.Time
	Now       mono.Time // the same instant on the clock of causes and rates
	State     State
	Err       error   // cause of Failed, Stalled and Missing; else nil
	Checked   int     // number of pieces checked so far
	CheckRate float64 // bytes hashed per second while Checking
	Hashed    int     // number of pieces in doubt at the last opening
	Swarm     swarm.Stats
	Metadata  metadata.Progress // progress of a magnet's metadata
	Map       []byte            // 'v', 's' or 'm' for each piece; shared, do not modify
	DHT       int               // number of nodes in the routing table
	Waiting   []obstacle.Cause  // what the torrent waits for, nearest cause first; shared, do not modify

	External []netip.Addr // our external addresses, at most one of each family; shared, do not modify
}

// Stats returns the latest snapshot. It never waits for the loop.
func (t *Torrent) Stats() *Stats {
	s := t.pub.latest.Load()
	if p := t.content.Progress(); s.State == Checking && p.Looked() != s.Checked {
		fresh := *s
		fresh.Checked = p.Looked()
		fresh.CheckRate = p.Rate(t.geom().PieceLength)
		fresh.Swarm.Have, fresh.Swarm.Verified = p.Found()
		return &fresh
	}
	return s
}

// Updated returns the time and state of the latest snapshot. It is cheap enough to poll
// thousands of torrents.
func (t *Torrent) Updated() (at time.Time, state State) {
	s := t.pub.latest.Load()
	return s.At, s.State
}

// publisher makes the snapshots. The loop owns all but its atomics.
type publisher struct {
	t      *Torrent
	latest atomic.Pointer[Stats]

	cadence meter.Cadence
}

func (p *publisher) init(t *Torrent) {
	p.t = t
	p.latest.Store(&Stats{
		At: time.Now(), State: p.t.firstState(),
		Swarm: swarm.Stats{Size: t.geom().Total, Pieces: t.geom().Pieces},
	})
}

// firstState returns the state of a new torrent.
func (t *Torrent) firstState() State {
	switch {
	case t.metadata.Passed():
		return Checking
	case t.pausedNow():
		return Paused
	}
	return Metadata
}

// publish makes a snapshot when one is due, and returns when the next one is due.
func (p *publisher) publish(now mono.Time, idle bool) mono.Time {
	due, next := p.cadence.Due(now, idle)
	if !due {
		return next
	}
	p.publishNow(now)
	return p.cadence.Next(now)
}

// Changes returns a counter that increases with each snapshot of any torrent.
func (e *Engine) Changes() uint64 { return e.changes.Load() }

// keep makes s the latest snapshot.
func (p *publisher) keep(s *Stats) {
	p.latest.Store(s)
	p.t.e.changes.Add(1)
}

func (p *publisher) publishNow(now mono.Time) {
	p.cadence.Made(now, false)
	s := &Stats{At: time.Now(), Now: now, Checked: int(p.t.geom().Pieces), Hashed: p.t.content.Progress().Doubt()}
	if p.t.swarm == nil {
		s.Swarm = swarm.Stats{Size: p.t.geom().Total, Pieces: p.t.geom().Pieces}
		p.state(s)
		p.causes(now, s)
		p.keep(s)
		return
	}
	if p.t.e.node != nil {
		s.DHT = p.t.e.node.Stats().Nodes
	}
	if addrs := p.t.e.outside.addrs.Load(); addrs != nil {
		s.External = *addrs
	}
	s.Swarm = p.t.swarm.Stats(now)
	if g := p.t.geom(); p.t.swarm.NoMetadata() { // it learns them when the files are checked
		s.Swarm.Size, s.Swarm.Pieces = g.Total, g.Pieces
	}
	p.t.e.idles(p.t, s.Swarm.Unused.Vacant > 0, s.Swarm.Unused.Spare)
	s.Map = p.t.swarm.AppendMap(make([]byte, 0, p.t.geom().Pieces))
	p.state(s)
	p.causes(now, s)
	p.cadence.Made(now, s.Swarm.Rates.Flowing())
	p.keep(s)
}

// state sets the state of a snapshot.
func (p *publisher) state(s *Stats) {
	if p.t.magnet != nil {
		s.Metadata = p.t.swarm.Fetched()
	}
	if !p.t.metadata.Passed() {
		s.Checked = 0
		switch s.State = Metadata; {
		case p.t.pausedNow():
			s.State = Paused
		case p.t.run.waits.Load():
			s.State = Queued
		}
		return
	}
	switch p.t.content.State() {
	case filestate.Opening:
		s.State, s.Checked = Checking, p.t.content.Progress().Looked()
		return
	case filestate.Stalled:
		s.State, s.Err = Stalled, p.t.content.Cause()
		return
	case filestate.Missing:
		s.State, s.Err = Missing, p.t.content.Cause()
		return
	}
	switch {
	case p.t.run.paused.Load():
		s.State = Paused
	case p.t.run.waits.Load():
		s.State = Queued
	case p.t.swarm.Complete():
		s.State = Seeding
	case p.t.spec.SeedOnly:
		s.State = Incomplete
	default:
		s.State = Downloading
	}
}

// quiet reports whether the latest snapshot stays true without the loop.
func (p *publisher) quiet() bool { return p.cadence.Quiet() }

// end makes the last snapshot.
func (p *publisher) end(err error) {
	if p.t.swarm != nil {
		p.publishNow(p.t.e.now())
	}
	s := *p.latest.Load()
	s.State = Stopped
	if err != ErrStopped {
		s.State, s.Err = Failed, err
	}
	s.Waiting = nil
	s.Swarm.Peers, s.Swarm.Seeds, s.Swarm.Rates = 0, 0, swarm.Rates{}
	p.keep(&s)
}

// broadcaster sends events to the subscriptions. A listener that falls behind loses the
// oldest events, since the loop does not wait for it.
type broadcaster struct {
	mu         sync.Mutex
	subs       []*Subscription
	subscribed bool    // there has been a subscription
	early      []Event // events of the files before the first subscription
	closed     bool
}

// earlyEvents bounds the early events: a check reports much the same for many files.
const earlyEvents = 32

// Subscription receives the events of torrents from Subscribe on.
type Subscription struct {
	C        chan Event // closed when the torrents have stopped
	torrents []*Torrent
	left     atomic.Int32 // number of torrents that have not stopped
}

// eventBuffer is how many events a listener can fall behind before it loses some.
const eventBuffer = 256

// Subscribe starts to listen to one or more torrents. The first subscription of a torrent also
// receives the earlier events of its files.
func Subscribe(torrents ...*Torrent) *Subscription {
	s := &Subscription{C: make(chan Event, eventBuffer), torrents: torrents}
	s.left.Store(int32(len(torrents)))
	for _, t := range torrents {
		t.events.add(s)
	}
	return s
}

// Subscribe starts to listen to the torrent.
func (t *Torrent) Subscribe() *Subscription { return Subscribe(t) }

func (b *broadcaster) add(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.early {
		s.send(e)
	}
	b.early, b.subscribed = nil, true
	if b.closed {
		s.ended()
		return
	}
	b.subs = append(b.subs, s)
}

// Close ends the subscription.
func (s *Subscription) Close() {
	for _, t := range s.torrents {
		b := &t.events
		b.mu.Lock()
		b.subs = slices.DeleteFunc(b.subs, func(x *Subscription) bool { return x == s })
		b.mu.Unlock()
	}
}

// keep stores an event for the first subscription. When there are too many, the last one of the
// kind counts those that follow.
func (b *broadcaster) keep(e Event) {
	switch {
	case b.subscribed:
	case len(b.early) < earlyEvents:
		b.early = append(b.early, e)
	default:
		for i := len(b.early) - 1; i >= 0; i-- {
			if b.early[i].Kind == e.Kind {
				b.early[i].More += 1 + e.More
				return
			}
		}
	}
}

// send sends an event. When the buffer is full it drops the oldest event; if both are of one
// kind, the new event counts the dropped one in More.
func (s *Subscription) send(e Event) {
	for {
		select {
		case s.C <- e:
			return
		default:
		}
		select {
		case old := <-s.C:
			if old.Kind == e.Kind {
				e.More += 1 + old.More
			}
		default:
		}
	}
}

// ended notes that one of the torrents sends no more events.
func (s *Subscription) ended() {
	if s.left.Add(-1) == 0 {
		close(s.C)
	}
}

func (t *Torrent) tell(e Event) {
	b := &t.events
	b.mu.Lock()
	defer b.mu.Unlock()
	e.At, e.Torrent = time.Now(), t
	switch e.Kind {
	case EventFiles, EventKept, EventSpace, EventStalled, EventResumed:
		b.keep(e)
	}
	for _, s := range b.subs {
		s.send(e)
	}
}

func (b *broadcaster) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, s := range b.subs {
		s.ended()
	}
	b.subs = nil
}
