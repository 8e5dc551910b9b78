package filestate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
	"shoal/internal/value/mono"
)

// A command is a time and what happens then; what fell due before comes first.
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		var m Machine
		return func(command string) string {
			var out strings.Builder
			say := func() {
				fmt.Fprintf(&out, "%s, %s", m.State(), m.Mode())
				if a := m.Next(); a != Nothing {
					fmt.Fprintf(&out, ": %s", a)
				}
				if d := m.Deadline(); d != mono.Never {
					fmt.Fprintf(&out, " (next at %s)", d.Sub(mono.Start))
				}
				out.WriteByte('\n')
			}
			when, what, _ := strings.Cut(command, " ")
			d, err := time.ParseDuration(when)
			if err != nil {
				t.Fatal(err)
			}
			now := mono.Start.Add(d)
			for m.Deadline() <= now {
				at := m.Deadline()
				m.Tick(at)
				fmt.Fprintf(&out, "%s: ", at.Sub(mono.Start))
				say()
			}
			if what == "wait" {
				return out.String()
			}
			input(t, &m, now, what)
			say()
			return out.String()
		}
	})
}

func input(t *testing.T, m *Machine, now mono.Time, what string) {
	t.Helper()
	switch what {
	case "start":
		m.Start(now)
	case "fine":
		m.Settled(now, Fine)
	case "partly":
		m.Settled(now, Partly)
	case "unusable":
		m.Settled(now, Unusable)
	case "not there":
		m.Settled(now, NotThere)
	case "unwritten":
		m.WriteFailed(now)
	case "written":
		m.Written()
	case "retried 1":
		m.Retried(now, 1)
	case "retried 0":
		m.Retried(now, 0)
	case "spoilt":
		m.Spoilt(now)
	default:
		t.Fatalf("no input %q", what)
	}
}

// Whatever happens in whatever order: one act at a time, nothing is written while
// the files are not to be, and there is always a way on.
func FuzzMachine(f *testing.F) {
	f.Add([]byte{0, 6, 7, 8, 9, 1, 2})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var m Machine
		now := mono.Start
		m.Start(now)
		under := m.Next()
		for _, b := range steps {
			now = now.Add(time.Duration(b>>4) * time.Second)
			m.Tick(now)
			switch b & 7 {
			case 0, 1, 2, 3:
				if under == Open || under == Settle {
					m.Settled(now, Outcome(b&3))
					under = Nothing
				}
			case 4:
				m.WriteFailed(now)
			case 5:
				m.Written()
			case 6:
				m.Spoilt(now)
			case 7:
				if under == Retry {
					m.Retried(now, int(b>>4&1))
					under = Nothing
				}
			}
			if a := m.Next(); a != Nothing {
				if (under == Open || under == Settle) && a != under {
					t.Fatalf("%v while %v is under way", a, under)
				}
				under = a
			}
			if (m.State() == Ready) != (m.Mode() == Run) {
				t.Fatalf("%v and %v", m.State(), m.Mode())
			}
			if m.Mode() != Run && m.Deadline() == mono.Never && m.acting == Nothing {
				t.Fatalf("%v for ever", m.State())
			}
		}
	})
}
