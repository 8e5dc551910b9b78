package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"shoal/internal/bitfield"
	"shoal/internal/mono"
	"shoal/internal/swarm"
	"shoal/internal/upkeep"
)

// Stats is an immutable snapshot of a torrent.
type Stats struct {
	At      time.Time
	State   State
	Err     error // with Failed, Held and Missing
	Checked int   // pieces looked at so far
	Hashed  int   // pieces that were in doubt at the last look
	Swarm   swarm.Stats
	Map     []byte // 'v', 's' or 'm' for each piece; shared, not to be changed
	DHT     int    // nodes in the routing table
}

// Stats gives the latest snapshot. It never waits for the loop.
func (t *Torrent) Stats() *Stats {
	s := t.pub.latest.Load()
	if n := t.pub.looked.Load(); s.State == Checking && int(n) != s.Checked {
		fresh := *s
		fresh.Checked = int(n)
		fresh.Swarm.Have = uint32(t.pub.found.Load())
		fresh.Swarm.Verified = t.pub.bytes.Load()
		return &fresh
	}
	return s
}

// A snapshot is made at most four times a second, and once a second while
// bytes flow, so that rates fall when they stop.
const (
	publishEvery = 250 * time.Millisecond
	refreshEvery = time.Second
)

// publisher makes the snapshots. But for the atomics it is owned by the loop.
type publisher struct {
	t      *Torrent
	latest atomic.Pointer[Stats]

	// While checking, counted by the workers.
	looked, found, bytes atomic.Int64
	doubt                atomic.Int64 // of the latest check

	last    mono.Time
	pending bool // something changed since last
	flowing bool // a rate was not zero
}

func (p *publisher) init(t *Torrent) {
	p.t = t
	p.latest.Store(&Stats{
		At: time.Now(), State: Checking,
		Swarm: swarm.Stats{Size: t.geom.Total, Pieces: t.geom.Pieces},
	})
}

// beginCheck begins to count a check: of these pieces, the others are known. Nil
// means all.
func (p *publisher) beginCheck(doubt *bitfield.Bitfield) {
	p.found.Store(0)
	p.bytes.Store(0)
	known := int64(0)
	if doubt != nil {
		known = int64(p.t.geom.Pieces - doubt.Count())
	}
	p.looked.Store(known)
	p.doubt.Store(int64(p.t.geom.Pieces) - known)
}

// checkedPiece counts one piece looked at; it is called by disk workers.
func (p *publisher) checkedPiece(piece uint32, ok bool) {
	if ok {
		p.found.Add(1)
		p.bytes.Add(int64(p.t.geom.PieceSize(piece)))
	}
	p.looked.Add(1)
}

// publish makes a snapshot when one is due, and says when it wants to be
// called next.
func (p *publisher) publish(now mono.Time) mono.Time {
	p.pending = true
	if now < p.last.Add(publishEvery) && !p.last.IsZero() {
		return p.last.Add(publishEvery)
	}
	p.publishNow(now)
	if p.flowing {
		return now.Add(refreshEvery)
	}
	return mono.Never
}

func (p *publisher) publishNow(now mono.Time) {
	p.last, p.pending = now, false
	s := &Stats{At: time.Now(), Checked: int(p.t.geom.Pieces), Hashed: int(p.doubt.Load())}
	if p.t.swarm == nil {
		s.Swarm = swarm.Stats{Size: p.t.geom.Total, Pieces: p.t.geom.Pieces}
		p.state(s)
		p.latest.Store(s)
		return
	}
	if p.t.e.node != nil {
		s.DHT = p.t.e.node.Stats().Nodes
	}
	s.Swarm = p.t.swarm.Stats(now)
	s.Map = p.t.swarm.AppendMap(make([]byte, 0, p.t.geom.Pieces))
	p.state(s)
	p.flowing = s.Swarm.DownRate > 0 || s.Swarm.UpRate > 0
	p.latest.Store(s)
}

// state says what the torrent is doing.
func (p *publisher) state(s *Stats) {
	switch p.t.upkeep.State() {
	case upkeep.Opening:
		s.State, s.Checked = Checking, int(p.looked.Load())
		return
	case upkeep.Held:
		s.State, s.Err = Held, p.t.cause
		return
	case upkeep.Missing:
		s.State, s.Err = Missing, p.t.cause
		return
	}
	switch {
	case p.t.swarm.Complete():
		s.State = Seeding
	case p.t.spec.SeedOnly:
		s.State = Incomplete
	default:
		s.State = Downloading
	}
}

// quiet reports whether the latest snapshot will stay true without the loop.
func (p *publisher) quiet() bool { return !p.pending && !p.flowing }

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
	s.Swarm.Peers, s.Swarm.Seeds, s.Swarm.DownRate, s.Swarm.UpRate = 0, 0, 0, 0
	p.latest.Store(&s)
}

// broadcaster gives events to whoever listens. A listener that falls behind
// loses the oldest: the loop does not wait for it.
type broadcaster struct {
	mu     sync.Mutex
	subs   map[*Subscription]struct{}
	early  []Event // what was said of the files before anybody listened
	closed bool
}

// earlyEvents bounds them: what a check says of many files is much the same.
const earlyEvents = 32

// Subscription receives the events of a torrent from Subscribe on.
type Subscription struct {
	b *broadcaster
	C chan Event // closed when the torrent has stopped
}

// eventBuffer is how many events a listener may fall behind.
const eventBuffer = 256

// Subscribe begins to listen. The first who does is also told what was said of the
// files before.
func (t *Torrent) Subscribe() *Subscription {
	b := &t.events
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &Subscription{b: b, C: make(chan Event, eventBuffer)}
	for _, e := range b.early {
		s.C <- e
	}
	b.early = nil
	if b.closed {
		close(s.C)
		return s
	}
	if b.subs == nil {
		b.subs = make(map[*Subscription]struct{})
	}
	b.subs[s] = struct{}{}
	return s
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	delete(s.b.subs, s)
}

func (b *broadcaster) send(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e.At = time.Now()
	switch e.Kind {
	case EventFiles, EventHeld, EventGoesOn:
		if b.subs == nil && len(b.early) < earlyEvents {
			b.early = append(b.early, e)
		}
	}
	for s := range b.subs {
		for {
			select {
			case s.C <- e:
			default:
				select {
				case <-s.C:
				default:
				}
				continue
			}
			break
		}
	}
}

func (b *broadcaster) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for s := range b.subs {
		close(s.C)
	}
	b.subs = nil
}
