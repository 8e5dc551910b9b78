// Package lineup decides which torrents of an engine run and which wait in line, where so
// many may download, seed, or run at all. What each torrent wants and how fast it is goes in;
// who is to run and who is to wait comes out.
//
// The line has one order, which the user makes. Downloads come before seeds. A torrent that
// is slow for a while holds no place among the downloads or the seeds, so that one without
// peers keeps nobody waiting; it does count among all that run, and where it is that bound
// that others wait for, it goes behind them once it has had its time. Whoever is checked, or
// can't be run for lack of its files, holds no place at all. A torrent that the user forces
// runs besides all this and is not counted.
//
// A Machine is owned by whoever drives it and not safe for concurrent use. Time is given. It
// is no matter of any BEP.
// Decision 0098 says why.
package lineup

import (
	"cmp"
	"slices"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Key names a torrent.
type Key uint64

// Want is what a torrent would do if it may.
type Want uint8

// The wants.
const (
	Nothing  Want = iota // it is checked, held up, or its files are missing: it stays as it is
	Paused               // by the user, or at a limit of its own: it does not run
	Download             // pieces are missing
	Seed                 // it has all it is to have
	Metadata             // what it consists of is still to be learned (BEP 9)
)

var wantNames = [...]string{"nothing", "paused", "download", "seed", "metadata"}

// String gives the want's name as golden scripts print it.
func (w Want) String() string { return wantNames[w] }

// Config bounds what runs at the same time. Zero bounds nothing.
type Config struct {
	Downloads int // that are not slow
	Seeds     int // that are not slow
	Total     int // slow or not

	// Below these rates, in bytes a second, a torrent is slow. Default 2 KiB/s.
	SlowDown, SlowUp float64
}

func (c Config) bounded() bool { return c.Downloads > 0 || c.Seeds > 0 || c.Total > 0 }

const (
	defaultSlow = 2 << 10
	// metadataAtOnce bounds the torrents that look for their metadata where there are any
	// bounds. They have places of their own: hardly anything flows, and a user wants to see
	// names. Whoever finds none within its turn goes behind the others.
	metadataAtOnce = 16
	// slowAfter is how long a torrent may be below the rate until that counts: finding
	// peers and being unchoked takes time.
	slowAfter = time.Minute
	// turn is how long a slow torrent runs while others wait for its place.
	turn = 30 * time.Minute
	// lookEvery is how often rates are looked at while that may change anything.
	lookEvery = 10 * time.Second
)

// Change says that a torrent is to run from now on, or to wait.
type Change struct {
	Key Key
	Run bool
	Why why.Why
}

// entry is one torrent of the line.
type entry struct {
	key   Key
	want  Want
	force bool

	run    bool
	since  mono.Time // it has been running, or waiting
	fastAt mono.Time // when it was last not slow
	may    bool      // as it was decided last
	behind uint64    // since it gave its place up: it comes after all with a lower number
}

// Machine is the line of one engine.
type Machine struct {
	cfg     Config
	line    []*entry // in the user's order
	byKey   map[Key]*entry
	stale   bool // something has happened since the last look
	next    mono.Time
	yields  uint64 // how often a place was given up
	back    []*entry
	changes []Change
}

// New makes an empty line.
func New(cfg Config) *Machine {
	m := &Machine{byKey: make(map[Key]*entry), next: mono.Never}
	m.SetConfig(cfg)
	return m
}

// SetConfig changes the bounds.
func (m *Machine) SetConfig(cfg Config) {
	if cfg.SlowDown == 0 {
		cfg.SlowDown = defaultSlow
	}
	if cfg.SlowUp == 0 {
		cfg.SlowUp = defaultSlow
	}
	m.cfg, m.stale = cfg, true
}

// Bounded reports whether anybody may have to wait.
func (m *Machine) Bounded() bool { return m.cfg.bounded() }

// Add puts a torrent at the end of the line. It does not run yet.
func (m *Machine) Add(now mono.Time, k Key) {
	if m.byKey[k] == nil {
		e := &entry{key: k, since: now}
		m.byKey[k] = e
		m.line = append(m.line, e)
	}
}

// Runs says that a torrent runs already, as it does where there was no line before.
func (m *Machine) Runs(now mono.Time, k Key) {
	if e := m.byKey[k]; e != nil {
		e.run, e.since = true, now
	}
}

// Remove takes a torrent out of the line.
func (m *Machine) Remove(k Key) {
	if e := m.byKey[k]; e != nil {
		delete(m.byKey, k)
		m.line = slices.DeleteFunc(m.line, func(x *entry) bool { return x == e })
		m.stale = true
	}
}

// Want says what a torrent wants from now on.
func (m *Machine) Want(now mono.Time, k Key, w Want) {
	if e := m.byKey[k]; e != nil && e.want != w {
		if e.run {
			e.since = now // what begins anew is given time again
		}
		e.want, m.stale = w, true
	}
}

// Force has a torrent run whatever the bounds, or no longer so.
func (m *Machine) Force(k Key, on bool) {
	if e := m.byKey[k]; e != nil && e.force != on {
		e.force, m.stale = on, true
	}
}

// Place gives where a torrent stands, from 0; -1 when it is not in the line.
func (m *Machine) Place(k Key) int {
	return slices.IndexFunc(m.line, func(e *entry) bool { return e.key == k })
}

// Len is how many torrents are in the line.
func (m *Machine) Len() int { return len(m.line) }

// Move puts a torrent at a place of the line, from 0; beyond the end means there.
func (m *Machine) Move(k Key, to int) {
	at := m.Place(k)
	if at < 0 {
		return
	}
	e := m.line[at]
	m.line = slices.Delete(m.line, at, at+1)
	m.line = slices.Insert(m.line, min(max(to, 0), len(m.line)), e)
	e.behind = 0 // the user says where it stands
	m.stale = true
}

// Running gives the torrents whose rates are wanted when Deadline has come.
func (m *Machine) Running(yield func(Key) bool) {
	for _, e := range m.line {
		if e.run && !yield(e.key) {
			return
		}
	}
}

// Rate says how fast a torrent is, in bytes a second.
func (m *Machine) Rate(now mono.Time, k Key, down, up float64) {
	e := m.byKey[k]
	if e == nil {
		return
	}
	if e.want == Download && down >= m.cfg.SlowDown || e.want == Seed && up >= m.cfg.SlowUp {
		m.stale = m.stale || e.slow(now)
		e.fastAt = now
	}
}

// Deadline is when Changes is wanted; mono.Never while time changes nothing.
func (m *Machine) Deadline() mono.Time { return m.next }

// Changes gives what is to be different from now on. The slice is good until the next call.
func (m *Machine) Changes(now mono.Time) []Change {
	m.changes = m.changes[:0]
	if !m.stale && now < m.next {
		return nil
	}
	m.stale = false
	if m.look(now) && m.yield(now) {
		m.look(now)
	}
	for _, e := range m.line {
		m.settle(now, e)
	}
	return m.changes
}

// slow reports whether a torrent that runs holds no place because it is slow.
func (e *entry) slow(now mono.Time) bool {
	return e.run && now >= max(e.since, e.fastAt).Add(slowAfter)
}

// look decides who may run. It reports whether somebody has to wait for a place that one who
// is slow may have.
func (m *Machine) look(now mono.Time) (short bool) {
	m.next = mono.Never
	m.back = m.back[:0]
	left := places{most: m.cfg}
	for _, want := range [3]Want{Metadata, Download, Seed} {
		for _, e := range m.line {
			switch {
			case e.want != want:
			case e.behind > 0 && (!e.run || e.slow(now)):
				m.back = append(m.back, e)
			default:
				e.behind = 0
				short = m.place(now, &left, e) || short
			}
		}
	}
	// Those that gave their place up: downloads first, and whoever has waited longest.
	slices.SortFunc(m.back, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.want, b.want), cmp.Compare(a.behind, b.behind))
	})
	for _, e := range m.back {
		short = m.place(now, &left, e) || short
	}
	return short
}

// places counts those that are taken.
type places struct {
	most                    Config
	downloads, seeds, total int
	metadata                int
}

// place gives a torrent a place, if there is one. It reports whether there is none that one
// who is slow may have.
func (m *Machine) place(now mono.Time, p *places, e *entry) (short bool) {
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
	// While somebody waits, or one that is slow may turn out to be one too many, rates
	// matter.
	if !e.may || e.slow(now) {
		m.next = now.Add(lookEvery)
	}
	return short
}

// yield has those give up their place that were slow and have had their time. It reports
// whether there are any.
func (m *Machine) yield(now mono.Time) (any bool) {
	for _, e := range m.line {
		if e.want >= Download && !e.force && e.behind == 0 && e.slow(now) && now >= e.since.Add(turn) {
			m.yields++
			e.behind, any = m.yields, true
		}
	}
	return any
}

// settle tells whether a torrent runs, where that has changed.
func (m *Machine) settle(now mono.Time, e *entry) {
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
