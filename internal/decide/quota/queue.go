package quota

// This file decides which torrents of an engine run and which wait, when the number of
// downloads, seeds, or running torrents is limited. The wishes and rates of torrents go in;
// decisions to run or wait come out.
//
// The queue has one order, which the user makes. Downloads come before seeds. A torrent that
// is slow for a while does not count as a download or seed, so that one without peers keeps
// no other waiting. It still counts toward the total; if others wait for that total, it
// yields after its turn. Torrents that are checked, or that can't run for lack of their
// files, do not count at all. A torrent that the user forces runs in addition and is not
// counted.
//
// A Queue has one owner and is not safe for concurrent use. The caller passes the time. No
// BEP covers this (decision 0098).

import (
	"cmp"
	"slices"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Key names a torrent.
type Key uint64

// Want is what a torrent would do if it may run.
type Want uint8

// Values of Want.
const (
	Nothing  Want = iota // it is checking, held, or its files are missing: it stays as it is
	Paused               // by the user, or at a share limit: it does not run
	Download             // pieces are missing
	Seed                 // it has every wanted piece
	Metadata             // its metadata is missing (BEP 9)
)

var wantNames = [...]string{"nothing", "paused", "download", "seed", "metadata"}

// String returns the want's name as golden scripts print it.
func (w Want) String() string { return wantNames[w] }

// QueueConfig bounds what runs at the same time. Zero means no bound.
type QueueConfig struct {
	Downloads int // downloads that are not slow
	Seeds     int // seeds that are not slow
	Total     int // running torrents, slow or not

	// Below these rates, in bytes a second, a torrent is slow. 0: 2 KiB/s.
	SlowDown, SlowUp float64
}

func (c QueueConfig) bounded() bool { return c.Downloads > 0 || c.Seeds > 0 || c.Total > 0 }

const (
	defaultSlow = 2 << 10
	// metadataAtOnce bounds the torrents that fetch metadata when there is any bound. They
	// have slots of their own: they move few bytes, and a user wants to see names. A torrent
	// that finds none within its turn goes behind the others.
	metadataAtOnce = 16
	// slowAfter is how long a torrent may be below the rate before it counts as slow: finding
	// peers and getting unchoked takes time.
	slowAfter = time.Minute
	// turn is how long a slow torrent runs while others wait for its slot.
	turn = 30 * time.Minute
	// lookEvery is how often we look at rates while they can change anything.
	lookEvery = 10 * time.Second
)

// Change says that a torrent must run from now on, or wait.
type Change struct {
	Key Key
	Run bool
	Why why.Why
}

// entry is one torrent of the queue.
type entry struct {
	key   Key
	want  Want
	force bool

	run    bool
	since  mono.Time // start of the running or waiting
	fastAt mono.Time // latest time when it was not slow
	may    bool      // latest decision
	behind uint64    // number of its yield; it comes after all with a lower number; 0: it has not yielded
}

// Queue is the queue of one engine.
type Queue struct {
	cfg     QueueConfig
	order   []*entry // entries in the user's order
	byKey   map[Key]*entry
	stale   bool // something has happened since the last look
	next    mono.Time
	yields  uint64 // number of yields so far
	back    []*entry
	changes []Change
}

// NewQueue returns an empty queue.
func NewQueue(cfg QueueConfig) *Queue {
	m := &Queue{byKey: make(map[Key]*entry), next: mono.Never}
	m.SetConfig(cfg)
	return m
}

// SetConfig changes the bounds.
func (m *Queue) SetConfig(cfg QueueConfig) {
	if cfg.SlowDown == 0 {
		cfg.SlowDown = defaultSlow
	}
	if cfg.SlowUp == 0 {
		cfg.SlowUp = defaultSlow
	}
	m.cfg, m.stale = cfg, true
}

// Bounded reports whether a torrent may have to wait.
func (m *Queue) Bounded() bool { return m.cfg.bounded() }

// Add puts a torrent at the end of the queue. It does not run yet.
func (m *Queue) Add(now mono.Time, k Key) {
	if m.byKey[k] == nil {
		e := &entry{key: k, since: now}
		m.byKey[k] = e
		m.order = append(m.order, e)
	}
}

// Runs says that a torrent runs already, as it did when there was no bound.
func (m *Queue) Runs(now mono.Time, k Key) {
	if e := m.byKey[k]; e != nil {
		e.run, e.since = true, now
	}
}

// Remove removes a torrent from the queue.
func (m *Queue) Remove(k Key) {
	if e := m.byKey[k]; e != nil {
		delete(m.byKey, k)
		m.order = slices.DeleteFunc(m.order, func(x *entry) bool { return x == e })
		m.stale = true
	}
}

// Want sets what a torrent wants from now on.
func (m *Queue) Want(now mono.Time, k Key, w Want) {
	if e := m.byKey[k]; e != nil && e.want != w {
		if e.run {
			e.since = now // what begins again gets time again
		}
		e.want, m.stale = w, true
	}
}

// Force makes a torrent run whatever the bounds, or ends that.
func (m *Queue) Force(k Key, on bool) {
	if e := m.byKey[k]; e != nil && e.force != on {
		e.force, m.stale = on, true
	}
}

// Position returns the position of a torrent, from 0; -1 when it is not in the queue.
func (m *Queue) Position(k Key) int {
	return slices.IndexFunc(m.order, func(e *entry) bool { return e.key == k })
}

// Len returns how many torrents are in the queue.
func (m *Queue) Len() int { return len(m.order) }

// Move moves a torrent to a position, from 0; a position beyond the end means the end.
func (m *Queue) Move(k Key, to int) {
	at := m.Position(k)
	if at < 0 {
		return
	}
	e := m.order[at]
	m.order = slices.Delete(m.order, at, at+1)
	m.order = slices.Insert(m.order, min(max(to, 0), len(m.order)), e)
	e.behind = 0 // the user decides its position
	m.stale = true
}

// Running yields the torrents whose rates are needed when Deadline has come.
func (m *Queue) Running(yield func(Key) bool) {
	for _, e := range m.order {
		if e.run && !yield(e.key) {
			return
		}
	}
}

// Rate reports how fast a torrent is, in bytes a second.
func (m *Queue) Rate(now mono.Time, k Key, down, up float64) {
	e := m.byKey[k]
	if e == nil {
		return
	}
	if e.want == Download && down >= m.cfg.SlowDown || e.want == Seed && up >= m.cfg.SlowUp {
		m.stale = m.stale || e.slow(now)
		e.fastAt = now
	}
}

// Deadline returns when to call Changes; mono.Never while time changes nothing.
func (m *Queue) Deadline() mono.Time { return m.next }

// Changes returns what changes now. The slice is valid until the next call.
func (m *Queue) Changes(now mono.Time) []Change {
	m.changes = m.changes[:0]
	if !m.stale && now < m.next {
		return nil
	}
	m.stale = false
	if m.look(now) && m.yield(now) {
		m.look(now)
	}
	for _, e := range m.order {
		m.settle(now, e)
	}
	return m.changes
}

// slow reports whether a running torrent is too slow to count.
func (e *entry) slow(now mono.Time) bool {
	return e.run && now >= max(e.since, e.fastAt).Add(slowAfter)
}

// look decides which torrents may run. It reports whether a torrent waits for a slot that a
// slow one may hold.
func (m *Queue) look(now mono.Time) (short bool) {
	m.next = mono.Never
	m.back = m.back[:0]
	left := slots{most: m.cfg}
	for _, want := range [3]Want{Metadata, Download, Seed} {
		for _, e := range m.order {
			switch {
			case e.want != want:
			case e.behind > 0 && (!e.run || e.slow(now)):
				m.back = append(m.back, e)
			default:
				e.behind = 0
				short = m.assign(now, &left, e) || short
			}
		}
	}
	// Torrents that yielded: downloads first, then the one that has waited longest.
	slices.SortFunc(m.back, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.want, b.want), cmp.Compare(a.behind, b.behind))
	})
	for _, e := range m.back {
		short = m.assign(now, &left, e) || short
	}
	return short
}

// slots counts the slots in use.
type slots struct {
	most                    QueueConfig
	downloads, seeds, total int
	metadata                int
}

// assign assigns a slot to a torrent, if there is one. It reports whether it waits for a slot
// that a slow torrent may hold.
func (m *Queue) assign(now mono.Time, p *slots, e *entry) (short bool) {
	most, taken := p.most.Downloads, &p.downloads
	if e.want == Seed {
		most, taken = p.most.Seeds, &p.seeds
	}
	e.may = true
	switch {
	case e.force, !p.most.bounded():
		return false
	case e.want == Metadata:
		e.may = p.metadata < metadataAtOnce
		short = !e.may
		p.metadata++
	case p.most.Total > 0 && p.total >= p.most.Total:
		e.may, short = false, true
	case e.slow(now):
		p.total++
	case most > 0 && *taken >= most:
		e.may = false
	default:
		p.total++
		*taken++
	}
	// Rates matter while a torrent waits, and while a slow one may begin to count again.
	if !e.may || e.slow(now) {
		m.next = now.Add(lookEvery)
	}
	return short
}

// yield makes the torrents yield that were slow and have had their turn. It reports whether
// there are any.
func (m *Queue) yield(now mono.Time) (any bool) {
	for _, e := range m.order {
		if e.want >= Download && !e.force && e.behind == 0 && e.slow(now) && now >= e.since.Add(turn) {
			m.yields++
			e.behind, any = m.yields, true
		}
	}
	return any
}

// settle records whether a torrent runs, if that has changed.
func (m *Queue) settle(now mono.Time, e *entry) {
	run, reason := e.run, why.LineTurn
	switch {
	case e.want == Nothing:
	case e.want == Paused:
		run, reason = false, why.Paused
	case e.may && e.force:
		run, reason = true, why.Forced
	case e.may:
		run = true
	default:
		run, reason = false, why.LineFull
	}
	if run == e.run {
		return
	}
	e.run, e.since, e.fastAt = run, now, 0
	if run {
		e.behind = 0
	}
	m.changes = append(m.changes, Change{e.key, run, reason})
}
