package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"shoal/internal/decide/lineup"
	"shoal/internal/mailbox"
	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
)

// Queue bounds how many torrents run at the same time; zero bounds nothing. Those that are
// one too many wait: they have no peers and cost nothing.
type Queue = lineup.Config

// line has torrents run and wait as lineup decides. Without bounds there is no machine, and
// every torrent runs.
type line struct {
	e    *Engine
	soon chan struct{} // of capacity one: there is something to be decided

	// Taken for a few lines, also while Engine.mu is held.
	mu   sync.Mutex
	m    *lineup.Machine // nil while there are no bounds
	all  map[lineup.Key]*Torrent
	keys lineup.Key // given so far
}

// decideSoon is what a decision waits for others that come with it: ten thousand torrents
// that are opened one after another are not ten thousand looks at the line.
const decideSoon = 20 * time.Millisecond

func newLine(e *Engine) line {
	return line{e: e, soon: make(chan struct{}, 1), all: make(map[lineup.Key]*Torrent)}
}

// SetQueue changes how many torrents run at the same time.
func (e *Engine) SetQueue(q Queue) {
	l := &e.line
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	now := e.now()
	if l.m == nil {
		l.m = lineup.New(q)
		all := slices.Clone(e.list.order)
		for _, m := range e.list.magnets {
			all = append(all, m.t)
		}
		for _, t := range all {
			l.enter(now, t)
			if t.run.paused.Load() {
				t.run.waits.Store(true) // its turn has to come when it goes on
			} else {
				l.m.Runs(now, t.run.place)
			}
		}
	}
	l.m.SetConfig(q)
	l.wake()
}

// enter puts a torrent at the end of the line. l.mu is held.
func (l *line) enter(now mono.Time, t *Torrent) {
	l.m.Add(now, t.run.place)
	l.m.Want(now, t.run.place, lineup.Want(t.run.wanted.Load()))
	l.m.Force(t.run.place, t.forced())
}

// add puts a new torrent at the end of the line: where there are bounds it waits until it
// is known what it wants. One that was there with its info-hash alone goes to the end.
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

// want says what a torrent wants now.
func (l *line) want(t *Torrent, w lineup.Want) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.run.wanted.Store(uint32(w))
	if l.m != nil {
		l.m.Want(l.e.now(), t.run.place, w)
		l.wake()
	}
}

// force has a torrent run whatever the bounds, or not any more.
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

// run tells torrents to run and to wait, until ctx ends.
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

// decide looks at the line, and gives the torrents for which something has changed.
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

// Place gives where a torrent stands among those of the engine, from 0; -1 when it has ended.
func (e *Engine) Place(t *Torrent) int {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	return slices.Index(e.list.order, t)
}

// MoveTo puts a torrent at a place among those of the engine, from 0, beyond the end
// meaning there: whoever stands before others runs before them where not all may.
func (e *Engine) MoveTo(t *Torrent, place int) { e.move(t, func(int) int { return place }) }

// MoveBy puts a torrent so many places further down, or up where that is negative.
func (e *Engine) MoveBy(t *Torrent, places int) { e.move(t, func(at int) int { return at + places }) }

func (e *Engine) move(t *Torrent, to func(at int) int) {
	behind, moved := e.reorder(t, to)
	if moved && e.library.memory.remembers(t) {
		e.library.memory.move(t, behind)
	}
}

// reorder moves a torrent in the order of the engine and of the line. It gives the one that
// comes behind it now; nil for none.
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

// move has a torrent come back in front of another one, or last. Those that do not run keep
// their places among the others.
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
