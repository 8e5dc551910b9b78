package sim

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/tracker"
	"shoal/internal/value/block"
	"shoal/internal/value/why"
)

// Scenario is one named case: events, and the required outcome.
type Scenario struct {
	Name, Story    string
	Pieces, Blocks uint32 // size of the torrent
	Play           func(w *World) error
}

// Run plays the scenario in a new world. setup, if not nil, is called with the world before
// anything happens in it.
func (s Scenario) Run(seed uint64, setup func(*World)) (*World, error) {
	w := New(seed, s.Pieces, s.Blocks)
	if setup != nil {
		setup(w)
	}
	err := s.Play(w)
	if err == nil {
		err = w.failed
	}
	if err == nil {
		err = w.audit()
	}
	if err != nil {
		err = fmt.Errorf("%s, seed %d: %w", s.Name, seed, err)
	}
	return w, err
}

const (
	kb = 1000
	mb = 1000 * kb
)

// group adds n equal nodes.
func (w *World) group(n int, spec Spec) []*Node {
	var all []*Node
	for i := range n {
		one := spec
		one.Name = fmt.Sprintf("%s%d", spec.Name, i)
		all = append(all, w.Add(one))
	}
	return all
}

// introduce tells every node the address of every other.
func introduce(nodes ...*Node) {
	for _, n := range nodes {
		for _, o := range nodes {
			if o != n {
				n.Knows(o)
			}
		}
	}
}

// meet tells every node the address of every actor, and makes every actor visit.
func meet(nodes []*Node, actors ...*Actor) {
	for _, a := range actors {
		for i, n := range nodes {
			n.Found(peerbook.Manual, a.addr)
			if i%2 == 0 {
				a.Visit(n, 5*time.Second)
			}
		}
	}
}

// within runs until everybody is complete, and compares with the ideal time.
func (w *World) within(factor float64, slack time.Duration) error {
	limit := time.Duration(factor*float64(w.Ideal())) + slack
	return w.Complete(limit)
}

// wasted fails when more than this percentage of the received bytes was thrown away.
func (w *World) wasted(percent int64) error {
	var down, waste int64
	for _, n := range w.nodes {
		s := n.swarm.Stats(w.now)
		down += s.Downloaded
		waste += s.Wasted
	}
	if 100*waste > percent*down {
		return fmt.Errorf("%d bytes of %d were thrown away, more than %d %%", waste, down, percent)
	}
	return nil
}

// audit checks every node once more at the end.
func (w *World) audit() error {
	for _, n := range w.nodes {
		if !n.up {
			continue
		}
		if err := n.swarm.CheckInvariants(); err != nil {
			return fmt.Errorf("%s: %w", n.spec.Name, err)
		}
		// A liar may be banned, an honest peer never.
		for _, o := range w.nodes {
			if n.Banned[o.host()] && o.spec.Lie == nil && !o.spec.Spoils {
				return fmt.Errorf("%s banned %s, which never lied", n.spec.Name, o.spec.Name)
			}
		}
	}
	return w.failed
}

// connections counts those between two nodes, as the first sees them.
func connections(a, b *Node) (count int) {
	for _, e := range a.ends {
		if e.other.owner == party(b) && e.shaken && !e.closed {
			count++
		}
	}
	return count
}

func lieAlways(block.Ref) bool { return true }

// Scenarios is the library.
var Scenarios = []Scenario{
	{
		Name: "ten-peers", Story: "A seed and nine peers with nothing; all bring each other what they have.",
		Pieces: 20, Blocks: 4,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 200 * kb})
			introduce(append(w.group(9, Spec{Name: "L", Up: 100 * kb}), seed)...)
			if err := w.within(2.5, 10*time.Second); err != nil {
				return err
			}
			// Nine copies were made, and the seed sent only a part of them.
			if up := seed.swarm.Stats(w.now).Uploaded; up > 5*w.Geometry.Total {
				return fmt.Errorf("the seed sent %d bytes of a torrent of %d: peers do not share", up, w.Geometry.Total)
			}
			return w.wasted(15)
		},
	},
	{
		Name: "slow-seed", Story: "The seed's uplink is the bottleneck: each piece should leave it about once.",
		Pieces: 24, Blocks: 2,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 20 * kb})
			introduce(append(w.group(6, Spec{Name: "L", Up: mb}), seed)...)
			return w.within(1.8, 20*time.Second)
		},
	},
	{
		Name: "one-liar", Story: "One of ten seems to be a seed and sends nothing but wrong content.",
		Pieces: 16, Blocks: 4,
		Play: func(w *World) error {
			liar := w.Add(Spec{Name: "X", Have: w.Full(), Up: 500 * kb, Lie: lieAlways})
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 100 * kb})
			honest := w.group(8, Spec{Name: "L", Up: 100 * kb})
			introduce(append(honest, liar, seed)...)
			if err := w.within(4, 30*time.Second); err != nil {
				return err
			}
			for _, n := range honest {
				if n.Failed > 0 && !n.Banned[liar.host()] {
					return fmt.Errorf("%s got %d bad pieces, and did not ban the liar", n.spec.Name, n.Failed)
				}
			}
			return nil
		},
	},
	{
		Name: "rare-liar", Story: "A peer lies about one block in ten: it is found out by comparing with the good copy.",
		Pieces: 24, Blocks: 6,
		Play: func(w *World) error {
			liar := w.Add(Spec{Name: "X", Have: w.Full(), Up: 300 * kb, Lie: func(r block.Ref) bool { return (r.Piece*7+r.Index())%10 == 0 }})
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 100 * kb})
			honest := w.group(5, Spec{Name: "L", Up: 100 * kb})
			introduce(append(honest, liar, seed)...)
			if err := w.within(4, 60*time.Second); err != nil {
				return err
			}
			for _, n := range honest {
				if n.Failed > 0 && !n.Banned[liar.host()] {
					return fmt.Errorf("%s got %d bad pieces, and did not ban the liar", n.spec.Name, n.Failed)
				}
			}
			return nil
		},
	},
	{
		Name: "liars-but-one", Story: "Eight liars that are fast, one honest seed that is slow.",
		Pieces: 8, Blocks: 4,
		Play: func(w *World) error {
			liars := w.group(8, Spec{Name: "X", Have: w.Full(), Up: mb, Lie: lieAlways})
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 50 * kb})
			honest := w.group(3, Spec{Name: "L", Up: 50 * kb})
			introduce(append(append(honest, liars...), seed)...)
			return w.within(6, 3*time.Minute)
		},
	},
	{
		Name: "partition", Story: "Half of the swarm is cut off from the seed for two minutes.",
		Pieces: 20, Blocks: 4,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 100 * kb})
			all := w.group(8, Spec{Name: "L", Up: 100 * kb})
			introduce(append(all, seed)...)
			w.At(5*time.Second, func() { w.Part(2*time.Minute, all[4:]...) })
			return w.within(4, 3*time.Minute)
		},
	},
	{
		Name: "churn", Story: "Peers leave, in order or without a word, and come back with what they have.",
		Pieces: 24, Blocks: 4,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 60 * kb})
			all := w.group(8, Spec{Name: "L", Up: 60 * kb})
			introduce(append(all, seed)...)
			for i, n := range all {
				out := time.Duration(5+3*i) * time.Second
				w.At(out, func() {
					switch i % 3 {
					case 0:
						n.Stop()
					case 1:
						n.Crash(false)
					case 2:
						n.Crash(true)
					}
				})
				w.At(out+time.Duration(10+7*i)*time.Second, func() {
					n.Start()
					n.Knows(append(all, seed)...)
				})
			}
			if err := w.Run(90*time.Second, nil); err != nil {
				return err
			}
			return w.within(4, 5*time.Minute)
		},
	},
	{
		Name: "stall", Story: "The fastest peer stops in the middle of a piece, and stays connected.",
		Pieces: 12, Blocks: 8,
		Play: func(w *World) error {
			stall := w.Add(Spec{Name: "X", Have: w.Full(), Up: 400 * kb, StallAfter: 37})
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 80 * kb})
			all := w.group(4, Spec{Name: "L", Up: 80 * kb})
			introduce(append(all, stall, seed)...)
			return w.within(3, 90*time.Second)
		},
	},
	{
		Name: "slow-peer-at-the-end", Story: "One block is asked of a peer that is very slow: endgame must not wait for it.",
		Pieces: 4, Blocks: 4,
		Play: func(w *World) error {
			fast := w.Add(Spec{Name: "F", Have: w.Full(), Up: 200 * kb})
			slow := w.Add(Spec{Name: "Z", Have: w.Full(), Up: kb})
			l := w.Add(Spec{Name: "L"})
			introduce(fast, slow, l)
			// The slow peer takes 16 s for a single block.
			return w.within(1, 8*time.Second)
		},
	},
	{
		Name: "seed-leaves", Story: "The only seed leaves when half is out, and returns five minutes later.",
		Pieces: 20, Blocks: 4,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 100 * kb})
			all := w.group(5, Spec{Name: "L", Up: 100 * kb})
			introduce(append(all, seed)...)
			half := func() bool { return all[0].disk.verified.Count() >= w.Geometry.Pieces/2 }
			if err := w.Run(5*time.Minute, half); err != nil {
				return err
			}
			seed.Stop()
			if err := w.Run(5*time.Minute, nil); err != nil {
				return err
			}
			// By now everybody has what the seed had sent.
			for _, n := range all[1:] {
				if n.disk.verified.Count() != all[0].disk.verified.Count() {
					return fmt.Errorf("after five minutes %s has %v, %s %v", n.spec.Name, n.disk.verified, all[0].spec.Name, all[0].disk.verified)
				}
			}
			seed.Start()
			seed.Knows(all...)
			return w.within(4, 90*time.Second)
		},
	},
	{
		Name: "no-seed", Story: "Nobody has everything, all together do.",
		Pieces: 30, Blocks: 2,
		Play: func(w *World) error {
			all := w.group(6, Spec{Name: "L", Up: 100 * kb})
			for i, n := range all {
				n.Stop()
				for p := range w.Geometry.Pieces {
					if int(p)%len(all) == i {
						n.disk.verified.Set(p)
					}
				}
				n.Start()
			}
			introduce(all...)
			return w.within(3, 20*time.Second)
		},
	},
	{
		Name: "only-choked", Story: "Two seeds never unchoke anybody: peers wait an hour without fuss, then an open seed comes.",
		Pieces: 8, Blocks: 2,
		Play: func(w *World) error {
			closed := w.group(2, Spec{Name: "X", Have: w.Full(), Selfish: true})
			all := w.group(4, Spec{Name: "L", Up: 100 * kb})
			introduce(append(all, closed...)...)
			if err := w.Run(time.Minute, nil); err != nil {
				return err
			}
			before := w.steps
			if err := w.Run(time.Hour, nil); err != nil {
				return err
			}
			// Choke rounds and keep-alives: a few events a minute for each peer.
			if n := w.steps - before; n > 6*60*60 {
				return fmt.Errorf("%d events in an hour of waiting", n)
			}
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 100 * kb})
			seed.Knows(all...)
			return w.within(3, 30*time.Second)
		},
	},
	{
		Name: "many-pieces", Story: "Ten thousand pieces of one block each.",
		Pieces: 10_000, Blocks: 1,
		Play: func(w *World) error {
			w.Every = 2000
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 50 * mb})
			introduce(append(w.group(2, Spec{Name: "L", Up: 50 * mb}), seed)...)
			if err := w.within(3, 20*time.Second); err != nil {
				return err
			}
			return w.wasted(3)
		},
	},
	{
		Name: "many-peers", Story: "A hundred and twenty peers that may have thirty connections each.",
		Pieces: 8, Blocks: 2,
		Play: func(w *World) error {
			w.Every = 200
			tr := w.AddTracker()
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 500 * kb, MaxPeers: 30, Tracker: true})
			w.group(119, Spec{Name: "L", Up: 500 * kb, MaxPeers: 30, Tracker: true})
			_ = seed
			if err := w.within(10, 3*time.Minute); err != nil {
				return err
			}
			if err := w.Run(time.Second, nil); err != nil {
				return err
			}
			if n := tr.Events[tracker.Completed]; n != 119 {
				return fmt.Errorf("%d announced that they are complete", n)
			}
			return nil
		},
	},
	{
		Name: "trackerless", Story: "Sixteen DHT nodes, each of which knows one or two others; peers are found through them alone.",
		Pieces: 10, Blocks: 2,
		Play: func(w *World) error {
			w.loss = 0.03
			all := w.group(16, Spec{Name: "D", Up: 200 * kb, DHT: true})
			for i, n := range all[1:] {
				n.Bootstrap(all[i], all[i/2])
			}
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 200 * kb, DHT: true})
			seed.Bootstrap(all[7])
			return w.within(3, 5*time.Minute)
		},
	},
	{
		Name: "private", Story: "A private torrent (BEP 27) keeps out of the DHT and takes peers from the tracker only.",
		Pieces: 8, Blocks: 2,
		Play: func(w *World) error {
			w.AddTracker()
			outsider := w.Add(Spec{Name: "O", Have: w.Full()})
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 200 * kb, Tracker: true, Private: true, DHT: true})
			all := append(w.group(3, Spec{Name: "L", Up: 200 * kb, Tracker: true, Private: true, DHT: true}), seed)
			for _, n := range all {
				n.Found(peerbook.DHT, outsider.addr)
				n.Found(peerbook.PEX, outsider.addr)
			}
			if err := w.within(3, 3*time.Minute); err != nil {
				return err
			}
			for _, n := range all {
				if connections(n, outsider) > 0 {
					return fmt.Errorf("%s found a peer that the tracker did not name", n.spec.Name)
				}
				if n.dht.lookup != 0 {
					return fmt.Errorf("%s looked for peers in the DHT", n.spec.Name)
				}
			}
			return nil
		},
	},
	{
		Name: "crossing-dials", Story: "Everybody dials everybody at the same moment: one connection for each pair stays.",
		Pieces: 12, Blocks: 4,
		Play: func(w *World) error {
			all := w.group(8, Spec{Name: "L", Up: 40 * kb, Have: w.Some(30)})
			all = append(all, w.Add(Spec{Name: "S", Up: 40 * kb, Have: w.Full()}))
			introduce(all...)
			if err := w.Run(5*time.Second, nil); err != nil {
				return err
			}
			dropped := 0
			for i, a := range all {
				dropped += a.Drops[why.Duplicate]
				for _, b := range all[:i] {
					if n, m := connections(a, b), connections(b, a); n != 1 || m != 1 {
						return fmt.Errorf("%s has %d connections to %s, and %d the other way", a.spec.Name, n, b.spec.Name, m)
					}
				}
			}
			if dropped == 0 {
				return errors.New("no dials crossed")
			}
			return w.within(3, 30*time.Second)
		},
	},
	{
		Name: "peace", Story: "When everybody has everything, connections end, and hardly anybody dials any more.",
		Pieces: 6, Blocks: 2,
		Play: func(w *World) error {
			all := w.group(6, Spec{Name: "L", Up: 50 * kb, Have: w.Some(40)})
			all = append(all, w.Add(Spec{Name: "S", Up: 50 * kb, Have: w.Full()}))
			introduce(all...)
			if err := w.within(3, 30*time.Second); err != nil {
				return err
			}
			if err := w.Run(time.Minute, nil); err != nil {
				return err
			}
			before := 0
			for _, n := range all {
				if before += n.Dials; len(n.ends) > 0 {
					return fmt.Errorf("%s still has connections: %s", n.spec.Name, n.standing())
				}
			}
			if err := w.Run(2*time.Hour, nil); err != nil {
				return err
			}
			dials := -before
			for _, n := range all {
				dials += n.Dials
			}
			// Each address is dialled every half hour by those that know it.
			if most := 5 * len(all) * (len(all) - 1); dials > most {
				return fmt.Errorf("%d dials in two hours, at most %d are of use", dials, most)
			}
			return nil
		},
	},
	{
		Name: "known-twice", Story: "Nobody can complete, and everybody has dialled everybody: connections stay as they are.",
		Pieces: 6, Blocks: 2,
		Play: func(w *World) error {
			closed := w.Add(Spec{Name: "X", Have: w.Full(), Selfish: true})
			all := append(w.group(6, Spec{Name: "L"}), closed)
			introduce(all...)
			if err := w.Run(time.Minute, nil); err != nil {
				return err
			}
			before := 0
			for _, n := range all {
				before += n.Dials
			}
			if err := w.Run(time.Hour, nil); err != nil {
				return err
			}
			for _, n := range all {
				before -= n.Dials
			}
			if before != 0 {
				return fmt.Errorf("%d dials to peers that are connected already", -before)
			}
			return nil
		},
	},
	{
		Name: "self", Story: "The tracker names a node to itself, as trackers do: it is dialled once and never again.",
		Pieces: 4, Blocks: 2,
		Play: func(w *World) error {
			tr := w.AddTracker()
			tr.Interval = 2 * time.Minute
			l := w.Add(Spec{Name: "L", Tracker: true})
			if err := w.Run(time.Hour, nil); err != nil {
				return err
			}
			if l.Dials != 1 || l.Drops[why.SelfConnect] == 0 {
				return fmt.Errorf("it dialled %d times, and dropped %v", l.Dials, l.Drops)
			}
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Tracker: true})
			_ = seed
			return w.within(3, 10*time.Minute)
		},
	},
	{
		Name: "wrong-peer-id", Story: "The tracker promises another peer id than the one that answers (BEP 3: sever).",
		Pieces: 4, Blocks: 2,
		Play: func(w *World) error {
			tr := w.AddTracker()
			var impostor *Node
			tr.Promise = func(n *Node) []byte {
				if n == impostor {
					return []byte("-SO0100-somebodyelse")
				}
				return n.id[:]
			}
			impostor = w.Add(Spec{Name: "I", Have: w.Full(), Tracker: true})
			if err := w.Run(time.Second, nil); err != nil {
				return err
			}
			l := w.Add(Spec{Name: "L", Tracker: true})
			if err := w.Run(30*time.Second, nil); err != nil {
				return err
			}
			if l.Drops[why.WrongPeerID] == 0 || l.disk.verified.Count() > 0 {
				return fmt.Errorf("it dropped %v and has %v", l.Drops, l.disk.verified)
			}
			w.Add(Spec{Name: "S", Have: w.Full(), Tracker: true})
			return w.within(3, 2*time.Minute)
		},
	},
	{
		Name: "late-bitfield", Story: "A seed sends its bitfield after a while, and then again and again.",
		Pieces: 8, Blocks: 2,
		Play: func(w *World) error {
			late := func(to *Conn, control []byte) []byte {
				const bits = 5 + 1 // of eight pieces
				if len(control) < bits || control[4] != 5 {
					return control
				}
				field := append([]byte(nil), control[:bits]...)
				for _, d := range []time.Duration{8, 9, 15} {
					w.after(d*time.Second, func() { to.write(field, nil) })
				}
				return control[bits:]
			}
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 20 * kb, Twist: late, NoFast: true})
			all := w.group(3, Spec{Name: "L", Up: 20 * kb})
			introduce(append(all, seed)...)
			if err := w.Run(7*time.Second, nil); err != nil {
				return err
			}
			for _, n := range all {
				if n.disk.verified.Count() > 0 || len(n.ends) == 0 {
					return fmt.Errorf("%s is where it should not be: %s", n.spec.Name, n.standing())
				}
			}
			return w.Complete(3 * time.Minute)
		},
	},
	{
		Name: "resets", Story: "Every few seconds a connection breaks.",
		Pieces: 16, Blocks: 4,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 60 * kb})
			all := append(w.group(6, Spec{Name: "L", Up: 60 * kb}), seed)
			introduce(all...)
			stop := w.breakConnections(3*time.Second, all)
			if err := w.Run(2*time.Minute, nil); err != nil {
				return err
			}
			stop()
			return w.within(3, 5*time.Minute)
		},
	},
	{
		Name: "half-open", Story: "The only seed vanishes without a word, and another comes: who is silent is let go.",
		Pieces: 16, Blocks: 4,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 30 * kb})
			all := w.group(3, Spec{Name: "L", Up: 30 * kb, MaxPeers: 3})
			introduce(append(all, seed)...)
			if err := w.Run(10*time.Second, nil); err != nil {
				return err
			}
			seed.Crash(true)
			if err := w.Run(4*time.Minute, nil); err != nil {
				return err
			}
			for _, n := range all {
				if n.Drops[why.Silent] != 1 {
					return fmt.Errorf("%s dropped %v after four minutes", n.spec.Name, n.Drops)
				}
			}
			other := w.Add(Spec{Name: "S2", Have: w.Full(), Up: 30 * kb})
			other.Knows(all...)
			return w.within(3, 30*time.Second)
		},
	},
	{
		Name: "turnover", Story: "Every place is taken by peers that have all pieces and send nothing; another peer waits.",
		Pieces: 16, Blocks: 4,
		Play: func(w *World) error {
			greedy := w.group(4, Spec{Name: "G", Have: w.Full(), Selfish: true})
			l := w.Add(Spec{Name: "L", Up: 100 * kb, MaxPeers: 4})
			for _, g := range greedy {
				g.Found(peerbook.Tracker, l.addr)
			}
			if err := w.Run(10*time.Second, nil); err != nil {
				return err
			}
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 100 * kb})
			l.Found(peerbook.Tracker, seed.addr)
			if err := w.within(2, 3*time.Minute); err != nil {
				return err
			}
			if n := l.Drops[why.OthersWait]; n != 1 {
				return fmt.Errorf("%d lost their places", n)
			}
			return nil
		},
	},
	{
		Name: "disk-fails", Story: "Some pieces cannot be written, and one goes bad on the seed's disk.",
		Pieces: 12, Blocks: 4,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 100 * kb})
			other := w.Add(Spec{Name: "S2", Have: w.Full(), Up: 20 * kb})
			all := w.group(3, Spec{Name: "L", Up: 100 * kb, DiskDelay: 2 * time.Second})
			introduce(append(all, seed, other)...)
			all[0].FailWrites(5)
			w.At(2*time.Second, func() { seed.Lose(3) })
			return w.within(4, time.Minute)
		},
	},
	{
		Name: "far-away", Story: "Two seconds to everywhere: the request windows must grow to fill such a path.",
		Pieces: 40, Blocks: 8,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 400 * kb, Lag: time.Second})
			l := w.Add(Spec{Name: "L", Lag: time.Second})
			introduce(seed, l)
			return w.within(1.5, 40*time.Second)
		},
	},
}

// with is the scenario of a small swarm with an actor.
func with(make func() *Actor) Scenario {
	return Scenario{
		Name: "with-" + make().Name, Story: "A small swarm, and two peers that do not keep to the rules.",
		Pieces: 12, Blocks: 4,
		Play: func(w *World) error {
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 60 * kb})
			all := append(w.group(3, Spec{Name: "L", Up: 60 * kb}), seed)
			introduce(all...)
			meet(all, w.Cast(make()), w.Cast(make()))
			return w.within(4, 2*time.Minute)
		},
	}
}

// All is the library, with a case for every actor.
func All() []Scenario {
	all := slices.Concat(Scenarios, wanted, economy, resting, webScenarios, learning, fullTorrents, idle())
	for _, make := range cast {
		all = append(all, with(make))
	}
	return all
}
