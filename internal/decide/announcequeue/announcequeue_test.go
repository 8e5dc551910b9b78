package announcequeue

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/value/mono"
)

// The commands of the scripts:
//
//	add 1 A new          announce 1 is to be made to tracker A; so are "add 2-9 A idle"
//	add 2 A new after 1  and that when 1 has ended; "add 3 A new for 2" takes its place if it waits
//	add 1 A idle curious, add 1 A farewell counted, add 1 A farewell completes
//	1 ends, 1 is silent  how one ended; so do "2-9 end"
//	1-9 end in 20ms      and how long the answer took
//	1 fails, 1 is refused, 1 is busy, 1 is cancelled
//	remove 1             its torrent does not want it any more
//	wait 30s
//	state
//	crowd 500 A          as many idle announces to A are added, and named together
//	3 rounds in 20ms     three times: all of the crowd that are under way end
//	2 rounds fail, 1 rounds busy
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		s := &script{t: t, now: mono.Start}
		return s.command
	})
}

type script struct {
	t   *testing.T
	q   Queue
	now mono.Time

	crowd ID   // how many it had
	under []ID // those of the crowd that are under way
}

func (s *script) command(line string) string {
	w := strings.Fields(line)
	var out strings.Builder
	switch {
	case w[0] == "add":
		for _, id := range s.ids(w[1]) {
			class := map[string]Class{"new": New, "active": Active, "farewell": Farewell, "idle": Idle}[w[3]]
			p := Announce{Host: w[2], Class: class, Worth: Plain}
			switch {
			case len(w) > 5:
				p.After, p.Replaces = s.ids(w[5])[0], w[4] == "for"
			case len(w) > 4:
				p.Worth = map[string]Worth{"curious": Curious, "counted": Counted, "completes": Completes}[w[4]]
			}
			s.q.Put(s.now, id, p)
		}
	case w[0] == "remove":
		for _, id := range s.ids(w[1]) {
			if !s.q.Remove(s.now, id) {
				out.WriteString("it does not wait\n")
			}
		}
	case w[0] == "wait":
		d, err := time.ParseDuration(w[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.now = s.now.Add(d)
	case w[0] == "state":
		fmt.Fprintf(&out, "%d under way, %d wait, %d trackers are known\n", s.q.Running(), s.q.Waiting(), len(s.q.hosts))
	case w[0] == "crowd":
		n, err := strconv.Atoi(w[1])
		if err != nil {
			s.t.Fatal(err)
		}
		for range n {
			s.crowd++
			s.q.Put(s.now, s.crowd+1000, Announce{Host: w[2], Class: Idle})
		}
		return s.together(s.q.Take(s.now))
	case len(w) > 2 && w[1] == "rounds":
		n, err := strconv.Atoi(w[0])
		if err != nil {
			s.t.Fatal(err)
		}
		for range n {
			under := s.under
			s.under = nil
			a := s.answer(w)
			s.now = s.now.Add(max(a.Took, time.Millisecond))
			for _, id := range under {
				s.q.Done(s.now, id, a)
			}
			if took := s.together(s.q.Take(s.now)); took != out.String() {
				out.Reset() // only the last one is shown
				out.WriteString(took)
			}
		}
		return out.String()
	case len(w) > 1:
		a := s.answer(w)
		for _, id := range s.ids(w[0]) {
			s.q.Done(s.now, id, a)
		}
	default:
		s.t.Fatalf("what is %q?", line)
	}
	for _, d := range s.q.Take(s.now) {
		switch {
		case d.Start:
			fmt.Fprintf(&out, "%d starts (%s)\n", d.ID, d.Why.Words())
		case d.Replaced:
			fmt.Fprintf(&out, "%d is replaced\n", d.ID)
		case d.Wait > 0:
			fmt.Fprintf(&out, "%d is refused for %v (%s)\n", d.ID, d.Wait, d.Why.Words())
		default:
			fmt.Fprintf(&out, "%d is refused (%s)\n", d.ID, d.Why.Words())
		}
	}
	return out.String()
}

// answer reads how announces end.
func (s *script) answer(w []string) Answer {
	last := w[len(w)-1]
	a := Answer{How: map[string]How{"silent": Silent, "fails": Failed, "fail": Failed, "refused": Refused, "busy": Busy, "cancelled": GivenUp}[last]}
	if w[len(w)-2] == "in" {
		var err error
		if a.Took, err = time.ParseDuration(last); err != nil {
			s.t.Fatal(err)
		}
	}
	return a
}

// together counts what became of the crowd.
func (s *script) together(all []Decision) string {
	started, refused := 0, 0
	for _, d := range all {
		if d.Start {
			s.under = append(s.under, d.ID)
			started++
		} else {
			refused++
		}
	}
	out := fmt.Sprintf("%d start\n", started)
	if refused > 0 {
		out += fmt.Sprintf("%d are refused\n", refused)
	}
	return out
}

// ids reads "3" or "3-9".
func (s *script) ids(text string) []ID {
	a, b, many := strings.Cut(text, "-")
	first, err := strconv.Atoi(a)
	last := first
	if many && err == nil {
		last, err = strconv.Atoi(b)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	var all []ID
	for i := first; i <= last; i++ {
		all = append(all, ID(i))
	}
	return all
}

// A simulated engine: what was asked takes as long as its tracker takes.
type engine struct {
	q     Queue
	now   mono.Time
	ends  ends
	next  ID
	asked map[ID]*asked

	slow map[string]time.Duration // answer times; 0: never, given up after 30 s
	how  func(ID) How             // nil: all are good
	most int                      // most that were under way
}

type asked struct {
	host    string
	added   mono.Time
	started mono.Time
	refused bool
}

type end struct {
	at     mono.Time
	id     ID
	answer Answer
}

type ends []end

func (e ends) Len() int { return len(e) }
func (e ends) Less(i, j int) bool {
	return e[i].at < e[j].at || e[i].at == e[j].at && e[i].id < e[j].id
}
func (e ends) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *ends) Push(x any)   { *e = append(*e, x.(end)) }
func (e *ends) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

func (e *engine) ask(host string, c Class) *asked {
	e.next++
	a := &asked{host: host, added: e.now}
	e.asked[e.next] = a
	e.q.Add(e.now, e.next, host, c)
	e.take()
	return a
}

func (e *engine) take() {
	for _, d := range e.q.Take(e.now) {
		a := e.asked[d.ID]
		if !d.Start {
			a.refused = true
			continue
		}
		a.started = e.now
		if took := e.slow[a.host]; took > 0 {
			answer := Answer{Took: took}
			if e.how != nil {
				answer.How = e.how(d.ID)
			}
			heap.Push(&e.ends, end{e.now.Add(took), d.ID, answer})
		} else {
			heap.Push(&e.ends, end{e.now.Add(30 * time.Second), d.ID, Answer{How: Silent}})
		}
	}
	e.most = max(e.most, e.q.Running())
}

// until lets time pass up to at, or to when nothing is left under way.
func (e *engine) until(at mono.Time) {
	for len(e.ends) > 0 && e.ends[0].at <= at {
		x := heap.Pop(&e.ends).(end)
		e.now = x.at
		e.q.Done(e.now, x.id, x.answer)
		e.take()
	}
	if at != mono.Never {
		e.now = at
	}
}

// A tracker that answers within 20 ms hears from two thousand torrents within two seconds; one
// that takes a second, or refuses every second announce, has no more under way than before there
// was a pace.
func TestPaceFollowsTheTracker(t *testing.T) {
	for _, c := range []struct {
		what     string
		took     time.Duration
		every    int // an announce of so many is answered with how
		how      How
		most     int
		within   time.Duration
		torrents int
	}{
		{"quick", 20 * time.Millisecond, 0, 0, MostOfHost, 1200 * time.Millisecond, 2000},
		{"far away", 100 * time.Millisecond, 0, 0, MostOfHost, 18 * time.Second, 10_000},
		{"slow", time.Second, 0, 0, SlotsOfHost, 126 * time.Second, 500},
		{"refuses every second one", 20 * time.Millisecond, 2, Refused, SlotsOfHost, 6 * time.Second, 1000},
		{"fails every second time", 20 * time.Millisecond, 2, Failed, SlotsOfHost, 6 * time.Second, 1000},
		{"is busy every second time", 20 * time.Millisecond, 2, Busy, SlotsOfHost, 25 * time.Second, 1000},
	} {
		e := &engine{now: mono.Start, asked: map[ID]*asked{}, slow: map[string]time.Duration{"a": c.took}, how: func(id ID) How {
			if c.every > 0 && int(id)%c.every == 0 {
				return c.how
			}
			return Good
		}}
		for range c.torrents {
			e.ask("a", Idle)
		}
		e.until(mono.Never)
		if e.most > c.most {
			t.Errorf("%s: %d at once, want %d", c.what, e.most, c.most)
		}
		if d := e.now.Sub(mono.Start); d > c.within {
			t.Errorf("%s: all after %v, want %v", c.what, d, c.within)
		}
	}
}

// Ten thousand seeds come back at once, and announce to two live trackers and to sixty
// that are gone; then all stop. A torrent that somebody adds in the middle of that is announced
// at once; the seeds have all been announced within minutes.
func TestTenThousandDoNotStarveANewOne(t *testing.T) {
	const torrents = 10_000
	e := &engine{now: mono.Start, asked: map[ID]*asked{}, slow: map[string]time.Duration{
		"udp": 100 * time.Millisecond, "https": 300 * time.Millisecond,
	}}
	var seeds, gone []*asked
	for i := range torrents {
		seeds = append(seeds, e.ask("udp", Idle), e.ask("https", Idle))
		gone = append(gone, e.ask("gone"+strconv.Itoa(i%60), Idle))
	}
	if n := e.q.Running(); n > 64+extras {
		t.Errorf("%d announces are under way", n)
	}
	for _, host := range []string{"udp", "https", "other", "gone3"} {
		e.until(e.now.Add(20 * time.Second))
		if a := e.ask(host, New); a.started != a.added {
			t.Errorf("a new torrent waits for %s", host)
		}
		if a := e.ask(host, Farewell); a.started != a.added {
			t.Errorf("a farewell waits for %s", host)
		}
	}
	e.until(mono.Never)
	last := mono.Start
	for _, a := range seeds {
		if a.started == 0 {
			t.Fatal("a seed was never announced")
		}
		last = max(last, a.started)
	}
	refused, tried := 0, 0
	for _, a := range gone {
		if a.refused {
			refused++
		} else {
			tried++
		}
	}
	t.Logf("all seeds announced after %v; of those for trackers that are gone %d were tried and %d refused", last.Sub(mono.Start), tried, refused)
	if d := last.Sub(mono.Start); d > 14*time.Minute {
		t.Errorf("the last seed was announced after %v", d)
	}
	if tried > 60*Silences {
		t.Errorf("%d announces were made to trackers that are gone", tried)
	}
	if e.q.Running() != 0 || e.q.Waiting() != 0 {
		t.Errorf("%d run, %d wait at the end", e.q.Running(), e.q.Waiting())
	}
}

// However it goes: the bounds hold, everything that is added is started or refused once,
// and nothing stays behind.
func TestInvariants(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var q Queue
		now := mono.Start
		state := map[ID]string{}
		class := map[ID]Class{}
		host := map[ID]string{}
		after := map[ID]ID{}
		next := ID(0)
		take := func() {
			for _, d := range q.Take(now) {
				if state[d.ID] != "waiting" {
					t.Fatalf("seed %d: %d is %s", seed, d.ID, state[d.ID])
				}
				state[d.ID] = map[bool]string{true: "running", false: "over"}[d.Start]
			}
			for id, before := range after {
				if s := state[before]; state[id] == "running" && id != before && (s == "waiting" || s == "running") {
					t.Fatalf("seed %d: %d is made while %d, which it comes after, is %s", seed, id, before, s)
				}
			}
			total, at := map[Class]int{}, map[string]int{}
			waits := 0
			for id, s := range state {
				switch s {
				case "running":
					total[class[id]]++
					at[host[id]+class[id].String()]++
				case "waiting":
					waits++
				}
			}
			for c, n := range total {
				if n > slots[c]+extras {
					t.Fatalf("seed %d: %d of %s", seed, n, c)
				}
			}
			for h, n := range at {
				if n > MostOfHost {
					t.Fatalf("seed %d: %d at %s", seed, n, h)
				}
			}
			if waits != q.Waiting() {
				t.Fatalf("seed %d: %d wait, it says %d", seed, waits, q.Waiting())
			}
		}
		pick := func(want string) (ID, bool) {
			for id := ID(1); id <= next; id++ {
				if state[id] == want && rng.IntN(4) == 0 {
					return id, true
				}
			}
			return 0, false
		}
		for range 400 {
			switch rng.IntN(6) {
			case 0, 1, 2:
				next++
				state[next], class[next], host[next] = "waiting", Class(rng.IntN(int(classes))), strconv.Itoa(rng.IntN(4))
				if before := ID(rng.IntN(int(next)) + 1); rng.IntN(2) == 0 {
					after[next] = before
					q.Put(now, next, Announce{Host: host[next], Class: class[next], Worth: Worth(rng.IntN(int(worths))), After: before, Replaces: rng.IntN(4) == 0})
				} else {
					q.Add(now, next, host[next], class[next])
				}
			case 3:
				if id, ok := pick("waiting"); ok {
					state[id] = "over"
					if !q.Remove(mono.Start, id) {
						t.Fatalf("seed %d: %d cannot be removed", seed, id)
					}
				}
			case 4:
				if id, ok := pick("running"); ok {
					state[id] = "over"
					q.Done(now, id, Answer{How: []How{Good, Good, Good, Refused, Failed, Busy, Silent, GivenUp}[rng.IntN(8)], Took: time.Duration(rng.IntN(100)) * time.Millisecond})
				}
			default:
				now = now.Add(time.Duration(rng.IntN(60)) * time.Second)
			}
			take()
		}
		for range 10_000 {
			id, ok := pick("running")
			if !ok && q.Running() == 0 {
				break
			}
			if ok {
				state[id] = "over"
				q.Done(now, id, Answer{})
				take()
			}
		}
		if q.Running() != 0 || q.Waiting() != 0 || len(q.announces) != 0 {
			t.Fatalf("seed %d: %d run and %d wait at the end", seed, q.Running(), q.Waiting())
		}
	}
}

// What waits is bounded, and so is what is remembered of trackers.
func TestBounds(t *testing.T) {
	var q Queue
	for i := range ID(MaxWaiting + 100) {
		q.Add(mono.Start, i, "a", Idle)
	}
	refused := 0
	for _, d := range q.Take(mono.Start) {
		if !d.Start {
			refused++
		}
	}
	if refused == 0 || q.Waiting() > MaxWaiting {
		t.Errorf("%d refused, %d wait", refused, q.Waiting())
	}
	var many Queue
	for i := range ID(2 * maxHosts) {
		many.Add(mono.Start, i, strconv.Itoa(int(i)), New)
		many.Take(mono.Start)
		many.Done(mono.Start, i, Answer{How: Silent})
	}
	if n := len(many.hosts); n > maxHosts+1 {
		t.Errorf("%d trackers are remembered", n)
	}
}
