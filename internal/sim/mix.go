package sim

import (
	"errors"
	"fmt"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/choker"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// Mix is a scenario drawn from a seed: some honest peers, some of them with pieces, perhaps some
// that lie, stall, or take without giving, perhaps some actors, found in one of three ways, on good
// and bad links. For a while connections break, hosts are cut off, disks fail, peers come and go.
//
// It has two parts. While there are faults, nothing may go wrong that is in our hands: the
// invariants hold, and nobody bans an honest peer. Then the faults end, an honest seed arrives, and
// every peer must complete in time.
func Mix(seed uint64) Scenario {
	// The size is drawn from the seed alone, since the world is created with it.
	pieces := 3 + uint32(seed*2654435761>>7%30)
	blocks := 1 + uint32(seed*40503>>5%6)
	return Scenario{
		Name: "mix", Story: "whatever the seed brings",
		Pieces: pieces, Blocks: min(blocks, 240/pieces+1),
		Play: func(w *World) error { return (&mix{w: w, web: newWebMix(w), magnets: newLearnMix(w)}).play() },
	}
}

// mix is a random scenario in progress.
type mix struct {
	w       *World
	honest  []*Node
	bad     []*Node
	actors  []*Actor
	others  int // number of peers that are not honest
	way     int // how peers find each other
	web     *webMix
	magnets *learnMix
	over    bool
}

// How peers find each other.
const (
	byHand = iota
	byTracker
	byDHT
	meetings
)

func (m *mix) dice(n int) int { return m.w.chance.IntN(n) }

// between draws a duration.
func (m *mix) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(m.w.chance.Int64N(int64(hi-lo)))
}

func (m *mix) play() error {
	w := m.w
	m.people()
	m.trouble()
	if err := w.Run(m.between(20*time.Second, 2*time.Minute), nil); err != nil {
		return err
	}
	m.heal()
	if err := w.Complete(10*time.Minute + 20*w.Ideal()); err != nil {
		return err
	}
	return m.after()
}

// spec draws the properties of an honest node.
func (m *mix) spec(name string) Spec {
	s := Spec{
		Name: name,
		Up:   []int64{20 * kb, 50 * kb, 100 * kb, 300 * kb, mb, 0}[m.dice(6)],
		Lag:  []time.Duration{time.Millisecond, 10 * time.Millisecond, 50 * time.Millisecond, 200 * time.Millisecond, time.Second}[m.dice(5)],
	}
	if m.dice(3) == 0 {
		s.DiskDelay = m.between(time.Millisecond, 3*time.Second)
	}
	if m.dice(4) == 0 {
		s.Slots = 1 + m.dice(4)
	}
	if m.dice(5) == 0 {
		// Room for two honest peers beside all others: a node whose connections all go to peers
		// that give nothing is helpless.
		s.MaxPeers = 2 + m.dice(5) + m.others
	}
	s.Web = m.web.some()
	s.NoFast = m.dice(4) == 0
	s.InOrder, s.SeedChoke = m.dice(5) == 0, choker.Algorithm(m.dice(3))
	s.Tracker, s.DHT = m.way == byTracker, m.way == byDHT
	return s
}

// people creates all peers.
func (m *mix) people() {
	w := m.w
	m.way = m.dice(meetings)
	misfits, actors := max(0, m.dice(6)-2), max(0, m.dice(5)-2)
	m.others = misfits + actors
	if m.way == byTracker {
		w.AddTracker().Interval = time.Minute
	}
	for i := range 2 + m.dice(9) {
		s := m.spec(fmt.Sprintf("L%d", i))
		if m.dice(2) == 0 {
			s.Have = w.Some(m.dice(60))
		}
		s.Magnet = m.magnets.begins(s)
		m.honest = append(m.honest, w.Add(s))
	}
	if m.dice(4) > 0 {
		s := m.spec("S")
		s.Have, s.SeedOnly, s.SuperSeed = w.Full(), m.dice(2) == 0, swarm.SuperSeed(m.dice(3))
		m.honest = append(m.honest, w.Add(s))
	}
	for i := range misfits {
		m.bad = append(m.bad, w.Add(m.misfit(fmt.Sprintf("X%d", i))))
	}
	for range actors {
		m.actors = append(m.actors, w.Cast(cast[m.dice(len(cast))]()))
	}
	all := append(append([]*Node(nil), m.honest...), m.bad...)
	switch m.way {
	case byHand:
		for _, n := range all {
			for _, o := range all {
				if n != o && m.dice(3) > 0 {
					n.Knows(o)
				}
			}
		}
	case byDHT:
		for i, n := range all[1:] {
			n.Bootstrap(all[i], all[0])
		}
	}
	meet(m.honest, m.actors...)
}

// misfit draws a node that is not honest.
func (m *mix) misfit(name string) Spec {
	s := m.spec(name)
	s.Have = m.w.Full()
	every := uint32(2 + m.dice(9))
	switch m.dice(5) {
	case 0:
		s.Lie = lieAlways
	case 1:
		s.Lie = func(r block.Ref) bool { return (r.Piece*13+r.Index())%every == 0 }
	case 2:
		s.StallAfter = int64(1 + m.dice(30))
	case 3:
		s.Selfish = true
	case 4:
		s.Have, s.Selfish = nil, true
	}
	s.Spoils = m.magnets.spoils()
	return s
}

// trouble plans the faults.
func (m *mix) trouble() {
	w := m.w
	if m.dice(2) == 0 {
		w.loss = float64(m.dice(30)) / 100
	}
	if m.dice(2) == 0 {
		m.repeat(m.between(time.Second, 20*time.Second), func() {
			n := m.honest[w.faults.IntN(len(m.honest))]
			if !n.up || len(n.ends) == 0 {
				return
			}
			e := n.ends[w.faults.IntN(len(n.ends))]
			if w.faults.IntN(4) == 0 {
				e.silence()
			} else {
				e.reset()
			}
		})
	}
	if m.dice(3) == 0 {
		m.repeat(m.between(10*time.Second, 60*time.Second), func() {
			w.Part(time.Duration(w.faults.Int64N(int64(40*time.Second))), m.honest[:w.faults.IntN(len(m.honest))]...)
		})
	}
	if m.dice(3) == 0 {
		m.repeat(m.between(5*time.Second, 30*time.Second), func() {
			n := m.honest[w.faults.IntN(len(m.honest))]
			switch w.faults.IntN(3) {
			case 0:
				n.FailWrites(1 + w.faults.IntN(3))
			case 1:
				if n.up && !n.spec.SeedOnly && !n.swarm.NoMetadata() {
					n.Lose(uint32(w.faults.IntN(int(w.Geometry.Pieces))))
				}
			case 2:
				n.input(func(now mono.Time) { n.swarm.SetSlots(w.faults.IntN(6)) })
			}
		})
	}
	if m.dice(3) == 0 {
		m.repeat(m.between(5*time.Second, 30*time.Second), m.churn)
	}
	if m.dice(3) == 0 {
		m.repeat(m.between(2*time.Second, 15*time.Second), func() {
			m.whim(m.honest[w.faults.IntN(len(m.honest))])
		})
	}
}

// whim makes a user change the selection, a reader move, or files refuse writes for a while.
func (m *mix) whim(n *Node) {
	if n.up && n.swarm.NoMetadata() {
		return // there is nothing to select from yet
	}
	f, pieces := m.w.faults, m.w.Geometry.Pieces
	switch f.IntN(6) {
	case 0:
		prio := make([]uint8, pieces)
		for i := range prio {
			prio[i] = uint8(f.IntN(4))
		}
		n.Select(prio)
	case 1, 2:
		from := uint32(f.IntN(int(pieces)))
		n.Urge(uint32(f.IntN(3)), from, min(from+uint32(f.IntN(6)), pieces))
	case 3:
		n.Hold(f.IntN(2) == 0)
	case 4:
		n.Suspend(f.IntN(2) == 0)
	case 5:
		// A file goes away, and comes back a little later.
		piece := uint32(f.IntN(int(pieces)))
		if n.up && !n.spec.SeedOnly && n.disk.verified.Has(piece) {
			n.Lose(piece)
			life := n.life
			m.w.after(time.Duration(f.Int64N(int64(10*time.Second))), func() {
				if n.life == life {
					n.Regain(piece)
				}
			})
		}
	}
}

// calm ends all whims.
func (m *mix) calm(n *Node) {
	for reader := range uint32(3) {
		n.Urge(reader, 0, 0)
	}
	n.Suspend(false)
	n.Hold(false)
	n.Select(nil)
}

// churn makes a peer leave, or come back.
func (m *mix) churn() {
	n := m.honest[m.w.faults.IntN(len(m.honest))]
	switch m.w.faults.IntN(3) {
	case 0:
		n.Stop()
	case 1:
		n.Crash(true)
	case 2:
		n.Crash(false)
	}
	m.w.after(time.Duration(m.w.faults.Int64N(int64(30*time.Second))), func() { m.revive(n) })
}

// revive restarts a node, as a user would.
func (m *mix) revive(n *Node) {
	if n.up {
		return
	}
	n.Start()
	switch m.way {
	case byHand:
		n.Knows(m.honest...)
	case byDHT:
		n.Bootstrap(m.honest...)
	}
}

// repeat calls do at intervals until the faults are over.
func (m *mix) repeat(every time.Duration, do func()) {
	m.w.after(every, func() {
		if !m.over {
			do()
			m.repeat(every, do)
		}
	})
}

// heal ends all faults. A seed arrives that everybody can find.
func (m *mix) heal() {
	w := m.w
	m.over = true
	w.loss, w.healsAt = 0, w.now
	for _, n := range m.honest {
		n.FailWrites(0)
		m.revive(n)
		n.input(func(now mono.Time) { n.swarm.SetSlots(4) })
		m.calm(n)
	}
	if m.dice(2) == 0 {
		for _, a := range m.actors {
			a.Leave()
		}
	}
	s := Spec{Name: "R", Have: w.Full(), Up: 200 * kb, Tracker: m.way == byTracker, DHT: m.way == byDHT}
	rescuer := w.Add(s)
	switch m.way {
	case byHand:
		rescuer.Knows(m.honest...)
	case byDHT:
		rescuer.Bootstrap(m.honest...)
	}
	m.honest = append(m.honest, rescuer)
}

// after checks the end state: complete peers disconnect from each other.
func (m *mix) after() error {
	// Data delayed by a partition arrives up to forty seconds after the faults are over.
	if err := m.w.Run(45*time.Second, nil); err != nil {
		return err
	}
	for i, a := range m.honest {
		if !a.swarm.Complete() {
			return errors.New(a.spec.Name + " was complete, and is not")
		}
		for _, b := range m.honest[:i] {
			for _, e := range a.ends {
				if e.other.owner == party(b) && !e.other.closed && !e.void && m.w.now.Sub(e.since) > 15*time.Second {
					return fmt.Errorf("%s and %s are seeds, and have a connection", a.spec.Name, b.spec.Name)
				}
			}
		}
	}
	return nil
}
