package webplan

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/value/mono"
)

// A command is a time, what happens, and to whom: a capital letter is a torrent, the rest
// of the word the host of a seed.
func TestPlacesScripts(t *testing.T) {
	golden.Run(t, "testdata/places/*.txt", func(t *testing.T) func(string) string {
		var p Slots
		return func(line string) string {
			words := strings.Fields(line)
			d, err := time.ParseDuration(words[0])
			if err != nil {
				t.Fatal(err)
			}
			now := mono.Start.Add(d)
			var wants []Want
			for _, w := range words[min(2, len(words)):] {
				one, times := w, 1
				if a, b, ok := strings.Cut(w, "*"); ok {
					one = a
					fmt.Sscan(b, &times)
				}
				for range times {
					wants = append(wants, Want{User: User(one[0]), Host: one[1:]})
				}
			}
			for _, w := range wants {
				switch words[1] {
				case "ask":
					p.Ask(w)
				case "give":
					p.Release(w)
				case "unask":
					p.Unask(w)
				case "leave":
					p.Leave(w.User)
				}
			}
			var out strings.Builder
			for {
				w, ok := p.Grant(now)
				if !ok {
					break
				}
				fmt.Fprintf(&out, "a place for %c at %s\n", rune(w.User), w.Host)
			}
			for {
				w, ok, again := p.Revoke(now)
				if ok {
					fmt.Fprintf(&out, "back from %c at %s\n", rune(w.User), w.Host)
					continue
				}
				if again != mono.Never {
					fmt.Fprintf(&out, "look again at %s\n", again.Sub(mono.Start))
				}
				break
			}
			return out.String()
		}
	})
}

// Bounds hold whatever is asked and given; nobody waits for ever while others have turns;
// and when all is given back nothing is left.
func TestPlacesBounds(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 7))
		var p Slots
		now := mono.Start
		wants := make(map[Want]int)
		var order []Want
		for step := range 3000 {
			now = now.Add(time.Duration(rng.IntN(2000)) * time.Millisecond)
			w := Want{User: User(rng.IntN(60)), Seed: rng.IntN(3)}
			w.Host = fmt.Sprint(uint64(w.User)*3%20, w.Seed%2)
			switch {
			case rng.IntN(3) > 0 && wants[w] < 3:
				p.Ask(w)
				wants[w]++
				order = append(order, w)
			case wants[w] > 0 && rng.IntN(2) == 0:
				p.Unask(w)
				wants[w]--
			case wants[w] > 0:
				held := 0
				for _, h := range p.held {
					if h.Want == w {
						held++
					}
				}
				if held > 0 {
					p.Release(w)
					wants[w]--
				}
			}
			for {
				if _, ok := p.Grant(now); !ok {
					break
				}
			}
			if back, ok, _ := p.Revoke(now); ok {
				p.Release(back)
				wants[back]--
			}
			hosts, total := make(map[string]int), 0
			for _, h := range p.held {
				hosts[h.Host]++
				total++
			}
			for host, n := range hosts {
				if n > MaxOfHost || n != p.hosts[host] {
					t.Fatalf("seed %d, step %d: %d places at %s, counted %d", seed, step, n, host, p.hosts[host])
				}
			}
			sum := 0
			for _, n := range wants {
				sum += n
			}
			if total > MaxSlots || sum != total+len(p.waiting) {
				t.Fatalf("seed %d, step %d: %d places, %d wait, %d are wanted", seed, step, total, len(p.waiting), sum)
			}
		}
		for _, w := range order {
			p.Leave(w.User)
		}
		if held, waiting := p.Count(); held+waiting+len(p.users)+len(p.hosts) != 0 {
			t.Fatalf("seed %d: %d held, %d wait, %v, %v", seed, held, waiting, p.users, p.hosts)
		}
	}
}
