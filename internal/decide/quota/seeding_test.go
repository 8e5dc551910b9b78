package quota

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/value/mono"
)

// A command is a time and what happens then; what fell due before comes first. A torrent of
// 1000 bytes, unless it is said otherwise.
func TestSeeding(t *testing.T) {
	golden.Run(t, "testdata/seeding/*.txt", func(t *testing.T) func(string) string {
		var m Seeding
		return func(command string) string {
			var out strings.Builder
			say := func(at mono.Time) {
				if reason, enough := m.Enough(at); enough {
					fmt.Fprintf(&out, "%s: %s: %s\n", at.Sub(mono.Start), m.Limits().Then, reason.Words())
				}
			}
			f := strings.Fields(command)
			d, err := time.ParseDuration(f[0])
			if err != nil {
				t.Fatal(err)
			}
			now := mono.Start.Add(d)
			for at := m.Deadline(); at <= now; at = m.Deadline() {
				say(at)
			}
			switch f[1] {
			case "limits":
				var l ShareLimits
				for _, word := range f[2:] {
					name, value, _ := strings.Cut(word, "=")
					switch name {
					case "ratio":
						l.Ratio, err = strconv.ParseFloat(value, 64)
					case "time":
						l.SeedTime, err = time.ParseDuration(value)
					case "idle":
						l.IdleTime, err = time.ParseDuration(value)
					case "remove":
						l.Then = Remove
					}
				}
				m.SetLimits(l)
			case "seeded":
				d, derr := time.ParseDuration(f[2])
				err = derr
				m.Restore(d)
			case "seeds", "rests":
				m.Seeding(now, f[1] == "seeds")
			case "totals": // sent, received, there
				var n [3]int64
				for i := range n {
					if n[i], err = strconv.ParseInt(f[2+i], 10, 64); err != nil {
						t.Fatal(err)
					}
				}
				m.Totals(now, n[0], n[1], n[2])
			case "goes":
				m.Resumed(now)
			case "wait":
			default:
				t.Fatalf("no command %q", command)
			}
			if err != nil {
				t.Fatal(err)
			}
			say(now)
			if f[1] == "wait" {
				fmt.Fprintf(&out, "ratio %.2f, seeded %s\n", m.Ratio(), m.Seeded(now))
			}
			return out.String()
		}
	})
}

// Whatever happens: it is told while it is seeded only, once, and the deadline is honoured.
func FuzzSeeding(f *testing.F) {
	f.Add([]byte{0, 16, 32, 48, 64, 80, 96, 112})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var m Seeding
		now, sent, told := mono.Start, int64(0), false
		for _, b := range steps {
			switch n := int64(b >> 3); b & 7 {
			case 0:
				m.Seeding(now, true)
			case 1:
				m.Seeding(now, false)
				told = false
			case 2:
				sent += n * 100
				m.Totals(now, sent, 50*n, 1000)
			case 3:
				m.SetLimits(ShareLimits{Ratio: float64(n) / 4, SeedTime: time.Duration(n) * time.Minute})
				told = false
			case 4:
				m.SetLimits(ShareLimits{IdleTime: time.Duration(n) * time.Minute})
				told = false
			case 5:
				m.Resumed(now)
				told = false
			case 6:
				now = now.Add(time.Duration(n) * time.Minute)
			case 7:
				if m.Deadline() < now.Add(24*time.Hour) {
					now = max(now, m.Deadline())
					if _, enough := m.Enough(now); !enough {
						t.Fatal("nothing is due at the deadline")
					}
					told = true
				}
			}
			if reason, enough := m.Enough(now); enough {
				if told || !m.seeding || reason == 0 {
					t.Fatalf("told again: %v", reason)
				}
				told = true
			}
			if m.Seeded(now) < 0 || m.Ratio() < 0 || math.IsNaN(m.Ratio()) {
				t.Fatalf("seeded %v, ratio %v", m.Seeded(now), m.Ratio())
			}
		}
	})
}

func TestLimitsThatCantBe(t *testing.T) {
	for _, l := range []ShareLimits{
		{Ratio: -1}, {Ratio: math.NaN()}, {Ratio: math.Inf(1)}, {SeedTime: -1}, {IdleTime: -1}, {Then: Remove + 1},
	} {
		if l.Check() {
			t.Errorf("%+v was found good", l)
		}
	}
	if !(ShareLimits{Ratio: 2, SeedTime: 1, IdleTime: 1, Then: Remove}).Check() || (ShareLimits{Then: Remove}).Any() {
		t.Error("good limits were refused, or none taken for some")
	}
}
