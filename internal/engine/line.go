package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"shoal/internal/decide/quota"
	"shoal/internal/mailbox"
	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
)

// Queue bounds how many torrents run at the same time; 0 means no bound. The others wait,
// without peers and at no cost.
type Queue = quota.QueueConfig

// line applies the decisions of quota.Queue about which torrents run and which wait. Without bounds
// it has no machine, and every torrent runs.
type line struct {
	e    *Engine
	soon chan struct{} // wakes run to decide; capacity 1

	// Held briefly, also while the mutex of Engine.list is held.
	mu   sync.Mutex
	set  Queue        // bounds that the user set
	m    *quota.Queue // nil while there are no bounds
	all  map[quota.Key]*Torrent
	keys quota.Key // last key assigned
}

// decideSoon is how long a decision waits for more changes: opening 10,000 torrents one after
// another must not cost 10,000 decisions.
const decideSoon = 20 * time.Millisecond

func newLine(e *Engine) line {
	return line{e: e, soon: make(chan struct{}, 1), all: make(map[quota.Key]*Torrent)}
}

// SetQueue changes how many torrents run at the same time.
func (e *Engine) SetQueue(q Queue) {
	l := &e.line
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	now := e.now()
	l.set = q
	if l.m == nil {
		l.m = quota.NewQueue(q)
		all := slices.Clone(e.list.order)
		for _, m := range e.list.magnets {
			all = append(all, m.t)
		}
		for _, t := range all {
			l.enter(now, t)
			if t.run.paused.Load() {
				t.run.waits.Store(true) // after Resume it waits for its turn
			} else {
				l.m.Runs(now, t.run.place)
			}
		}
	}
	l.m.SetConfig(q)
	l.wake()
}

// Queue returns how many torrents run at the same time.
func (e *Engine) Queue() Queue {
	e.line.mu.Lock()
	defer e.line.mu.Unlock()
	return e.line.set
}

// enter adds a torrent at the end of the queue. l.mu is held.
func (l *line) enter(now mono.Time, t *Torrent) {
	l.m.Add(now, t.run.place)
	l.m.Want(now, t.run.place, quota.Want(t.run.wanted.Load()))
	l.m.Force(t.run.place, t.forced())
}

// add adds a new torrent at the end of the queue. With bounds the torrent waits until it has
// reported what it wants. A magnet's torrent, which is in the queue already, moves to the end.
func (l *line) add(t *Torrent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.run.place != 0 {
		if l.m != nil {
			l.m.Move(t.run.place, l.m.Len())
		}
		return
	}
	l.keys++
	t.run.queuedAs(l.keys)
	l.all[t.run.place] = t
	if l.m != nil {
		if l.m.Bounded() {
			t.run.waits.Store(true)
		}
		l.enter(l.e.now(), t)
	}
}

func (l *line) remove(t *Torrent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.all, t.run.place)
	if l.m != nil {
		l.m.Remove(t.run.place)
		l.wake()
	}
}

// want notes what a torrent wants now.
func (l *line) want(t *Torrent, w quota.Want) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.run.wanted.Store(uint32(w))
	if l.m != nil {
		l.m.Want(l.e.now(), t.run.place, w)
		l.wake()
	}
}

// force notes whether a torrent bypasses the queue now.
func (l *line) force(t *Torrent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m != nil {
		l.m.Force(t.run.place, t.forced())
		l.wake()
	}
}

func (l *line) wake() {
	select {
	case l.soon <- struct{}{}:
	default:
	}
}

// run makes decisions and wakes the torrents concerned, until ctx ends.
func (l *line) run(ctx context.Context) {
	due := mailbox.NewAlarm(time.Hour)
	defer due.Stop()
	for {
		select {
		case <-l.soon:
			due.Within(decideSoon)
			continue
		case <-due.C():
		case <-ctx.Done():
			return
		}
		changed, next := l.decide()
		for _, t := range changed {
			t.do(wake{})
		}
		if next == mono.Never {
			next = l.e.now().Add(time.Hour)
		}
		due.Set(max(next.Sub(l.e.now()), 0))
	}
}

// decide returns the torrents whose turn has changed, and when to decide next.
func (l *line) decide() (changed []*Torrent, next mono.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m == nil {
		return nil, mono.Never
	}
	now := l.e.now()
	if l.m.Deadline() <= now {
		for k := range l.m.Running {
			s := &l.all[k].pub.latest.Load().Swarm
			l.m.Rate(now, k, s.Rates.SlowDown, s.Rates.SlowUp)
		}
	}
	for _, c := range l.m.Changes(now) {
		t := l.all[c.Key]
		t.run.turnWhy.Store(uint32(c.Why))
		t.run.waits.Store(!c.Run)
		changed = append(changed, t)
	}
	if !l.m.Bounded() {
		l.m = nil
		for _, t := range l.all {
			if t.run.waits.Swap(false) {
				changed = append(changed, t)
			}
		}
		return changed, mono.Never
	}
	return changed, l.m.Deadline()
}

// Place returns the position of a torrent in the queue, from 0; -1 when it has ended.
func (e *Engine) Place(t *Torrent) int {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	return slices.Index(e.list.order, t)
}

// MoveTo moves a torrent to a position in the queue, counted from 0; a position beyond the end
// means the end. When the queue is full, torrents nearer to its front run first.
func (e *Engine) MoveTo(t *Torrent, place int) { e.move(t, func(int) int { return place }) }

// MoveBy moves a torrent down by this many places, or up when places is negative.
func (e *Engine) MoveBy(t *Torrent, places int) { e.move(t, func(at int) int { return at + places }) }

func (e *Engine) move(t *Torrent, to func(at int) int) {
	behind, moved := e.reorder(t, to)
	if moved && e.library.memory.remembers(t) {
		e.library.memory.move(t, behind)
	}
}

// reorder moves a torrent in the order of the engine and in the queue. It returns the torrent
// that is behind it now; nil when it is the last.
func (e *Engine) reorder(t *Torrent, to func(at int) int) (behind *Torrent, moved bool) {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	place, behind, moved := e.list.move(t, to)
	if moved {
		e.line.move(t, place)
	}
	return behind, moved
}

func (l *line) move(t *Torrent, place int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m != nil {
		l.m.Move(t.run.place, place)
		l.wake()
	}
}

// move moves a torrent in the catalogue to the place before behind, or to the end when behind is
// nil. Torrents that do not run keep their places among the others.
func (m *memory) move(t, behind *Torrent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	order := m.cat.Order()
	order = slices.DeleteFunc(order, func(h infohash.Hash) bool { return h == t.infoHash })
	to := len(order)
	if behind != nil {
		if i := slices.Index(order, behind.infoHash); i >= 0 {
			to = i
		}
	}
	if m.cat.Move(t.infoHash, to) == nil {
		m.write()
	}
}
