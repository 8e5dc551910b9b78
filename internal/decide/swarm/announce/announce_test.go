package announce

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/format/tracker"
	"shoal/internal/golden"
	"shoal/internal/value/mono"
)

// The scripts speak of trackers by letters. The commands:
//
//	public A B | C     a torrent with these tiers; private likewise
//	start, complete, stop, need, enough, seeking, seeding, partial, whole
//	wait 30m           time passes; what falls due in it is shown
//	A answers [interval=30m] [min=5m] [id=x] [peers=7] [seeders=2] [counts=no]
//	A counts seeders=2   the answer to a scrape; "A counts" alone: it tells nothing
//	A fails [retry=5m|retry=never] words
//	A refuses [retry=5m] words   the tracker itself says no
//	add X 1, remove X    the user adds a tracker to a tier, or removes one
//	urge                 the user wants an announce now
//	status
//
// Every command is followed by a Tick, as the swarm does.
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		s := &script{t: t, now: mono.Start}
		return s.command
	})
}

type script struct {
	t     *testing.T
	now   mono.Time
	m     *Machine
	asked map[string]tracker.Event
	out   strings.Builder
}

func (s *script) command(line string) string {
	s.out.Reset()
	words := strings.Fields(line)
	switch words[0] {
	case "public", "private":
		s.make(words)
		return ""
	case "start":
		s.m.Start(s.now)
	case "complete":
		s.m.Completed(s.now)
	case "need", "enough":
		s.m.NeedPeers(s.now, words[0] == "need")
	case "seeking", "seeding":
		s.m.Seeking(words[0] == "seeking")
	case "partial", "whole":
		s.m.Partial(words[0] == "partial")
	case "stop":
		for _, r := range s.m.Stop(s.now) {
			s.show(r)
		}
		clear(s.asked)
	case "add":
		tier, err := strconv.Atoi(words[2])
		if err != nil {
			s.t.Fatal(err)
		}
		if !s.m.Add(s.now, "http://"+words[1]+".example/announce", tier) {
			s.out.WriteString("it is there already\n")
		}
	case "remove":
		farewell, ok := s.m.Remove(s.now, "http://"+words[1]+".example/announce")
		if !ok {
			s.out.WriteString("there is no such tracker\n")
		}
		for _, r := range farewell {
			s.show(r)
		}
		delete(s.asked, "http://"+words[1]+".example/announce")
	case "urge":
		for _, u := range s.m.Urge(s.now) {
			switch {
			case u.Sent:
				fmt.Fprintf(&s.out, "%s is asked\n", name(u.URL))
			case u.Next == mono.Never:
				fmt.Fprintf(&s.out, "%s does not want to be asked\n", name(u.URL))
			default:
				fmt.Fprintf(&s.out, "%s may be asked at %s\n", name(u.URL), s.clock(u.Next))
			}
		}
	case "wait":
		s.wait(words[1])
	case "status":
		s.status()
	default:
		s.result(words)
	}
	s.tick()
	return s.out.String()
}

func (s *script) make(words []string) {
	cfg := Config{Private: words[0] == "private", Tiers: [][]string{nil}}
	for _, w := range words[1:] {
		last := len(cfg.Tiers) - 1
		switch {
		case w == "|":
			cfg.Tiers = append(cfg.Tiers, nil)
		case len(w) == 1:
			cfg.Tiers[last] = append(cfg.Tiers[last], "http://"+w+".example/announce")
		default:
			cfg.Tiers[last] = append(cfg.Tiers[last], w)
		}
	}
	s.m = New(cfg, rand.New(rand.NewPCG(1, 2)))
	s.asked = map[string]tracker.Event{}
}

func (s *script) tick() {
	s.m.Tick(s.now)
	for _, r := range s.m.Take() {
		if r.Scrape {
			fmt.Fprintf(&s.out, "%s to %s: scrape (%s)\n", s.clock(s.now), name(r.URL), r.Why.Words())
			continue
		}
		if _, twice := s.asked[r.URL]; twice {
			s.t.Errorf("%s is asked while a request to it is under way", r.URL)
		}
		s.asked[r.URL] = r.Event
		s.show(r)
	}
}

func (s *script) wait(text string) {
	d, err := time.ParseDuration(text)
	if err != nil {
		s.t.Fatal(err)
	}
	end := s.now.Add(d)
	for s.m.Deadline() <= end {
		s.now = max(s.now, s.m.Deadline())
		s.tick()
	}
	s.now = end
}

func (s *script) result(words []string) {
	r := Result{URL: "http://" + words[0] + ".example/announce"}
	if words[1] == "counts" {
		r.Scrape, r.Seeders, r.Leechers = true, -1, -1
	} else {
		event, asked := s.asked[r.URL]
		if r.Event = event; !asked {
			s.out.WriteString("nothing is asked of it\n")
		}
		delete(s.asked, r.URL)
	}
	var text []string
	for _, w := range words[2:] {
		key, value, ok := strings.Cut(w, "=")
		d, err := time.ParseDuration(value)
		switch {
		case !ok:
			text = append(text, w)
			continue
		case key == "id":
			r.TrackerID, err = value, nil
		case key == "peers":
			r.Peers, err = strconv.Atoi(value)
		case key == "seeders":
			r.Seeders, err = strconv.ParseInt(value, 10, 64)
		case key == "counts":
			r.Seeders, r.Leechers, err = -1, -1, nil
		case key == "interval":
			r.Interval = d
		case key == "min":
			r.MinInterval = d
		case value == "never":
			r.RetryIn, err = tracker.Never, nil
		case key == "retry":
			r.RetryIn = d
		default:
			s.t.Fatalf("what is %q?", w)
		}
		if err != nil {
			s.t.Fatal(err)
		}
	}
	if words[1] == "fails" || words[1] == "refuses" {
		r.Err = strings.Join(text, " ")
		r.Refused = words[1] == "refuses"
	}
	s.m.Done(s.now, r)
}

func (s *script) show(r Request) {
	fmt.Fprintf(&s.out, "%s to %s: %s", s.clock(s.now), name(r.URL), r.Event)
	if r.Event == tracker.None {
		s.out.WriteString("announce")
	}
	if r.TrackerID != "" {
		fmt.Fprintf(&s.out, " id=%s", r.TrackerID)
	}
	fmt.Fprintf(&s.out, " numwant=%d (%s)\n", r.NumWant, r.Why.Words())
}

func (s *script) status() {
	for _, t := range s.m.Status() {
		fmt.Fprintf(&s.out, "%s %s", name(t.URL), t.State)
		if t.Next != mono.Never {
			fmt.Fprintf(&s.out, ", next %s", s.clock(t.Next))
		}
		if t.Seeders >= 0 {
			fmt.Fprintf(&s.out, ", %d seeders", t.Seeders)
		}
		if t.Fails > 0 {
			fmt.Fprintf(&s.out, ", failures %d", t.Fails)
		}
		if t.Telling {
			s.out.WriteString(", told that it is complete")
		}
		if t.Owed {
			s.out.WriteString(", owed that it is complete")
		}
		if t.Err != "" {
			s.out.WriteString(": " + t.Err)
		}
		s.out.WriteString("\n")
	}
}

func (s *script) clock(t mono.Time) string {
	return t.Sub(mono.Start).Round(time.Second).String()
}

func name(url string) string {
	return strings.TrimSuffix(strings.TrimPrefix(url, "http://"), ".example/announce")
}

// Whatever trackers do, no tracker is asked twice at once, none before its waits are
// over unless an event is owed, and "completed" is accepted once by each walk.
func TestInvariants(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var tiers [][]string
		for i := range 1 + rng.IntN(4) {
			var tier []string
			for j := range 1 + rng.IntN(4) {
				tier = append(tier, fmt.Sprintf("http://t%d-%d.example/announce", i, j))
			}
			tiers = append(tiers, tier)
		}
		private := rng.IntN(2) == 0
		m := New(Config{Tiers: tiers, Private: private}, rng)
		now := mono.Start
		m.Start(now)

		asked := map[string]tracker.Event{}
		notBefore := map[string]mono.Time{}
		known := map[string]bool{}
		completed := map[int]int{} // by walk
		total := 0
		for range 500 {
			m.Tick(now)
			for _, r := range m.Take() {
				total++
				if _, twice := asked[r.URL]; twice {
					t.Fatalf("seed %d: %s asked twice at once", seed, r.URL)
				}
				if r.Event == tracker.None && now < notBefore[r.URL] {
					t.Fatalf("seed %d: %s asked at %v, not before %v", seed, r.URL, now, notBefore[r.URL])
				}
				if known[r.URL] == (r.Event == tracker.Started) {
					t.Fatalf("seed %d: %q to %s, which knows us: %v", seed, r.Event, r.URL, known[r.URL])
				}
				asked[r.URL] = r.Event
			}
			if private && len(asked) > 1 {
				t.Fatalf("seed %d: a private torrent asks %d trackers at once", seed, len(asked))
			}
			switch rng.IntN(8) {
			case 0:
				m.NeedPeers(now, rng.IntN(2) == 0)
			case 1:
				if rng.IntN(10) == 0 {
					m.Completed(now)
				}
			case 2, 3, 4: // answers, in the order of the torrent
				for _, tier := range tiers {
					for _, url := range tier {
						event, ok := asked[url]
						if !ok || rng.IntN(2) == 0 {
							continue
						}
						delete(asked, url)
						r := Result{URL: url, Event: event}
						if rng.IntN(3) == 0 {
							r.Err = "no"
							r.RetryIn = time.Duration(rng.IntN(2)) * time.Hour
							if r.RetryIn > 0 {
								notBefore[url] = now.Add(r.RetryIn)
							}
						} else {
							r.Interval = time.Duration(rng.IntN(3000)) * time.Second
							r.MinInterval = time.Duration(rng.IntN(3)*200) * time.Second
							notBefore[url] = now.Add(max(r.MinInterval, MinInterval))
							known[url] = true
							if event == tracker.Completed {
								completed[walkNumber(m, url)]++
							}
						}
						m.Done(now, r)
					}
				}
			case 5:
				now = now.Add(time.Duration(rng.IntN(100)) * time.Second)
			default:
				if d := m.Deadline(); d != mono.Never {
					now = max(now, d)
				}
			}
		}
		for w, n := range completed {
			if n > 1 {
				t.Fatalf("seed %d: walk %d accepted %d times \"completed\"", seed, w, n)
			}
		}
		if total < 20 {
			t.Fatalf("seed %d: only %d announces; the test tries too little", seed, total)
		}
		stopped := map[string]bool{}
		for _, r := range m.Stop(now) {
			stopped[r.URL] = true
			if r.Event != tracker.Stopped || r.NumWant != 0 {
				t.Fatalf("seed %d: %+v at the end", seed, r)
			}
		}
		for url := range known {
			if !stopped[url] {
				t.Fatalf("seed %d: %s knows us and is not told that we stop", seed, url)
			}
		}
		if m.Tick(now.Add(time.Hour)); len(m.Take()) > 0 || m.Deadline() != mono.Never {
			t.Fatalf("seed %d: it goes on after Stop", seed)
		}
	}
}

func walkNumber(m *Machine, url string) int {
	for i, w := range m.walks {
		if m.find(url).walk == w {
			return i
		}
	}
	return -1
}

func TestTrackersAreBounded(t *testing.T) {
	var tier []string
	for i := range 1000 {
		tier = append(tier, fmt.Sprintf("http://%d.example/announce", i))
	}
	m := New(Config{Tiers: [][]string{tier, tier, {"", " "}, nil}}, rand.New(rand.NewPCG(1, 1)))
	if got := len(m.Status()); got != MaxTrackers {
		t.Errorf("%d trackers are kept", got)
	}
}

// Results of what was never asked, or asked otherwise, change nothing.
func TestStrayResults(t *testing.T) {
	const url = "http://a.example/announce"
	m := New(Config{Tiers: [][]string{{url}}}, rand.New(rand.NewPCG(1, 1)))
	now := mono.Start
	m.Done(now, Result{URL: url})
	m.Start(now)
	m.Done(now, Result{URL: url, Event: tracker.Started})
	m.Done(now, Result{URL: "http://b.example/announce"})
	m.Tick(now)
	if got := m.Take(); len(got) != 1 || got[0].Event != tracker.Started {
		t.Fatalf("got %+v", got)
	}
	m.Done(now, Result{URL: url, Event: tracker.Stopped})
	if s := m.Status()[0]; s.State != Asking {
		t.Errorf("the tracker is %v", s.State)
	}
}

func TestWaits(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for fails, want := range map[int]time.Duration{1: 15 * time.Second, 2: 30 * time.Second, 5: 4 * time.Minute, 9: time.Hour, 1 << 30: time.Hour} {
		if got := backoff(fails, rng); got < want || got > want+want/4 {
			t.Errorf("after %d failures %v, want %v and up to a quarter more", fails, got, want)
		}
	}
	for _, c := range []struct{ interval, min, next, early time.Duration }{
		{0, 0, DefaultInterval, NeedInterval},
		{time.Second, 0, MinInterval, MinInterval},
		{30 * time.Minute, 15 * time.Minute, 30 * time.Minute, 15 * time.Minute},
		{10 * time.Minute, time.Hour, time.Hour, time.Hour},
		{3 * time.Minute, 0, 3 * time.Minute, 3 * time.Minute},
		{1 << 62, 1 << 62, tracker.MaxInterval, tracker.MaxInterval},
		{-5, -5, DefaultInterval, NeedInterval},
	} {
		w := &walk{}
		w.answered(mono.Start, &entry{}, Result{Interval: c.interval, MinInterval: c.min}, rng)
		if next := w.next.Sub(mono.Start); next < c.next || next > c.next+c.next/20 {
			t.Errorf("%v, %v: next after %v, want %v and up to a twentieth more", c.interval, c.min, next, c.next)
		}
		if early := w.early.Sub(mono.Start); early != c.early {
			t.Errorf("%v, %v: for peers after %v, want %v", c.interval, c.min, early, c.early)
		}
	}
}
