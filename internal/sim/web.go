package sim

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// webServer is a virtual web seed: blocks arrive over its line one after the other. The zero
// webServer is an honest one without bounds.
type webServer struct {
	Name string
	Rate int64 // in bytes a second, all connections together; 0 means no bound
	Each int64 // in bytes a second for one connection; 0 means no bound
	Lag  time.Duration

	Lie       func(block.Ref) bool // sends wrong content for these blocks
	DiesAfter int                  // blocks of a fetch after which the connection breaks
	Busy      time.Duration        // until this time after the start it answers that it is busy
	Whole     bool                 // it does not support ranges
	Absent    bool                 // it has nothing
	Dead      bool                 // it does not answer

	free  mono.Time // time when its line is free
	asked int
	sent  int64
	conns int // connections that fetch
	most  int
}

// silent is how long a node waits for an answer, and for a block.
const silent = 30 * time.Second

// webFetch is a fetch in progress.
type webFetch struct {
	act  *webplan.Act
	life int
	next uint32 // number of blocks delivered
	free mono.Time
	over bool
}

// webNode is a node's state for web seeds.
type webNode struct {
	slots   webplan.Slots
	fetches [webplan.MaxConns]*webFetch
	gaveUp  map[*webServer]why.Why
}

// webConfig returns the web seeds of a node for its swarm.
func (n *Node) webConfig() func() webplan.Config {
	if len(n.spec.Web) == 0 {
		return nil
	}
	n.web = &webNode{gaveUp: make(map[*webServer]why.Why)}
	return func() webplan.Config {
		cfg := webplan.Config{Geometry: n.w.Geometry, Single: true, Files: []webplan.File{{Length: n.w.Geometry.Total}}}
		for _, s := range n.spec.Web {
			cfg.Seeds = append(cfg.Seeds, webplan.Seed{URL: s.Name, Host: s.Name})
		}
		return cfg
	}
}

// webAct performs what a node's swarm decided about a web seed.
func (n *Node) webAct(a *webplan.Act) {
	server := n.spec.Web[a.Seed]
	want := webplan.Want{User: 1, Seed: a.Seed, Host: server.Name}
	switch a.Kind {
	case webplan.Ask:
		n.web.slots.Ask(want)
		n.settlePlaces()
	case webplan.Unask:
		n.web.slots.Unask(want)
		n.settlePlaces()
	case webplan.Fetch:
		if f := n.web.fetches[a.Conn]; f != nil && !f.over {
			n.w.failf("%s: a fetch on connection %d, which is fetching", n.spec.Name, a.Conn)
		}
		f := &webFetch{act: a, life: n.life}
		n.web.fetches[a.Conn] = f
		server.begin(n, f)
	case webplan.Stop:
		if f := n.web.fetches[a.Conn]; f == nil || f.act.ID != a.ID {
			n.w.failf("%s: a fetch is stopped that is not there", n.spec.Name)
		} else {
			server.end(f)
		}
	case webplan.Close:
		if f := n.web.fetches[a.Conn]; f != nil && !f.over {
			n.w.failf("%s: a connection is closed that is fetching", n.spec.Name)
		}
		n.web.fetches[a.Conn] = nil
		n.web.slots.Release(want)
		n.settlePlaces()
	case webplan.GiveUp:
		n.web.gaveUp[server] = a.Why
	}
}

// settlePlaces tells the swarm its number of connections, a moment later.
func (n *Node) settlePlaces() {
	life := n.life
	for {
		want, ok := n.web.slots.Grant(n.w.now)
		if !ok {
			return
		}
		n.w.after(time.Millisecond, func() {
			if n.life == life {
				n.input(func(now mono.Time) { n.swarm.WebPlaced(now, want.Seed) })
			}
		})
	}
}

// begin answers a fetch, after the time of a request and its answer.
func (s *webServer) begin(n *Node, f *webFetch) {
	w := n.w
	s.asked++
	s.conns++
	s.most = max(s.most, s.conns)
	trip := 2 * (s.Lag + n.spec.Lag)
	from := f.act.Segments[0].Offset
	switch {
	case s.Dead:
		s.fail(n, f, silent, webplan.Result{Outcome: webplan.Broken, Text: "no answer in time"})
	case s.Absent:
		s.fail(n, f, trip, webplan.Result{Outcome: webplan.Absent, Text: "HTTP status 404"})
	case w.Now() < s.Busy:
		s.fail(n, f, trip, webplan.Result{Outcome: webplan.Busy, RetryIn: 10 * time.Second, Text: "HTTP status 503"})
	case s.Whole && !f.act.Whole && from > 0:
		s.fail(n, f, trip, webplan.Result{Outcome: webplan.NoRanges})
	case s.Whole && !f.act.Resume && f.act.Segments[0].Skip != from:
		w.failf("%s: a whole file is begun at %d, and %d bytes of it skipped", n.spec.Name, from, f.act.Segments[0].Skip)
	default:
		f.free = w.now.Add(trip)
		s.step(n, f)
	}
}

// step sends the next block.
func (s *webServer) step(n *Node, f *webFetch) {
	w := n.w
	g := w.Geometry
	run := f.act.Run
	at := run.Block + f.next
	per := g.Blocks(0) // all pieces but the last have this many
	ref := g.Block(run.Piece+at/per, at%per)
	size := int64(ref.Length)
	if f.next == 0 {
		size += f.act.Segments[0].Skip
	}
	done := max(f.free, s.free, w.now)
	if s.Rate > 0 {
		done = done.Add(time.Duration(size * int64(time.Second) / s.Rate))
	}
	if s.Each > 0 {
		done = max(done, max(f.free, w.now).Add(time.Duration(size*int64(time.Second)/s.Each)))
	}
	if s.DiesAfter > 0 && int(f.next) == s.DiesAfter {
		s.fail(n, f, 0, webplan.Result{Outcome: webplan.Broken, Text: "the server closed the connection"})
		return
	}
	if done.Sub(w.now) > silent {
		s.fail(n, f, silent, webplan.Result{Outcome: webplan.Broken, Text: "no answer in time"})
		return
	}
	s.free, f.free = max(s.free, done), done
	if s.Rate == 0 {
		s.free = 0
	}
	w.at(done, func() {
		if f.over || !n.up || n.life != f.life {
			return
		}
		f.next++
		s.sent += size
		t := new(taken)
		if s.Lie != nil && s.Lie(ref) {
			binary.BigEndian.PutUint64(t.data[:], 1<<40+uint64(s.sent))
		}
		t.Data = t.data[:]
		n.buffer++
		last := f.next == run.Blocks
		if last {
			s.end(f)
		}
		n.input(func(now mono.Time) {
			n.swarm.WebBlock(now, f.act.ID, ref, &t.Block)
			if last {
				n.swarm.WebEnded(now, f.act.ID, webplan.Result{Whole: s.Whole && !f.act.Whole})
			}
		})
		if !f.over {
			s.step(n, f)
		}
	})
}

// end ends a fetch at the server.
func (s *webServer) end(f *webFetch) {
	if !f.over {
		f.over = true
		s.conns--
	}
}

func (s *webServer) fail(n *Node, f *webFetch, after time.Duration, r webplan.Result) {
	n.w.after(after, func() {
		if f.over || !n.up || n.life != f.life {
			s.end(f)
			return
		}
		s.end(f)
		n.input(func(now mono.Time) { n.swarm.WebEnded(now, f.act.ID, r) })
	})
}

// fromWeb returns how many bytes a node received from web seeds.
func (n *Node) fromWeb() int64 { return n.swarm.Stats(n.w.now).WebDownloaded }

func (n *Node) thrownAway() int64 { return n.swarm.Stats(n.w.now).Wasted }

// The cases with web seeds.
var webScenarios = []Scenario{
	{
		Name: "web-alone", Story: "A web seed, and nobody else: everything comes over one connection, in few requests.",
		Pieces: 100, Blocks: 16,
		Play: func(w *World) error {
			s := &webServer{Name: "web", Rate: mb, Lag: 50 * time.Millisecond}
			l := w.Add(Spec{Name: "L", Web: []*webServer{s}})
			ideal := time.Duration(w.Geometry.Total * int64(time.Second) / s.Rate)
			if err := w.Complete(ideal + ideal/5); err != nil {
				return err
			}
			if l.thrownAway() > 0 || s.asked > 12 {
				return fmt.Errorf("%d bytes for nothing, %d requests", l.thrownAway(), s.asked)
			}
			return nil
		},
	},
	{
		Name: "web-many-connections", Story: "A web seed that gives each connection little: a second and a third one pay.",
		Pieces: 400, Blocks: 16,
		Play: func(w *World) error {
			w.Every = 50
			s := &webServer{Name: "web", Each: 500 * kb, Rate: 2 * mb, Lag: 50 * time.Millisecond}
			w.Add(Spec{Name: "L", Web: []*webServer{s}})
			alone := time.Duration(w.Geometry.Total * int64(time.Second) / s.Each)
			if err := w.Complete(alone / 2); err != nil {
				return err
			}
			if s.most != 3 {
				return fmt.Errorf("%d connections", s.most)
			}
			return nil
		},
	},
	{
		Name: "web-one-connection", Story: "A web seed whose line is full: a second connection is tried, and given up.",
		Pieces: 400, Blocks: 16,
		Play: func(w *World) error {
			w.Every = 50
			s := &webServer{Name: "web", Rate: mb, Lag: 20 * time.Millisecond}
			w.Add(Spec{Name: "L", Web: []*webServer{s}})
			if err := w.Run(60*time.Second, nil); err != nil {
				return err
			}
			if s.most != 2 || s.conns != 1 {
				return fmt.Errorf("%d connections, at most %d", s.conns, s.most)
			}
			return w.Complete(10 * time.Minute)
		},
	},
	{
		Name: "web-and-slow-peers", Story: "A web seed and slow peers: together they are as fast as they could be, and hardly anything comes twice.",
		Pieces: 200, Blocks: 16,
		Play: func(w *World) error {
			w.Every = 50
			s := &webServer{Name: "web", Rate: 500 * kb, Lag: 30 * time.Millisecond}
			seeds := w.group(5, Spec{Name: "S", Have: w.Full(), Up: 100 * kb})
			l := w.Add(Spec{Name: "L", Web: []*webServer{s}})
			l.Knows(seeds...)
			ideal := time.Duration(w.Geometry.Total * int64(time.Second) / mb)
			if err := w.Complete(ideal + ideal/4); err != nil {
				return err
			}
			if l.fromWeb() < w.Geometry.Total*4/10 {
				return fmt.Errorf("%d of %d bytes from the web seed", l.fromWeb(), w.Geometry.Total)
			}
			return w.wasted(3)
		},
	},
	{
		Name: "web-feeds-a-swarm", Story: "Eight peers with nothing and a web seed of the rate of one: they take different parts, and share them.",
		Pieces: 240, Blocks: 8,
		Play: func(w *World) error {
			w.Every = 50
			s := &webServer{Name: "web", Rate: 400 * kb, Lag: 30 * time.Millisecond}
			all := w.group(8, Spec{Name: "L", Up: 400 * kb, Web: []*webServer{s}})
			introduce(all...)
			// Alone it would need to give everything eight times.
			once := time.Duration(w.Geometry.Total * int64(time.Second) / s.Rate)
			if err := w.Complete(2 * once); err != nil {
				return err
			}
			if s.sent > 2*w.Geometry.Total {
				return fmt.Errorf("the web seed gave %d bytes of %d", s.sent, w.Geometry.Total)
			}
			return nil
		},
	},
	{
		Name: "web-small-pieces", Story: "The same with pieces of a block: the web seed is still asked for long runs, not for every piece.",
		Pieces: 2000, Blocks: 1,
		Play: func(w *World) error {
			w.Every = 100
			s := &webServer{Name: "web", Rate: 400 * kb, Lag: 30 * time.Millisecond}
			all := w.group(8, Spec{Name: "L", Up: 400 * kb, Web: []*webServer{s}})
			introduce(all...)
			once := time.Duration(w.Geometry.Total * int64(time.Second) / s.Rate)
			if err := w.Complete(2 * once); err != nil {
				return err
			}
			if s.asked > 150 {
				return fmt.Errorf("%d requests for %d MiB", s.asked, s.sent>>20)
			}
			return nil
		},
	},
	{
		Name: "web-liar", Story: "A web seed that lies, at first alone, then among peers: it is given up, and nobody else is.",
		Pieces: 40, Blocks: 16,
		Play: func(w *World) error {
			liar := &webServer{Name: "liar", Rate: mb, Lie: lieAlways}
			l := w.Add(Spec{Name: "L", Web: []*webServer{liar}})
			if err := w.Run(5*time.Second, nil); err != nil {
				return err
			}
			if l.web.gaveUp[liar] != why.OnlySender || l.Failed > 2 {
				return fmt.Errorf("given up for %q, after %d bad pieces", l.web.gaveUp[liar], l.Failed)
			}
			sly := &webServer{Name: "sly", Rate: mb, Lie: func(r block.Ref) bool { return r.Index() == 7 }}
			m := w.Add(Spec{Name: "M", Web: []*webServer{sly}})
			seeds := w.group(3, Spec{Name: "S", Have: w.Full(), Up: 300 * kb})
			m.Knows(seeds...)
			l.Knows(seeds...)
			if err := w.Complete(3 * time.Minute); err != nil {
				return err
			}
			if len(m.Banned) > 0 || m.web.gaveUp[sly] == why.None {
				return fmt.Errorf("banned %v, given up for %q", m.Banned, m.web.gaveUp[sly])
			}
			return nil
		},
	},
	{
		Name: "web-drip", Story: "A web seed that drips, and a peer: the drip holds up nothing.",
		Pieces: 60, Blocks: 16,
		Play: func(w *World) error {
			drip := &webServer{Name: "drip", Rate: kb, Lag: 20 * time.Millisecond}
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 500 * kb})
			l := w.Add(Spec{Name: "L", Web: []*webServer{drip}})
			l.Knows(seed)
			ideal := time.Duration(w.Geometry.Total * int64(time.Second) / (500 * kb))
			return w.Complete(ideal + ideal/5 + 3*time.Second)
		},
	},
	{
		Name: "web-dies", Story: "A web seed that breaks off every answer, and one that is busy at first: it comes, with patience.",
		Pieces: 60, Blocks: 16,
		Play: func(w *World) error {
			dies := &webServer{Name: "dies", Rate: mb, DiesAfter: 40}
			busy := &webServer{Name: "busy", Rate: mb, Busy: 30 * time.Second}
			w.Add(Spec{Name: "L", Web: []*webServer{dies, busy}})
			if err := w.Complete(3 * time.Minute); err != nil {
				return err
			}
			alone := &webServer{Name: "alone", Rate: mb, DiesAfter: 40}
			w.Add(Spec{Name: "M", Web: []*webServer{alone}})
			return w.Complete(time.Hour)
		},
	},
	{
		Name: "web-no-ranges", Story: "A web seed without ranges: it is read from the beginning, and on.",
		Pieces: 60, Blocks: 16,
		Play: func(w *World) error {
			s := &webServer{Name: "whole", Rate: mb, Whole: true}
			l := w.Add(Spec{Name: "L", Web: []*webServer{s}})
			if err := w.Complete(time.Minute); err != nil {
				return err
			}
			if l.thrownAway() > 0 {
				return fmt.Errorf("%d bytes for nothing", l.thrownAway())
			}
			return nil
		},
	},
	{
		Name: "web-none", Story: "Web seeds that are dead, have nothing, or lie: the swarm does not notice.",
		Pieces: 60, Blocks: 8,
		Play: func(w *World) error {
			web := []*webServer{{Name: "dead", Dead: true}, {Name: "empty", Absent: true}, {Name: "liar", Rate: mb, Lie: lieAlways}}
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 200 * kb})
			all := append(w.group(4, Spec{Name: "L", Up: 100 * kb, Web: web}), seed)
			introduce(all...)
			if err := w.within(2.5, 20*time.Second); err != nil {
				return err
			}
			for _, s := range web[:2] {
				if s.asked > 40 {
					return fmt.Errorf("%s was asked %d times", s.Name, s.asked)
				}
			}
			return nil
		},
	},
	{
		Name: "web-stops", Story: "A node with a web seed whose files are held, suspended, and whose pieces get lost: it goes on each time.",
		Pieces: 60, Blocks: 16,
		Play: func(w *World) error {
			s := &webServer{Name: "web", Rate: mb}
			l := w.Add(Spec{Name: "L", Web: []*webServer{s}})
			for i := range 4 {
				if err := w.Run(2*time.Second, nil); err != nil {
					return err
				}
				l.input(func(now mono.Time) { l.swarm.Hold(now, true) })
				if err := w.Run(time.Second, nil); err != nil {
					return err
				}
				if s.conns > 0 {
					return fmt.Errorf("%d connections while the files take nothing", s.conns)
				}
				l.input(func(now mono.Time) { l.swarm.Hold(now, false) })
				l.Lose(uint32(i))
			}
			l.Stop()
			l.Start()
			return w.Complete(5 * time.Minute)
		},
	},
	{
		Name: "web-reader", Story: "Somebody reads while a web seed fetches elsewhere: it turns to what is read.",
		Pieces: 120, Blocks: 16,
		Play: func(w *World) error {
			s := &webServer{Name: "web", Rate: mb, Lag: 30 * time.Millisecond}
			l := w.Add(Spec{Name: "L", Web: []*webServer{s}})
			if err := w.Run(10*time.Second, nil); err != nil {
				return err
			}
			first := uint32(0)
			for i := range w.Geometry.Pieces { // the first gap of three that is far from every begun piece
				if !l.disk.verified.Has(i) && l.disk.parts[i] == nil {
					first = i
					break
				}
			}
			start := w.now
			l.input(func(now mono.Time) { l.swarm.Urge(now, 1, first, first+3) })
			if err := w.Run(3*time.Second, func() bool { return l.disk.verified.Has(first) && l.disk.verified.Has(first+1) }); err != nil {
				return fmt.Errorf("after %v: %w", w.now.Sub(start), err)
			}
			return nil
		},
	},
}

// webMix draws web seeds for random scenarios, from its own random source.
type webMix struct {
	rng     *rand.Rand
	servers []*webServer
}

func newWebMix(w *World) *webMix {
	m := &webMix{rng: rand.New(rand.NewPCG(w.Seed, streamWeb))}
	for i := range m.rng.IntN(4) {
		s := &webServer{
			Name: fmt.Sprintf("W%d", i),
			Rate: []int64{kb, 20 * kb, 200 * kb, mb, 0}[m.rng.IntN(5)],
			Lag:  time.Duration(m.rng.IntN(300)) * time.Millisecond,
		}
		switch m.rng.IntN(8) {
		case 0:
			s.Lie = lieAlways
		case 1:
			odd := m.rng.Uint32N(5)
			s.Lie = func(r block.Ref) bool { return (r.Piece+r.Index())%5 == odd }
		case 2:
			s.DiesAfter = 1 + m.rng.IntN(20)
		case 3:
			s.Busy = time.Duration(m.rng.IntN(60)) * time.Second
		case 4:
			s.Whole = true
		case 5:
			s.Absent, s.Dead = m.rng.IntN(2) == 0, m.rng.IntN(2) == 0
		}
		m.servers = append(m.servers, s)
	}
	return m
}

// some returns web seeds for one node, mostly none.
func (m *webMix) some() (servers []*webServer) {
	if m.rng.IntN(3) > 0 {
		return nil
	}
	for _, s := range m.servers {
		if m.rng.IntN(2) == 0 {
			servers = append(servers, s)
		}
	}
	return servers
}
