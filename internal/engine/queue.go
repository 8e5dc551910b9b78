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

// queue applies the decisions of quota.Queue about which torrents run and which wait. Without bounds
// it has no machine, and every torrent runs.
type queue struct {
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

func newQueue(e *Engine) queue {
	return queue{e: e, soon: make(chan struct{}, 1), all: make(map[quota.Key]*Torrent)}
}

// SetQueue changes how many torrents run at the same time.
func (e *Engine) SetQueue(limits Queue) {
	q := &e.queue
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	q.mu.Lock()
	defer q.mu.Unlock()
	now := e.now()
	q.set = limits
	if q.m == nil {
		q.m = quota.NewQueue(limits)
		for _, t := range e.list.order {
			q.enter(now, t)
			if t.pausedNow() {
				t.run.waits.Store(true) // after Resume it waits for its turn
			} else {
				q.m.Runs(now, t.run.queueKey)
			}
		}
	}
	q.m.SetConfig(limits)
	q.wake()
}

// Queue returns how many torrents run at the same time.
func (e *Engine) Queue() Queue {
	e.queue.mu.Lock()
	defer e.queue.mu.Unlock()
	return e.queue.set
}

// enter adds a torrent at the end of the queue. q.mu is held.
func (q *queue) enter(now mono.Time, t *Torrent) {
	q.m.Add(now, t.run.queueKey)
	q.m.Want(now, t.run.queueKey, quota.Want(t.run.wanted.Load()))
	q.m.Force(t.run.queueKey, t.forced())
}

// add adds a new torrent at the end of the queue. With bounds the torrent waits until it has
// reported what it wants.
func (q *queue) add(t *Torrent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.keys++
	t.run.queuedAs(q.keys)
	q.all[t.run.queueKey] = t
	if q.m != nil {
		if q.m.Bounded() {
			t.run.waits.Store(true)
		}
		q.enter(q.e.now(), t)
	}
}

func (q *queue) remove(t *Torrent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.all, t.run.queueKey)
	if q.m != nil {
		q.m.Remove(t.run.queueKey)
		q.wake()
	}
}

// want notes what a torrent wants now.
func (q *queue) want(t *Torrent, w quota.Want) {
	q.mu.Lock()
	defer q.mu.Unlock()
	t.run.wanted.Store(uint32(w))
	if q.m != nil {
		q.m.Want(q.e.now(), t.run.queueKey, w)
		q.wake()
	}
}

// force notes whether a torrent bypasses the queue now.
func (q *queue) force(t *Torrent) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.m != nil {
		q.m.Force(t.run.queueKey, t.forced())
		q.wake()
	}
}

func (q *queue) wake() {
	select {
	case q.soon <- struct{}{}:
	default:
	}
}

// run makes decisions and wakes the torrents concerned, until ctx ends.
func (q *queue) run(ctx context.Context) {
	due := mailbox.NewAlarm(time.Hour)
	defer due.Stop()
	for {
		select {
		case <-q.soon:
			due.Within(decideSoon)
			continue
		case <-due.C():
		case <-ctx.Done():
			return
		}
		changed, next := q.decide()
		for _, t := range changed {
			t.do(wake{})
		}
		if next == mono.Never {
			next = q.e.now().Add(time.Hour)
		}
		due.Set(max(next.Sub(q.e.now()), 0))
	}
}

// decide returns the torrents whose turn has changed, and when to decide next.
func (q *queue) decide() (changed []*Torrent, next mono.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.m == nil {
		return nil, mono.Never
	}
	now := q.e.now()
	if q.m.Deadline() <= now {
		for k := range q.m.Running {
			s := &q.all[k].pub.latest.Load().Swarm
			q.m.Rate(now, k, s.Rates.SlowDown, s.Rates.SlowUp)
		}
	}
	for _, c := range q.m.Changes(now) {
		t := q.all[c.Key]
		t.run.turnWhy.Store(uint32(c.Why))
		t.run.waits.Store(!c.Run)
		changed = append(changed, t)
	}
	if !q.m.Bounded() {
		q.m = nil
		for _, t := range q.all {
			if t.run.waits.Swap(false) {
				changed = append(changed, t)
			}
		}
		return changed, mono.Never
	}
	return changed, q.m.Deadline()
}

// QueuePosition returns the position of a torrent in the queue, from 0; -1 when it has ended.
func (e *Engine) QueuePosition(t *Torrent) int {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	return slices.Index(e.list.order, t)
}

// SetQueuePosition moves a torrent to a position in the queue, counted from 0; a position beyond the end
// means the end. When the queue is full, torrents nearer to its front run first.
func (e *Engine) SetQueuePosition(t *Torrent, position int) {
	e.move(t, func(int) int { return position })
}

// ShiftQueuePosition moves a torrent down by this many places, or up when places is negative.
func (e *Engine) ShiftQueuePosition(t *Torrent, places int) {
	e.move(t, func(at int) int { return at + places })
}

func (e *Engine) move(t *Torrent, to func(at int) int) {
	behind, moved := e.reorder(t, to)
	if moved && e.library.librarian.remembers(t) {
		e.library.librarian.move(t, behind)
	}
}

// reorder moves a torrent in the order of the engine and in the queue. It returns the torrent
// that is behind it now; nil when it is the last.
func (e *Engine) reorder(t *Torrent, to func(at int) int) (behind *Torrent, moved bool) {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	position, behind, moved := e.list.move(t, to)
	if moved {
		e.queue.move(t, position)
	}
	return behind, moved
}

func (q *queue) move(t *Torrent, position int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.m != nil {
		q.m.Move(t.run.queueKey, position)
		q.wake()
	}
}

// move moves a torrent in the catalogue to the position before behind, or to the end when behind is
// nil. Torrents that do not run keep their places among the others.
func (m *librarian) move(t, behind *Torrent) {
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
