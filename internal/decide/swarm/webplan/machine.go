package webplan

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"time"

	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Machine is the machine of one torrent.
type Machine struct {
	cfg   Config
	rng   *rand.Rand
	board Board
	now   mono.Time

	seeds []*seed
	order []int // order in which seeds are asked
	conns [MaxConns]*conn
	ids   uint64
	wants bool
	dry   uint64 // generation in which a seed that has everything had nothing for us

	next mono.Time
	acts []Act
}

// conn is a connection that Slots granted.
type conn struct {
	seed  int
	since mono.Time // start of its latest fetch

	running bool
	id      uint64
	run     Run
	size    int64
	got     int64

	on     int64 // offset in the torrent where the last run ended; -1: none
	stream bool  // an open answer without ranges stands there
}

// New returns the machine of one torrent with web seeds.
func New(cfg Config, b Board, rng *rand.Rand) *Machine {
	m := &Machine{cfg: cfg, rng: rng, board: b, next: mono.Never}
	for i, s := range cfg.Seeds {
		m.seeds = append(m.seeds, newSeed(s))
		m.order = append(m.order, i)
	}
	// Mirrors are mostly equal: not every client should ask the first one.
	rng.Shuffle(len(m.order), func(i, j int) { m.order[i], m.order[j] = m.order[j], m.order[i] })
	return m
}

// Add adds a web seed and puts it before the others: the user has just named it.
func (m *Machine) Add(s Seed) {
	m.order = append([]int{len(m.seeds)}, m.order...)
	m.seeds = append(m.seeds, newSeed(s))
}

// Acts returns what to do since the last call, in order. The slice is valid until the next
// call of any method.
func (m *Machine) Acts() []Act {
	a := m.acts
	m.acts = m.acts[:0]
	return a
}

// Deadline returns the time of the next Tick; mono.Never when nothing is due.
func (m *Machine) Deadline() mono.Time { return m.next }

func (m *Machine) due(t mono.Time) { m.next = min(m.next, t) }

func (m *Machine) act(a Act) { m.acts = append(m.acts, a) }

// Idle reports whether we neither have a connection nor ask for one.
func (m *Machine) Idle() bool {
	for _, s := range m.seeds {
		if s.conns+s.asked > 0 {
			return false
		}
	}
	return true
}

// Fetching reports whether a fetch is the latest of its connection, and returns connection
// and seed.
func (m *Machine) Fetching(id uint64) (conn, seed int, ok bool) {
	for i, c := range m.conns {
		if c != nil && c.running && c.id == id {
			return i, c.seed, true
		}
	}
	return 0, 0, false
}

// Running reports whether a fetch is running on a connection.
func (m *Machine) Running(conn int) (id uint64, ok bool) {
	c := m.conns[conn]
	if c == nil || !c.running {
		return 0, false
	}
	return c.id, true
}

// Tick does what is due, and starts fetches while there is something to fetch. When wants is
// false it ends all fetches and connections.
func (m *Machine) Tick(now mono.Time, wants bool) {
	m.now, m.wants, m.next = now, wants, mono.Never
	if !wants {
		for i := range m.conns {
			m.close(i, why.Unwanted)
		}
		for i := range m.seeds {
			m.unask(i, why.Unwanted)
		}
		return
	}
	for _, s := range m.seeds {
		m.climb(s)
	}
	for i, c := range m.conns {
		if c != nil && !c.running {
			m.begin(i)
		}
	}
	m.ask()
}

// ask asks Slots for connections, for seeds in use first.
func (m *Machine) ask() {
	total, used := 0, 0
	for _, s := range m.seeds {
		total += s.conns + s.asked
		if s.conns+s.asked > 0 {
			used++
		}
	}
	for _, i := range m.order {
		s := m.seeds[i]
		if s.conns+s.asked == 0 {
			if used >= inUse || !m.usable(s) || total >= MaxConns {
				continue
			}
			used++
		}
		for s.conns+s.asked < s.level && total < MaxConns && m.usable(s) && m.hasWork(i) {
			s.asked++
			total++
			w := why.WebOne
			if s.conns+s.asked > 1 {
				w = why.WebMore
			}
			m.act(Act{Kind: Ask, Seed: i, Why: w})
		}
		if s.conns+s.asked == 0 {
			used--
		}
	}
}

// unask withdraws the connections that we still ask for.
func (m *Machine) unask(seed int, w why.Why) {
	for s := m.seeds[seed]; s.asked > 0; s.asked-- {
		m.act(Act{Kind: Unask, Seed: seed, Why: w})
	}
}

// usable reports whether we may ask a seed now.
func (m *Machine) usable(s *seed) bool {
	if s.dead != why.None {
		return false
	}
	if m.now < s.until {
		m.due(s.until)
		return false
	}
	return true
}

// hasWork reports whether we can request something from a seed. It looks again only after a
// block became free, not too often, and once for all seeds that have everything.
func (m *Machine) hasWork(i int) bool {
	s := m.seeds[i]
	gen := m.board.Generation()
	plain := !s.whole && len(s.gone) == 0
	if gen == s.dry || plain && gen == m.dry {
		return false
	}
	if m.now < s.lookAt {
		m.due(s.lookAt)
		return false
	}
	if _, _, ok := m.plan(i, nil); !ok {
		s.dry, s.lookAt = gen, m.now.Add(lookEvery)
		if plain {
			m.dry = gen
		}
		return false
	}
	return true
}

// Placed says that Slots granted a connection to a seed.
func (m *Machine) Placed(now mono.Time, seed int) {
	m.now = now
	s := m.seeds[seed]
	i := slices.Index(m.conns[:], nil)
	if s.asked == 0 || i < 0 {
		return // we had withdrawn the request
	}
	s.asked--
	s.conns++
	m.conns[i] = &conn{seed: seed, on: -1}
	m.begin(i)
}

// Yield says that others need a connection to this seed.
func (m *Machine) Yield(now mono.Time, seed int) {
	m.now = now
	oldest := -1
	for i, c := range m.conns {
		if c != nil && c.seed == seed && (oldest < 0 || c.since < m.conns[oldest].since) {
			oldest = i
		}
	}
	if oldest >= 0 {
		m.close(oldest, why.WebYield)
		m.seeds[seed].lookAt = now.Add(lookEvery) // others come first
	}
}

// begin starts the next run on a connection, or closes it.
func (m *Machine) begin(i int) {
	c := m.conns[i]
	s := m.seeds[c.seed]
	if !m.wants || !m.usable(s) || s.conns > s.level {
		w := why.Unwanted
		if s.conns > s.level {
			w = why.WebFewer
		}
		m.close(i, w)
		return
	}
	run, w, ok := m.plan(c.seed, c)
	if !ok {
		s.dry, s.lookAt = m.board.Generation(), m.now.Add(lookEvery)
		m.close(i, why.NothingWeLack)
		return
	}
	m.ids++
	a := Act{Kind: Fetch, Why: w, Seed: c.seed, Conn: i, ID: m.ids, Run: run, Whole: s.whole}
	from, size := m.span(run)
	a.Segments = m.segments(from, size)
	if s.whole {
		if first := &a.Segments[0]; !first.Pad {
			first.Skip = first.Offset
			if at := m.cfg.Files[first.File].Offset; c.stream && c.on > at && c.on <= from {
				a.Resume, first.Skip = true, from-c.on
			}
			s.skipped += first.Skip
		}
	}
	c.running, c.id, c.run, c.size, c.got, c.since = true, m.ids, run, size, 0, m.now
	c.on, c.stream = -1, false
	wait, each := time.Second, time.Duration(0)
	if s.rate > 0 {
		each = time.Duration(block.Size / s.rate * float64(time.Second))
		wait = s.latency + each
	}
	m.board.Claim(m.now, i, run, wait, each)
	m.act(a)
}

// close ends the fetch of a connection, and returns the connection to Slots.
func (m *Machine) close(i int, w why.Why) {
	c := m.conns[i]
	if c == nil {
		return
	}
	m.stop(i, w)
	m.act(Act{Kind: Close, Conn: i, Seed: c.seed, Why: w})
	m.conns[i] = nil
	s := m.seeds[c.seed]
	s.conns--
	s.window.open = false
}

// stop ends the fetch of a connection.
func (m *Machine) stop(i int, w why.Why) {
	c := m.conns[i]
	if !c.running {
		return
	}
	c.running = false
	if c.got > 0 {
		m.seeds[c.seed].fails = 0
	}
	m.board.Release(i)
	m.act(Act{Kind: Stop, Conn: i, Seed: c.seed, ID: c.id, Why: w})
}

// Drop says that we want nothing more of what a connection fetches.
func (m *Machine) Drop(now mono.Time, conn int, w why.Why) {
	m.now = now
	if m.conns[conn] != nil {
		m.stop(conn, w)
	}
}

// Got says that a block of a fetch came; bytes is its size.
func (m *Machine) Got(now mono.Time, conn int, bytes int64) {
	m.now = now
	c := m.conns[conn]
	s := m.seeds[c.seed]
	if c.got == 0 {
		s.latency = now.Sub(c.since)
	}
	c.got += bytes
	s.given += bytes
	s.window.bytes += bytes
}

// Ended says how a fetch ended. Got has reported its blocks before.
func (m *Machine) Ended(now mono.Time, id uint64, r Result) {
	m.now = now
	i, seed, ok := m.Fetching(id)
	if !ok {
		return
	}
	c, s := m.conns[i], m.seeds[seed]
	c.running = false
	m.board.Release(i)
	if r.Outcome == Done {
		from, _ := m.span(c.run)
		c.on = from + c.size
		s.worked(c.size, now.Sub(c.since))
		s.whole = s.whole || r.Whole
		c.stream = s.whole
	} else if m.oneTooMany(i, r) {
		m.close(i, why.WebFewer)
		return
	} else {
		if c.got > 0 {
			s.fails = 0 // it sends at least something
		}
		m.failed(seed, r)
	}
	if s.dead != why.None || m.now < s.until {
		for j, d := range m.conns {
			if d != nil && d.seed == seed && !d.running {
				m.close(j, cmp.Or(s.dead, why.WebWait))
			}
		}
		return
	}
	m.begin(i)
}

// oneTooMany reports whether a failure means that the server allows fewer connections: others
// to the same seed work. Then it lowers the number.
func (m *Machine) oneTooMany(i int, r Result) bool {
	if r.Outcome != Busy && r.Outcome != Broken {
		return false
	}
	others := 0
	for j, d := range m.conns {
		if j != i && d != nil && d.seed == m.conns[i].seed && d.running {
			others++
		}
	}
	if others > 0 {
		s := m.seeds[m.conns[i].seed]
		s.level = others
		s.window.fail(m.now)
	}
	return others > 0
}

// MakeRoom ends the runs without a piece that a reader waits for.
func (m *Machine) MakeRoom(now mono.Time) {
	m.now = now
	p, ok := m.board.Urgent(now)
	if !ok {
		return
	}
	for i, c := range m.conns {
		if c == nil || !c.running {
			continue
		}
		from, _ := m.span(c.run)
		if at := m.cfg.Geometry.Offset(p, 0); at < from || at >= from+c.size {
			m.stop(i, why.MakesRoom)
		}
	}
}

// Ban gives up a seed that sent bad data, which is proven (BEP 19 asks for that).
func (m *Machine) Ban(now mono.Time, seed int, w why.Why, text string) {
	m.now = now
	m.giveUp(seed, w, text)
}

// giveUp stops using a seed.
func (m *Machine) giveUp(seed int, w why.Why, text string) {
	s := m.seeds[seed]
	if s.dead != why.None {
		return
	}
	s.dead, s.text = w, text
	for i, c := range m.conns {
		if c != nil && c.seed == seed {
			m.close(i, w)
		}
	}
	m.unask(seed, w)
	m.act(Act{Kind: GiveUp, Seed: seed, Why: w, Text: text})
}
