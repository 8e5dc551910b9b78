package quota

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/value/mono"
)

// A command is a time and what happens then; what fell due before comes first. Torrents are
// letters. A rate holds until another one is told.
func TestQueue(t *testing.T) {
	golden.Run(t, "testdata/queue/*.txt", func(t *testing.T) func(string) string {
		m := NewQueue(QueueConfig{})
		rates := map[Key]float64{}
		var now mono.Time
		return func(command string) string {
			var out strings.Builder
			say := func(at mono.Time) {
				for k := range m.Running {
					m.Rate(at, k, rates[k], rates[k])
				}
				for _, c := range m.Changes(at) {
					fmt.Fprintf(&out, "%s: %c %s (%s)\n", at.Sub(mono.Start), rune(c.Key), map[bool]string{true: "runs", false: "waits"}[c.Run], c.Why)
				}
			}
			f := strings.Fields(command)
			d, err := time.ParseDuration(f[0])
			if err != nil {
				t.Fatal(err)
			}
			now = mono.Start.Add(d)
			for m.Deadline() <= now {
				say(m.Deadline())
			}
			number := func(i int) int {
				n, err := strconv.Atoi(f[i])
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
			var keys []Key // the last word: torrents
			for _, r := range f[len(f)-1] {
				keys = append(keys, Key(r))
			}
			switch f[1] {
			case "bounds": // downloads, seeds, total
				m.SetConfig(QueueConfig{Downloads: number(2), Seeds: number(3), Total: number(4)})
			case "move":
				m.Move(Key(f[2][0]), number(3))
			case "wait":
			default:
				for _, k := range keys {
					switch f[1] {
					case "nothing", "paused", "download", "seed", "metadata":
						m.Add(now, k)
						m.Want(now, k, Want(slices.Index(wantNames[:], f[1])))
					case "rate":
						rates[k] = float64(number(2))
					case "force", "unforce":
						m.Force(k, f[1] == "force")
					case "remove":
						m.Remove(k)
					default:
						t.Fatalf("no command %q", f[1])
					}
				}
			}
			say(now)
			return out.String()
		}
	})
}

// Whatever happens in whatever order: no more run than may, nobody waits for nothing, and
// as long as somebody waits there is a next look.
func FuzzQueue(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 16, 17, 18, 19, 100, 101, 200, 250, 7, 23, 39})
	f.Fuzz(func(t *testing.T, steps []byte) {
		m := NewQueue(QueueConfig{Downloads: 2, Seeds: 1, Total: 4})
		now := mono.Start
		runs := map[Key]bool{}
		for i, b := range steps {
			k := Key(b >> 4)
			switch b & 15 {
			case 0:
				m.Remove(k)
				delete(runs, k)
			case 1, 2, 3, 4, 10:
				m.Add(now, k)
				m.Want(now, k, Want(b&15-1)%5)
			case 5:
				m.Force(k, i%2 == 0)
			case 6:
				m.Move(k, i%7-1)
			case 7:
				m.SetConfig(QueueConfig{Downloads: i % 4, Seeds: i % 3, Total: i % 6})
			case 8, 9:
				m.Rate(now, k, 1<<20, 1<<20)
			default:
				now = now.Add(time.Second << (b & 15))
			}
			m.stale = true // as if the next look were due
			for _, c := range m.Changes(now) {
				if m.byKey[c.Key] == nil || runs[c.Key] == c.Run {
					t.Fatalf("%+v tells nothing new", c)
				}
				runs[c.Key] = c.Run
			}
			m.stale = true
			if len(m.Changes(now)) != 0 {
				t.Fatal("two looks at the same time differ")
			}
			check(t, m, now, runs)
		}
	})
}

func check(t *testing.T, m *Queue, now mono.Time, runs map[Key]bool) {
	t.Helper()
	if len(m.order) != len(m.byKey) {
		t.Fatalf("%d in the line, %d known", len(m.order), len(m.byKey))
	}
	count := func(ok func(*entry) bool) (n int) {
		for _, e := range m.order {
			if e.run && !e.force && ok(e) {
				n++
			}
		}
		return n
	}
	total := count(func(e *entry) bool { return e.want == Download || e.want == Seed })
	downloads := count(func(e *entry) bool { return e.want == Download && !e.slow(now) })
	seeds := count(func(e *entry) bool { return e.want == Seed && !e.slow(now) })
	over := func(n, most int) bool { return most > 0 && n > most }
	if over(total, m.cfg.Total) || over(downloads, m.cfg.Downloads) || over(seeds, m.cfg.Seeds) {
		t.Fatalf("%d run, %d downloads and %d seeds of them not slow, under %+v", total, downloads, seeds, m.cfg)
	}
	for _, e := range m.order {
		if e.run != runs[e.key] {
			t.Fatalf("%c runs: %v, as was told: %v", rune(e.key), e.run, runs[e.key])
		}
		if e.want != Download && e.want != Seed || e.run {
			if e.want == Paused && e.run {
				t.Fatalf("%c runs and is paused", rune(e.key))
			}
			continue
		}
		switch full := m.cfg.Total > 0 && total >= m.cfg.Total ||
			e.want == Download && m.cfg.Downloads > 0 && downloads >= m.cfg.Downloads ||
			e.want == Seed && m.cfg.Seeds > 0 && seeds >= m.cfg.Seeds; {
		case e.force:
			t.Fatalf("%c is forced and waits", rune(e.key))
		case !full:
			t.Fatalf("%c waits, and there is a place", rune(e.key))
		case m.Deadline() == mono.Never:
			t.Fatalf("%c waits for ever", rune(e.key))
		}
	}
}

// A line of ten thousand that nobody bounds costs one pass when something happens, and has
// no deadline.
func TestUnboundedNeverLooks(t *testing.T) {
	m := NewQueue(QueueConfig{})
	for k := range Key(10_000) {
		m.Add(mono.Start, k)
		m.Want(mono.Start, k, Seed)
	}
	if n := len(m.Changes(mono.Start)); n != 10_000 {
		t.Errorf("%d of 10000 run", n)
	}
	if m.Deadline() != mono.Never {
		t.Errorf("looks again at %v", m.Deadline())
	}
}

// BenchmarkLook is a look at a line of ten thousand torrents of which fifty run.
func BenchmarkLook(b *testing.B) {
	m := NewQueue(QueueConfig{Downloads: 10, Seeds: 40, Total: 50})
	for k := range Key(10_000) {
		m.Add(mono.Start, k)
		m.Want(mono.Start, k, Download+Want(k%2))
	}
	now := mono.Start
	m.Changes(now)
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(time.Second)
		m.stale = true
		m.Changes(now)
	}
}
