package uplink

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal/internal/golden"
)

// The line of line_test.go is simulated, with a Machine. The answers are the states that it enters, and
// why, and at the end of a run what was measured over its second half.
//
//	line MBIT RTT...     a line of this rate, and peers at these distances
//	rate MBIT            the line has another rate
//	other MBIT           another program sends so much
//	back DURATION        the way back takes longer
//	join RTT             another peer
//	want PACKETS         the peers take so many packets at once; 0: any number
//	run DURATION         time passes
func TestScripts(t *testing.T) {
	golden.Run(t, "testdata/*.txt", func(t *testing.T) func(string) string {
		var l *line
		number := func(s string) float64 {
			n, err := strconv.ParseFloat(s, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		span := func(s string) time.Duration {
			d, err := time.ParseDuration(s)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		return func(command string) string {
			f := strings.Fields(command)
			switch f[0] {
			case "line":
				l = newLine(number(f[1]))
				for _, rtt := range f[2:] {
					l.join(span(rtt))
				}
			case "rate":
				l.rate = number(f[1]) * 1e6 / 8
			case "other":
				l.other = number(f[1]) * 1e6 / 8
			case "back":
				l.back = span(f[1])
			case "join":
				l.join(span(f[1]))
			case "want":
				l.most = number(f[1]) * packet
			case "run":
				return l.tell(span(f[1]))
			default:
				t.Fatalf("no command %q", f[0])
			}
			return ""
		}
	})
}

// tell runs for a while, and returns what the machine does meanwhile.
func (l *line) tell(d time.Duration) string {
	var out strings.Builder
	state := l.m.state
	began := l.now
	for l.now < began.Add(d) {
		if l.now == began.Add(d/2) {
			l.samples, l.got = nil, 0
		}
		l.run(10 * time.Millisecond)
		s := l.m.Status(l.now)
		if s.State == state {
			continue
		}
		state = s.State
		fmt.Fprintf(&out, "%.1fs: %v", l.now.Sub(began).Seconds(), s.State)
		if s.Rate > 0 {
			fmt.Fprintf(&out, " at %.1f Mbit/s", float64(s.Rate)*8e-6)
		}
		fmt.Fprintf(&out, " (%s)\n", s.Why.Words())
	}
	fmt.Fprintf(&out, "then %.1f Mbit/s, %d ms in the queue\n", l.got*8/1e6/(d/2).Seconds(), median(l.samples).Milliseconds())
	return out.String()
}
