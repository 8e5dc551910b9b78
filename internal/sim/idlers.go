package sim

import (
	"fmt"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// idleWays are kinds of peers that are interested and do not use a slot: what they do when they are
// unchoked, and how fast they read.
var idleWays = []idleWay{
	{name: "nothing"},
	{name: "one-block", unchoked: func(i *idler) { i.request(block.Size, 1) }},
	{name: "one-block-a-minute", unchoked: func(i *idler) { i.each(time.Minute, func() { i.request(block.Size, 1) }) }},
	{name: "a-byte-a-second", always: true, unchoked: func(i *idler) { i.each(time.Second, func() { i.request(1, 1) }) }},
	{name: "read-nothing", reads: -1, unchoked: func(i *idler) { i.request(block.Size, 240) }},
	{name: "read-a-trickle", reads: 1 << 10, unchoked: func(i *idler) { i.request(block.Size, 240) }},
	{name: "cancel", reads: -1, unchoked: func(i *idler) {
		i.each(100*time.Millisecond, func() {
			i.request(block.Size, 4)
			i.e.write(wire.AppendCancel(nil, i.last), nil)
		})
	}},
	{name: "cancel-later", unchoked: func(i *idler) {
		i.each(700*time.Millisecond, func() {
			i.e.write(wire.AppendCancel(nil, i.last), nil)
			i.request(8, 1)
		})
	}},
	{name: "same-block-again", again: true, unchoked: func(i *idler) { i.each(100*time.Millisecond, func() { i.request(block.Size, 4) }) }},
	{name: "change-their-mind", always: true, unchoked: func(i *idler) {
		i.each(1200*time.Millisecond, func() {
			if i.flips = !i.flips; i.flips {
				i.e.write(wire.AppendSimple(nil, wire.NotInterested), nil)
			} else {
				i.e.write(wire.AppendSimple(nil, wire.Interested), nil)
			}
		})
	}},
}

type idleWay struct {
	name     string
	reads    int64 // see Actor.Reads
	always   bool  // continues while choked
	again    bool  // requests the same block every time
	unchoked func(*idler)
}

// idler is a peer of one of these kinds, on one connection.
type idler struct {
	idleWay
	w     *World
	a     *Actor
	e     *Conn
	since time.Duration // time of its unchoke
	turn  int           // number of unchokes and chokes
	next  uint32        // number of blocks requested
	last  block.Ref
	flips bool
}

// request requests n blocks, or n bytes of one.
func (i *idler) request(bytes uint32, blocks int) {
	var b []byte
	for range blocks {
		g := i.w.Geometry
		i.last = g.Block(i.next/4%(g.Pieces-1), i.next%4)
		if !i.again {
			i.next++
		}
		i.last.Length = min(bytes, i.last.Length)
		b = wire.AppendRequest(b, i.last)
	}
	i.e.write(b, nil)
}

// each calls do at intervals until it is choked, or the connection ends.
func (i *idler) each(every time.Duration, do func()) {
	turn := i.turn
	i.a.repeat(i.e, every, func() {
		if i.always || turn == i.turn {
			do()
		}
	})
}

// castIdler casts an idler that visits a node. hurried is called when the node chokes it too soon
// after an unchoke.
func (w *World) castIdler(way idleWay, to *Node, number int, hurried func(held time.Duration)) {
	on := make(map[*Conn]*idler)
	w.Cast(&Actor{
		Name: fmt.Sprintf("I%d", number), Reads: way.reads,
		Begin: func(a *Actor, e *Conn) {
			e.write(wire.AppendSimple(nil, wire.Interested), nil)
			i := &idler{idleWay: way, w: w, a: a, e: e}
			if on[e] = i; way.always && way.unchoked != nil {
				way.unchoked(i)
			}
		},
		Hear: func(_ *Actor, e *Conn, m wire.Message) {
			i := on[e]
			switch {
			case i == nil:
			case m.ID == wire.Unchoke:
				i.since = w.Now()
				if i.turn++; !way.always && way.unchoked != nil {
					way.unchoked(i)
				}
			case m.ID == wire.Choke:
				i.turn++
				if held := w.Now() - i.since; held < 4*time.Second && way.name != "change-their-mind" {
					hurried(held)
				}
			}
		},
	}).Visit(to, 5*time.Second)
}

// idle are crowds that do not use their slots, and a newcomer that does: each kind alone and all
// together, at a seed and at a leecher, with a free place and without, with an upload limit and
// without.
func idle() (all []Scenario) {
	for _, ways := range append(single(idleWays), idleWays) {
		name := "all-ways"
		if len(ways) == 1 {
			name = ways[0].name
		}
		for _, at := range []struct {
			name string
			idleHouse
		}{
			{"a-seed", idleHouse{pieces: 12}},
			{"a-full-seed", idleHouse{pieces: 12, full: true}},
			{"a-limited-seed", idleHouse{pieces: 12, limit: true}},
			{"a-superseed", idleHouse{pieces: 12, super: swarm.SuperSeedOn}},
			{"a-leecher", idleHouse{pieces: 6}},
		} {
			at.kinds = ways
			all = append(all, Scenario{
				Name:   "idle-" + name + "-at-" + at.name,
				Story:  "Sixty that are interested and make no use of a slot do not keep a newcomer from it.",
				Pieces: 12, Blocks: 4, Play: at.play,
			})
		}
	}
	return all
}

func single(ways []idleWay) (all [][]idleWay) {
	for i := range ways {
		all = append(all, ways[i:i+1])
	}
	return all
}

// idleHouse is a peer with some of twelve pieces, and sixty idlers connected to it.
type idleHouse struct {
	kinds  []idleWay
	pieces uint32
	full   bool // the idlers have all places
	limit  bool // it knows the capacity of its uplink
	super  swarm.SuperSeed
}

func (h idleHouse) play(w *World) error {
	have := bitfield.New(12)
	for i := range h.pieces {
		have.Set(i)
	}
	spec := Spec{Name: "S", Have: have, Up: 2 * mb, UpKnown: h.limit, SuperSeed: h.super}
	if h.full {
		spec.MaxPeers = 60
	}
	s := w.Add(spec)
	var hurry error
	hurried := func(held time.Duration) { hurry = fmt.Errorf("choked %v after an unchoke", held) }
	for i := range 60 { // one after the other
		w.castIdler(h.kinds[i%len(h.kinds)], s, i, hurried)
		if err := w.Run(30*time.Millisecond, nil); err != nil {
			return err
		}
	}
	l := w.Add(Spec{Name: "L", Up: 2 * mb})
	l.Knows(s)
	began := w.Now()
	enough := min(h.pieces, 3) // a super-seed reveals no more at first
	patience := 12 * time.Second
	if h.pieces < w.Geometry.Pieces {
		patience = 18 * time.Second // see choker/trial.go
	}
	if err := w.Run(patience, func() bool { return l.disk.verified.Count() >= enough }); err != nil {
		return fmt.Errorf("%w\n%s", err, w.standing())
	}
	first := w.Now() - began
	if err := w.Run(30*time.Second, func() bool { return l.disk.verified.Count() == h.pieces }); err != nil {
		return fmt.Errorf("first pieces after %v: %w\n%s", first, err, w.standing())
	}
	if err := w.Run(2*time.Minute, nil); err != nil {
		return err
	}
	return hurry
}
