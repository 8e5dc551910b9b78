package quota

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"shoal/internal/golden"
)

// The commands of the scripts:
//
//	room for 6           connections, of all torrents
//	A comes 3            three peers of torrent A, one after the other
//	A goes 2
//	A waits              it found no room
//	next                 who is told of room
//	state
func TestConns(t *testing.T) {
	golden.Run(t, "testdata/conns/*.txt", func(t *testing.T) func(string) string {
		var c *Conns
		shares := map[string]*ConnShare{}
		var names []string
		return func(line string) string {
			w := strings.Fields(line)
			if w[0] == "room" {
				c, shares, names = NewConns(number(t, w[2])), map[string]*ConnShare{}, nil
				return ""
			}
			var out strings.Builder
			if w[0] == "next" {
				if s := c.Next(); s != nil {
					return fmt.Sprintf("%v is told\n", s.Owner)
				}
				return "no one\n"
			}
			if w[0] == "state" {
				for _, n := range names {
					fmt.Fprintf(&out, "%s has %d\n", n, shares[n].Count())
				}
				return out.String()
			}
			s := shares[w[0]]
			if s == nil {
				s = &ConnShare{Owner: w[0]}
				shares[w[0]] = s
				names = append(names, w[0])
			}
			switch w[1] {
			case "idles":
				s.Vacant = w[2] == "yes"
				return ""
			case "spares":
				s.Spare = w[2] == "one"
				return ""
			case "waits":
				c.Wait(s)
				return ""
			case "ends":
				c.Forget(s)
				return ""
			}
			for range number(t, w[2]) {
				if w[1] == "goes" {
					c.Leave(s)
					continue
				}
				ok, from := c.Admits(s)
				switch {
				case !ok:
					out.WriteString("there is no room\n")
					continue
				case from != nil:
					fmt.Fprintf(&out, "%v gives one up\n", from.Owner)
					c.Leave(from)
				}
				c.Enter(s)
			}
			return out.String()
		}
	})
}

func number(t *testing.T, text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// Whatever comes and goes, there are never more than may be, nobody loses more than it has
// above its part, and whoever keeps asking gets its part.
func TestEverybodyGetsItsPart(t *testing.T) {
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		c := NewConns(1 + rng.IntN(60))
		shares := make([]*ConnShare, 1+rng.IntN(20))
		for i := range shares {
			shares[i] = &ConnShare{Owner: i}
		}
		for range 3000 {
			s := shares[rng.IntN(len(shares))]
			if rng.IntN(4) == 0 && s.n > 0 {
				c.Leave(s)
				continue
			}
			ok, from := c.Admits(s)
			if !ok {
				continue
			}
			if from != nil {
				if from.n-1 < c.limit/(len(c.shares)+1) || from.n <= s.n {
					t.Fatalf("seed %d: a torrent with %d gives one up for one with %d", seed, from.n, s.n)
				}
				c.Leave(from)
			}
			c.Enter(s)
			if c.Total() > c.Limit() {
				t.Fatalf("seed %d: %d of %d", seed, c.Total(), c.Limit())
			}
		}
		for range 60 * len(shares) { // all of them ask
			for _, s := range shares {
				if ok, from := c.Admits(s); ok {
					if from != nil {
						c.Leave(from)
					}
					c.Enter(s)
				}
			}
		}
		for _, s := range shares {
			if part := c.limit / len(shares); s.n < part {
				t.Fatalf("seed %d: one has %d, and its part is %d", seed, s.n, part)
			}
		}
	}
}
