package sim

import (
	"fmt"
	"time"

	"shoal/internal/bitfield"
	"shoal/internal/block"
	"shoal/internal/swarm"
	"shoal/internal/why"
	"shoal/internal/wire"
)

// places is who has a place in a torrent that is full.
var places = []Scenario{
	{
		Name: "full-house", Story: "Twelve that shook hands, have nothing and ask for nothing hold all places: the only seed gets in, whether it comes or is dialled.",
		Pieces: 12, Blocks: 4,
		Play: func(w *World) error {
			waits := w.Add(Spec{Name: "W", MaxPeers: 12, Up: 200 * kb})
			dials := w.Add(Spec{Name: "D", MaxPeers: 12, Up: 200 * kb})
			for i := range 12 {
				a := w.Cast(&Actor{Name: fmt.Sprintf("A%d", i)})
				for _, n := range []*Node{waits, dials} {
					a.Visit(n, 5*time.Second) // and again, as soon as it is sent away
				}
			}
			if err := w.Run(20*time.Second, nil); err != nil {
				return err
			}
			seed := w.Add(Spec{Name: "S", Have: w.Full(), Up: 200 * kb})
			seed.Knows(waits)
			dials.Knows(seed)
			if err := w.within(3, 60*time.Second); err != nil {
				return err
			}
			if waits.Drops[why.OthersWait] == 0 || dials.Drops[why.OthersWait] == 0 {
				return fmt.Errorf("nobody gave a place up: %v and %v", waits.Drops, dials.Drops)
			}
			return nil
		},
	},
	idleSlots("idle-slots-of-a-seed", "Sixty that are interested and take next to nothing do not keep a newcomer from a seed's slots.", 12),
	idleSlots("idle-slots-of-a-leecher", "Sixty that are interested and take next to nothing do not keep a newcomer from the slots of a peer that lacks half.", 6),
}

// idleSlots is a peer with so many of twelve pieces, sixty idlers, and then a newcomer.
func idleSlots(name, story string, pieces uint32) Scenario {
	return Scenario{
		Name: name, Story: story, Pieces: 12, Blocks: 4,
		Play: func(w *World) error {
			have := bitfield.New(12)
			for i := range pieces {
				have.Set(i)
			}
			s := w.Add(Spec{Name: "S", Have: have, Up: 400 * kb, SuperSeed: swarm.SuperSeedOff})
			var hurry error
			hurried := func(held time.Duration) { hurry = fmt.Errorf("choked %v after an unchoke", held) }
			for i := range 60 { // one after the other
				idler(w, s, i, hurried)
				if err := w.Run(30*time.Millisecond, nil); err != nil {
					return err
				}
			}
			l := w.Add(Spec{Name: "L", Up: 400 * kb})
			l.Knows(s)
			if err := w.Run(12*time.Second, func() bool { return l.disk.verified.Count() == pieces }); err != nil {
				return err
			}
			if err := w.Run(2*time.Minute, nil); err != nil {
				return err
			}
			return hurry
		},
	}
}

// idler casts a peer that wants something from a node and makes no use of its slot, in one of
// three ways by its number. hurried is called when it is choked too soon after it was unchoked.
func idler(w *World, to *Node, number int, hurried func(held time.Duration)) {
	var since time.Duration
	asks := block.Ref{Length: block.Size}
	w.Cast(&Actor{
		Name: fmt.Sprintf("I%d", number),
		Begin: func(a *Actor, e *Conn) {
			e.write(wire.AppendSimple(nil, wire.Interested), nil)
			if number%3 == 2 { // a byte each second, also while it is choked
				asks.Length = 1
				a.repeat(e, time.Second, func() { e.write(wire.AppendRequest(nil, asks), nil) })
			}
		},
		Hear: func(_ *Actor, e *Conn, m wire.Message) {
			switch m.ID {
			case wire.Unchoke:
				since = w.Now()
				if number%3 == 1 { // one block a turn
					e.write(wire.AppendRequest(nil, asks), nil)
				}
			case wire.Choke:
				if held := w.Now() - since; held < 4*time.Second {
					hurried(held)
				}
			}
		},
	}).Visit(to, 5*time.Second)
}
