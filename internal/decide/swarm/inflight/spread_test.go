package inflight

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/value/mono"
)

// A command is a time, the limit, how many are asked, and whether it holds anybody back.
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		var m Spread
		return func(command string) string {
			f := strings.Fields(command)
			d, err := time.ParseDuration(f[0])
			if err != nil {
				t.Fatal(err)
			}
			var n [2]int
			for i := range n {
				if n[i], err = strconv.Atoi(f[i+1]); err != nil {
					t.Fatal(err)
				}
			}
			m.Set(mono.Start.Add(d), int64(n[0]), f[3] == "bound", n[1])
			most := 0
			for most < 1000 && m.May(most, false) {
				most++
			}
			return fmt.Sprintf("%d at most, %v excused", most, m.Excused())
		}
	})
}

// Whatever is said: somebody may always be asked, no more is excused than time has passed, and who is one of
// those that are asked may go on unless there are too many.
func FuzzSpread(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var m Spread
		now := mono.Start
		for i := 0; i+2 < len(steps); i += 3 {
			now = now.Add(time.Duration(steps[i]) * 50 * time.Millisecond)
			limit, asked := int64(steps[i+1])<<(steps[i+1]&15), int(steps[i+2]>>1)
			before := m.Excused()
			m.Set(now, limit, steps[i+2]&1 == 1, asked)
			if !m.May(0, false) || !m.May(1, true) {
				t.Fatal("nobody may be asked")
			}
			if more := m.Excused() - before; more < 0 || more > time.Duration(steps[i])*50*time.Millisecond {
				t.Fatalf("%v excused", more)
			}
			if m.May(asked, false) && !m.May(asked, true) {
				t.Fatal("a new one may be asked, and none of those that are")
			}
			if limit == 0 && !m.May(1<<20, false) {
				t.Fatal("bounded without a limit")
			}
		}
	})
}
