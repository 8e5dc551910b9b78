package rate

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// A command is a time and what happens then; what fell due before comes first.
// Peers are named after their torrent: "A.1" is a peer of torrent A.
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		var tree Tree
		nodes := map[string]*Node{"engine": tree.Root()}
		node := func(name string) *Node {
			if nodes[name] == nil {
				parent := tree.Root()
				if torrent, _, peer := strings.Cut(name, "."); peer {
					if parent = nodes[torrent]; parent == nil {
						parent = tree.Add(tree.Root())
						nodes[torrent] = parent
					}
				}
				nodes[name] = tree.Add(parent)
				nodes[name].Owner = name
			}
			return nodes[name]
		}
		last := mono.Start
		return func(command string) string {
			var out strings.Builder
			f := strings.Fields(command)
			d, err := time.ParseDuration(f[0])
			if err != nil {
				t.Fatal(err)
			}
			now := mono.Start.Add(d)
			say := func(at mono.Time) {
				if granted := tree.Grant(at); len(granted) > 0 {
					fmt.Fprintf(&out, "%s:", at.Sub(mono.Start).Round(time.Millisecond))
					for _, n := range granted {
						fmt.Fprintf(&out, " %s", n.Owner)
					}
					out.WriteByte('\n')
				}
			}
			for at := tree.Deadline(last); at <= now; at = tree.Deadline(at) {
				say(at)
			}
			last = now
			number := func() int64 {
				n, err := strconv.ParseInt(f[3], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			switch f[1] {
			case "limit":
				tree.SetLimit(now, node(f[2]), number())
			case "claim":
				if tree.Claim(now, node(f[2]), number()) {
					return out.String() + "at once\n"
				}
			case "often":
				tree.Often(true)
			case "charge":
				tree.Charge(node(f[2]), number())
			case "cancel":
				tree.Cancel(node(f[2]))
			case "wait":
			default:
				t.Fatalf("no command %q", f[1])
			}
			say(now)
			return out.String()
		}
	})
}

// crowd is claimants that always want more, driven to the next deadline.
type crowd struct {
	tree  Tree
	now   mono.Time
	sizes func(i int) int64
	peers []*Node
	claim []int64
	had   []int64
	grant func(i int, n int64) // told of every grant
}

func (c *crowd) add(parent *Node) *Node {
	n := c.tree.Add(parent)
	n.Owner = len(c.peers)
	c.peers = append(c.peers, n)
	c.claim = append(c.claim, 0)
	c.had = append(c.had, 0)
	return n
}

func (c *crowd) got(i int) {
	n := c.claim[i]
	c.claim[i] = 0
	c.had[i] += n
	if c.grant != nil {
		c.grant(i, n)
	}
}

// ask has those claim who are not waiting, until all of them are.
func (c *crowd) ask(t testing.TB) {
	for again, rounds := true, 0; again; rounds++ {
		again = false
		for i, p := range c.peers {
			if p.waits() {
				continue
			}
			c.claim[i] = c.sizes(i)
			if c.tree.Claim(c.now, p, c.claim[i]) {
				c.got(i)
				again = true
			}
		}
		if rounds > 100_000 {
			t.Fatal("what is granted has no end")
		}
	}
}

// run lets so much time pass. Every wait is as long as Deadline says, and late by up to so
// much more.
func (c *crowd) run(t testing.TB, d time.Duration, late func() time.Duration) {
	c.ask(t)
	for end := c.now.Add(d); ; {
		next := c.tree.Deadline(c.now)
		if next == mono.Never {
			t.Fatal("somebody waits for ever")
		}
		next = next.Add(late())
		if next > end {
			c.now = end
			return
		}
		c.now = next
		for _, n := range c.tree.Grant(c.now) {
			c.got(n.Owner.(int))
		}
		c.ask(t)
	}
}

func onTime() time.Duration { return 0 }

// Over any two seconds no more is granted than the limit and a burst, and while somebody
// waits no less than 97 % of it: whatever the limit, the sizes and the number of those
// that claim, and how late the rounds come.
func TestAnyTwoSeconds(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		limit := int64(1) << (11 + rng.IntN(17)) // 2 KiB/s to 256 MiB/s
		limit += rng.Int64N(limit)
		c := &crowd{now: mono.Start}
		c.tree.Often(seed%2 == 1)
		most := c.tree.quantum(limit, limit)
		c.sizes = func(int) int64 { return 1 + rng.Int64N(most) }
		if rng.IntN(3) == 0 {
			c.sizes = func(int) int64 { return most }
		}
		c.tree.SetLimit(c.now, c.tree.Root(), limit)
		for range 1 + rng.IntN(5) {
			torrent := c.tree.Add(c.tree.Root())
			for range 1 + rng.IntN(10) {
				c.add(torrent)
			}
		}
		type grant struct {
			at mono.Time
			n  int64
		}
		var all []grant
		c.grant = func(_ int, n int64) { all = append(all, grant{c.now, n}) }
		c.run(t, 10*time.Second, func() time.Duration { return time.Duration(rng.Int64N(int64(20 * time.Millisecond))) })

		const window = 2 * time.Second
		allowed := 2*limit + whole(limit, late) + most
		least := 2 * limit * 97 / 100
		to, sum := 0, int64(0)
		for from := range all {
			for ; to < len(all) && all[to].at <= all[from].at.Add(window); to++ {
				sum += all[to].n
			}
			if sum > allowed {
				t.Fatalf("seed %d: %d bytes in two seconds under a limit of %d", seed, sum, limit)
			}
			if all[from].at.Add(window) < c.now && sum < least-most-whole(limit, 2*mono.Beat) {
				t.Fatalf("seed %d: only %d bytes in two seconds under a limit of %d", seed, sum, limit)
			}
			sum -= all[from].n
		}
		var total int64
		for _, n := range c.had {
			total += n
		}
		if want := 10 * limit; total > want+most || total < want*97/100-most {
			t.Errorf("seed %d: %d bytes in ten seconds under a limit of %d", seed, total, limit)
		}
	}
}

// Those that always want more have the same, whatever sizes they claim in and however
// late they come back with the next claim of their own.
func TestEqualShares(t *testing.T) {
	const limit = 2 << 20
	for _, n := range []int{2, 3, 8, 40} {
		c := &crowd{now: mono.Start, sizes: func(i int) int64 { return int64(1+i%4) << 12 }}
		c.tree.SetLimit(c.now, c.tree.Root(), limit)
		torrent := c.tree.Add(c.tree.Root())
		for range n {
			c.add(torrent)
		}
		c.run(t, 20*time.Second, onTime)
		fair := int64(20*limit) / int64(n)
		for i, had := range c.had {
			if d := had - fair; d < -32<<10 || d > 32<<10 {
				t.Errorf("%d claimants: number %d had %d bytes, a fair share is %d", n, i, had, fair)
			}
		}
	}
}

// Torrents share the engine equally, however many peers each has, and peers their torrent.
// What a limit of its own keeps one from using goes to the others.
func TestTorrentsThenPeers(t *testing.T) {
	const limit, seconds = 1 << 20, 20
	c := &crowd{now: mono.Start}
	c.sizes = func(i int) int64 { return c.tree.Quantum(c.peers[i]) }
	c.tree.SetLimit(c.now, c.tree.Root(), limit)
	var torrents [3]*Node
	for i := range torrents {
		torrents[i] = c.tree.Add(c.tree.Root())
	}
	c.add(torrents[0])
	for range 9 {
		c.add(torrents[1])
	}
	slow := c.add(torrents[2])
	c.tree.SetLimit(c.now, slow, 32<<10)
	c.run(t, seconds*time.Second, onTime)
	about := func(what string, had, want int64) {
		if d := had - want; d < -4*block.Size || d > 4*block.Size { // a claim
			t.Errorf("%s had %d bytes, want %d", what, had, want)
		}
	}
	const rest = (limit - 32<<10) / 2 * seconds
	about("the only peer of the first torrent", c.had[0], rest)
	for i := 1; i < 10; i++ {
		about("one peer of nine", c.had[i], rest/9)
	}
	about("the slow peer", c.had[10], 32<<10*seconds)

	// Its limit is lifted: it has an equal share from then on, and nothing is made up for.
	c.tree.SetLimit(c.now, slow, 0)
	before := append([]int64(nil), c.had...)
	c.run(t, seconds*time.Second, onTime)
	about("the peer that was slow", c.had[10]-before[10], limit/3*seconds)
	about("the only peer of the first torrent, then", c.had[0]-before[0], limit/3*seconds)
}

// One grant at a beat is enough for every share: nobody is woken more often, however many claims it
// makes in between.
func TestOneGrantAtABeat(t *testing.T) {
	c := &crowd{now: mono.Start}
	c.sizes = func(i int) int64 { return c.tree.Quantum(c.peers[i]) }
	c.tree.SetLimit(c.now, c.tree.Root(), 500_000)
	for range 2 {
		torrent := c.tree.Add(c.tree.Root())
		for range 5 {
			c.add(torrent)
		}
	}
	const beats = 20 * 10
	woken := 0
	c.ask(t)
	for range beats {
		c.now = c.now.NextBeats(2)
		for _, n := range c.tree.Grant(c.now) {
			c.got(n.Owner.(int))
			woken++
		}
		c.ask(t)
	}
	var sum, squares float64
	for _, had := range c.had {
		sum += float64(had)
		squares += float64(had) * float64(had)
	}
	if d := sum/20/500_000 - 1; d < -0.01 || d > 0.01 {
		t.Errorf("%.0f bytes a second under a limit of 500,000", sum/20)
	}
	if jain := sum * sum / squares / float64(len(c.had)); jain < 0.995 {
		t.Errorf("shares have a Jain index of %.3f", jain)
	}
	if perBlock := float64(woken) / (sum / block.Size); perBlock > 1.01 {
		t.Errorf("%.2f wake-ups for a block", perBlock)
	}
}

// What a torrent may expect is its part of what those share that wait.
func TestShare(t *testing.T) {
	var tree Tree
	now := mono.Start
	a, b := tree.Add(tree.Root()), tree.Add(tree.Root())
	is := func(n *Node, limit int64, waits bool) {
		t.Helper()
		if l, w := n.Expect(now); l != limit || w != waits {
			t.Errorf("may expect %d, waits: %v; want %d and %v", l, w, limit, waits)
		}
	}
	is(a, 0, false)
	tree.SetLimit(now, tree.Root(), 900)
	is(a, 900, false)
	tree.Claim(now, tree.Add(a), 10_000)
	is(a, 900, true)
	is(b, 450, false)
	tree.Claim(now, tree.Add(b), 10_000)
	is(b, 450, true)
	tree.SetLimit(now, b, 100)
	is(b, 100, true)
}

// Small messages are paid for, but with no more than half: a flood of them leaves payload
// the other half.
func TestSmallMessagesStarveNobody(t *testing.T) {
	const limit = 64 << 10
	for _, test := range []struct{ control, payload int64 }{
		{0, limit}, {limit / 8, limit * 7 / 8}, {limit / 2, limit / 2}, {100 * limit, limit / 2},
	} {
		c := &crowd{now: mono.Start, sizes: func(int) int64 { return 1024 }}
		c.tree.SetLimit(c.now, c.tree.Root(), limit)
		noisy := c.tree.Add(c.tree.Root())
		c.add(c.tree.Root())
		c.run(t, time.Second, onTime)
		before := c.had[0]
		for range 1000 {
			c.tree.Charge(noisy, test.control/100)
			c.run(t, 10*time.Millisecond, onTime)
		}
		got := (c.had[0] - before) / 10
		if got < test.payload*98/100 || got > test.payload*102/100 {
			t.Errorf("with %d bytes of small messages a second payload had %d a second, want %d", test.control, got, test.payload)
		}
	}
}

// Whatever is done in whatever order: who waits is told once, nobody waits without a
// deadline, and nobody waits where there is no limit.
func FuzzTree(f *testing.F) {
	f.Add([]byte{0, 16, 32, 48, 1, 2, 3, 4, 64, 80, 255, 5})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var tree Tree
		nodes := []*Node{tree.Root()}
		var leaves []*Node
		for range 3 {
			torrent := tree.Add(tree.Root())
			nodes = append(nodes, torrent)
			for range 3 {
				leaf := tree.Add(torrent)
				nodes, leaves = append(nodes, leaf), append(leaves, leaf)
			}
		}
		now := mono.Start
		waits := make(map[*Node]bool)
		heard := func() {
			for _, n := range tree.Grant(now) {
				if !waits[n] {
					t.Fatal("a grant for somebody who does not wait")
				}
				delete(waits, n)
			}
		}
		for i, b := range steps {
			leaf := leaves[int(b>>4)%len(leaves)]
			switch b & 7 {
			case 0, 1, 2:
				if !waits[leaf] && !tree.Claim(now, leaf, int64(i)<<(b>>4)) {
					waits[leaf] = true
				}
			case 3:
				tree.Cancel(leaf)
				delete(waits, leaf)
			case 4:
				tree.SetLimit(now, nodes[int(b>>3)%len(nodes)], int64(i)<<(b>>3))
			case 5:
				tree.SetLimit(now, nodes[int(b>>3)%len(nodes)], 0)
			case 6:
				tree.Charge(leaf, int64(b)<<(b>>3))
			case 7:
				now = now.Add(time.Millisecond << (b >> 4))
			}
			heard()
			for _, l := range leaves {
				if l.waits() != waits[l] {
					t.Fatal("waiting, and not known to")
				}
			}
			if d := tree.Deadline(now); (d == mono.Never) != (len(waits) == 0) || d <= now {
				t.Fatalf("%d wait and the deadline is %v", len(waits), d)
			}
		}
		for _, n := range nodes {
			tree.SetLimit(now, n, 0)
		}
		heard()
		if len(waits) != 0 {
			t.Fatal("somebody waits, and there is no limit")
		}
	})
}

// BenchmarkGrant is a grant where a thousand peers of ten torrents wait.
func BenchmarkGrant(b *testing.B) {
	c := &crowd{now: mono.Start, sizes: func(int) int64 { return 16 << 10 }}
	c.tree.SetLimit(c.now, c.tree.Root(), 2<<20)
	for range 10 {
		torrent := c.tree.Add(c.tree.Root())
		for range 100 {
			c.add(torrent)
		}
	}
	c.ask(b)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		c.now = c.tree.Deadline(c.now)
		for _, leaf := range c.tree.Grant(c.now) {
			n++
			c.tree.Claim(c.now, leaf, 16<<10)
		}
	}
	b.ReportMetric(float64(n)/float64(b.N), "grants/op")
}

// waits reports whether the node itself has a claim that was not granted.
func (n *Node) waits() bool { return n.claim > 0 }

// Peers choose the sizes of their claims, and those of a few bytes cost little more work at a beat than
// others: the grants in advance grow.
func TestSmallClaimsAreLittleWork(t *testing.T) {
	for _, limit := range []int64{16 << 10, 1 << 20, 100 << 20, 10 << 30} {
		for _, peers := range []int{1, 20} {
			var tree Tree
			now := mono.Start
			tree.SetLimit(now, tree.Root(), limit)
			torrent := tree.Add(tree.Root())
			all := make([]*Node, peers)
			for i := range all {
				all[i] = tree.Add(torrent)
			}
			const claim = 14 // the message of a block of one byte
			for _, leaf := range all {
				for tree.Claim(now, leaf, claim) {
				}
			}
			now = now.Add(mono.Beat)
			steps := 0
			for tree.step(now) {
				steps++
			}
			if most := 80 * peers; steps < peers || steps > most {
				t.Errorf("%d peers under a limit of %d: %d steps, want %d at most", peers, limit, steps, most)
			}
		}
	}
}
