package sim

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
	"shoal/metainfo"
)

// Sources of randomness. Each has its own stream, so that a change in one part of a world leaves
// the draws of the others unchanged.
const (
	streamNet = 1 + iota
	streamFaults
	streamScenario
	streamNode // + number of the node

	streamWeb   = 1 << 62
	streamLearn = 1<<62 + 1
)

// maxSteps ends a simulation that loops.
const maxSteps = 5_000_000

// World is one simulation. It is not safe for concurrent use.
type World struct {
	Seed     uint64
	Geometry metainfo.Geometry
	bounds   wire.Bounds // bounds of messages for the geometry
	InfoHash [20]byte
	Metadata []byte // what nodes serve, and nodes with Spec.Magnet start without; nil for none

	now    mono.Time
	events queue
	steps  int
	failed error

	net    *rand.Rand // delays, losses, segment boundaries
	faults *rand.Rand // faults and their times
	chance *rand.Rand // what a scenario draws

	nodes  []*Node
	actors []*Actor

	listeners map[netip.AddrPort]party // parties that accept connections, by address
	sockets   map[netip.AddrPort]*Node // DHT nodes, by address
	hosts     int
	ports     int // ports of connections, assigned to diallers

	// The network as a whole.
	island  map[netip.Addr]bool // hosts on the far side of a partition
	healsAt mono.Time           // end of the partition
	loss    float64             // fraction of datagrams lost

	tracker *Tracker

	// Every is the number of events between two checks of a node's invariants.
	Every int
	// Trace, if set, receives what every node records.
	Trace func(who *Node, r trace.Record)
	hash  uint64
	lines int
}

// New returns an empty world with a torrent of this many pieces and blocks per piece. The last
// block is a short one.
func New(seed uint64, pieces, blocks uint32) *World {
	const blockSize = 16 << 10
	length := blocks * blockSize
	g := metainfo.Geometry{
		Total: int64(pieces)*int64(length) - blockSize + 5000, PieceLength: length, Pieces: pieces,
	}
	w := &World{
		Seed: seed, Geometry: g, bounds: wire.BoundsOf(g, g.Pieces), now: mono.Start, hash: fnvOffset, Every: 1,
		net:       rand.New(rand.NewPCG(seed, streamNet)),
		faults:    rand.New(rand.NewPCG(seed, streamFaults)),
		chance:    rand.New(rand.NewPCG(seed, streamScenario)),
		listeners: make(map[netip.AddrPort]party), sockets: make(map[netip.AddrPort]*Node),
		island: make(map[netip.Addr]bool),
	}
	for i := range w.InfoHash {
		w.InfoHash[i] = byte(seed>>(i%8*8)) ^ byte(i*31)
	}
	return w
}

// address returns a new address for a host, in the range reserved for benchmarks (RFC 2544).
func (w *World) address() netip.AddrPort {
	w.hosts++
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 18, byte(w.hosts >> 8), byte(w.hosts)}), 6881)
}

// Now returns the time since the start of the world.
func (w *World) Now() time.Duration { return w.now.Sub(mono.Start) }

// At calls do at a time since the start of the world, or now if that time has passed.
func (w *World) At(d time.Duration, do func()) { w.at(mono.Start.Add(d), do) }

func (w *World) after(d time.Duration, do func()) { w.at(w.now.Add(d), do) }

func (w *World) at(t mono.Time, do func()) { w.events.push(max(t, w.now), do) }

// fail records the first violation.
func (w *World) fail(err error) {
	if w.failed == nil && err != nil {
		w.failed = fmt.Errorf("at %.3f s: %w", w.Now().Seconds(), err)
	}
}

func (w *World) failf(format string, args ...any) {
	if w.failed == nil {
		w.fail(fmt.Errorf(format, args...))
	}
}

// ErrLate is returned when a required event did not happen in time.
var ErrLate = errors.New("not in time")

// Run lets time pass until done returns true, at most for d. It returns the first broken invariant,
// or ErrLate.
func (w *World) Run(d time.Duration, done func() bool) error {
	until := w.now.Add(d)
	for w.failed == nil {
		if done != nil && done() {
			return nil
		}
		if w.steps++; w.steps > maxSteps {
			w.failf("more than %d events", maxSteps)
			break
		}
		if w.events.empty() || w.events.first() > until {
			w.now = until
			if done == nil {
				return nil
			}
			return fmt.Errorf("%w: %v were not enough", ErrLate, d)
		}
		var do func()
		w.now, do = w.events.pop()
		do()
	}
	return w.failed
}

// AllComplete reports whether every running honest node is complete.
func (w *World) AllComplete() bool {
	for _, n := range w.nodes {
		if n.up && n.honest() && !n.swarm.Complete() {
			return false
		}
	}
	return true
}

// Complete lets time pass until all honest nodes are complete.
func (w *World) Complete(within time.Duration) error {
	if err := w.Run(within, w.AllComplete); err != nil {
		if errors.Is(err, ErrLate) {
			return fmt.Errorf("%w\n%s", err, w.standing())
		}
		return err
	}
	return nil
}

// standing describes the progress of every node.
func (w *World) standing() string {
	var text string
	for _, n := range w.nodes {
		text += n.standing() + "\n"
	}
	return text
}

// Ideal is a lower bound on the time for everybody to complete: each piece must leave its sources
// once, and all missing bytes must pass some uplink.
func (w *World) Ideal() time.Duration {
	var sources, all, missing int64
	for _, n := range w.nodes {
		if !n.up || !n.honest() {
			continue
		}
		rate := min(n.spec.Up, 1<<40)
		if rate == 0 {
			rate = 1 << 40
		}
		all += rate
		if n.disk.verified.All() {
			sources += rate
		}
		missing += int64(w.Geometry.Pieces-n.disk.verified.Count()) * int64(w.Geometry.PieceLength)
	}
	if sources == 0 {
		sources = all
	}
	seconds := max(float64(w.Geometry.Total)/float64(sources), float64(missing)/float64(all))
	return time.Duration(seconds * float64(time.Second))
}

// Hash returns a hash of all records so far: two runs of one world with different hashes sent,
// received or did something different.
func (w *World) Hash() uint64 { return w.hash }

// Lines returns the number of records.
func (w *World) Lines() int { return w.lines }

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func (w *World) record(n *Node, r trace.Record) {
	w.lines++
	if r.What == "unchoke" && r.Why == why.Optimistic {
		n.favoured(r.Peer.Addr())
	}
	h := w.hash
	word := func(x uint64) { h = (h ^ x) * fnvPrime; h ^= h >> 29 }
	word(uint64(n.number))
	word(uint64(r.At))
	word(uint64(r.Proto)<<24 | uint64(r.Way)<<16 | uint64(r.Why))
	word(uint64(r.Piece))
	word(uint64(r.Block))
	word(uint64(r.N))
	word(uint64(r.Owners))
	addr := r.Peer.Addr().As16()
	for _, c := range addr[12:] {
		h = (h ^ uint64(c)) * fnvPrime
	}
	word(uint64(r.Peer.Port()))
	for _, s := range [...]string{r.What, r.Text} {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * fnvPrime
		}
	}
	w.hash = h
	if w.Trace != nil {
		w.Trace(n, r)
	}
}

// nameOf returns the name of the node or actor at an address.
func (w *World) nameOf(a netip.AddrPort) string {
	for _, n := range w.nodes {
		if n.addr.Addr() == a.Addr() {
			return n.spec.Name
		}
	}
	for _, x := range w.actors {
		if x.addr.Addr() == a.Addr() {
			return x.Name
		}
	}
	return a.String()
}
