package uplink

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"
)

const ms = time.Millisecond

func median(all []time.Duration) time.Duration {
	all = slices.Clone(all)
	slices.Sort(all)
	if len(all) == 0 {
		return 0
	}
	return all[len(all)/2]
}

// fourPeers returns a line to four peers at different distances.
func fourPeers(mbit float64) *line { return newLine(mbit, 40*ms, 60*ms, 80*ms, 100*ms) }

// expect runs for a while, and compares the median delay and the rate in Mbit/s.
func (l *line) expect(t *testing.T, what string, d, most time.Duration, least float64) {
	t.Helper()
	delay, mbit := l.measure(d)
	if delay > most || mbit < least {
		t.Errorf("%s: %v and %.2f Mbit/s, want at most %v and at least %.2f; %v", what, delay, mbit, most, least, l.m.Status(l.now))
	}
}

// On lines of any rate the queue is short and the line nearly full.
func TestLineIsFullAndQueueShort(t *testing.T) {
	for _, mbit := range []float64{1, 2, 5, 10, 50} {
		l := fourPeers(mbit)
		l.run(12 * time.Second)
		for range 6 {
			l.expect(t, fmt.Sprintf("%v Mbit/s", mbit), 10*time.Second, 75*ms, 0.91*mbit)
		}
	}
}

// Without the machine the same line has a long queue.
func TestLineWithoutMachine(t *testing.T) {
	l := fourPeers(10)
	l.off = true
	l.run(12 * time.Second)
	if delay, mbit := l.measure(10 * time.Second); delay < 300*ms || mbit < 9 {
		t.Errorf("%v, %.2f Mbit/s", delay, mbit)
	}
}

// A line that becomes slower, and faster again, is followed within ten seconds.
func TestLineThatChanges(t *testing.T) {
	l := fourPeers(10)
	l.run(15 * time.Second)
	for _, mbit := range []float64{3, 10, 3, 10} {
		l.rate = mbit * 1e6 / 8
		l.run(8 * time.Second)
		l.expect(t, fmt.Sprintf("%v Mbit/s", mbit), 10*time.Second, 75*ms, 0.9*mbit)
	}
}

// Another program sends at half of the line's rate: we take the other half.
func TestOtherProgram(t *testing.T) {
	l := fourPeers(10)
	l.run(15 * time.Second)
	l.other = 5e6 / 8
	l.run(8 * time.Second)
	l.expect(t, "half", 20*time.Second, 75*ms, 4.6)
	l.other = 0
	l.run(8 * time.Second)
	l.expect(t, "all again", 10*time.Second, 75*ms, 9)
}

// The way back is slow, for a busy downlink: that is not ours, and we send on.
func TestBusyDownlink(t *testing.T) {
	l := fourPeers(10)
	l.run(15 * time.Second)
	l.back = 200 * ms
	l.run(6 * time.Second)
	if _, mbit := l.measure(20 * time.Second); mbit < 8 {
		t.Errorf("%.2f Mbit/s while the downlink is busy", mbit)
	}
	if l.m.state != Yield && l.m.yield == 0 {
		t.Errorf("it does not yield: %v", l.m.state)
	}
	l.back = 0
	l.run(longestYield)
	l.expect(t, "afterwards", 10*time.Second, 75*ms, 9)
}

// The peers acknowledge over uplinks that are as busy as ours, and wavers: what is not ours does not
// make us slow.
func TestBusyUplinksOfPeers(t *testing.T) {
	for _, c := range []struct {
		mbit       float64
		back, more time.Duration
	}{{5, 40 * ms, 0}, {5, 50 * ms, 20 * ms}, {10, 90 * ms, 30 * ms}, {2, 60 * ms, 0}} {
		l := newLine(c.mbit, 30*ms, 40*ms, 50*ms, 60*ms, 80*ms, 100*ms, 110*ms, 120*ms)
		busy := func(d time.Duration) {
			for i := range int(d / (100 * ms)) {
				l.back = c.back + time.Duration(float64(c.more)*math.Sin(float64(i)/7))
				l.run(100 * ms)
			}
		}
		busy(15 * time.Second)
		l.samples, l.got = nil, 0
		busy(30 * time.Second)
		if delay, mbit := median(l.samples), l.got*8/1e6/30; delay > 75*ms || mbit < 0.85*c.mbit {
			t.Errorf("%+v: %v and %.2f Mbit/s; %v", c, delay, mbit, l.m.Status(l.now))
		}
	}
}

// A peer whose own line is full delays itself alone: the others are not held up.
func TestFarQueue(t *testing.T) {
	l := fourPeers(20)
	l.peers[0].far = 1e6 / 8
	l.run(12 * time.Second)
	l.expect(t, "one of four", 20*time.Second, 75*ms, 17)
}

// A single peer with a slow line is held at its rate; when another comes, the rate follows.
func TestFarQueueAlone(t *testing.T) {
	l := newLine(20, 40*ms)
	l.peers[0].far = 1e6 / 8
	l.run(30 * time.Second)
	if _, mbit := l.measure(10 * time.Second); mbit < 0.85 {
		t.Errorf("%.2f Mbit/s to a peer that takes 1", mbit)
	}
	l.join(50 * ms)
	l.run(15 * time.Second)
	if _, mbit := l.measure(10 * time.Second); mbit < 2*0.8 {
		t.Errorf("%.2f Mbit/s to two", mbit)
	}
}

// Connections that begin while there is a queue take it for a part of the way. They see it go.
func TestLatecomers(t *testing.T) {
	l := fourPeers(10)
	l.run(15 * time.Second)
	for i := range 12 {
		l.peers = l.peers[1:]
		l.join(time.Duration(40+10*(i%5)) * ms)
		l.run(7 * time.Second)
	}
	l.expect(t, "after twelve have come", 20*time.Second, 75*ms, 9)
}

// Where nothing is delayed there is no limit, whatever the rate.
func TestNoDelayNoLimit(t *testing.T) {
	l := newLine(100, 40*ms, 60*ms)
	for _, p := range l.peers {
		p.far = 1e6 // they take 8 Mbit/s each
	}
	l.peers[0].far, l.peers[1].far = 0, 0
	l.most = 64 << 10 // windows that fill nothing
	for range 30 {
		if l.run(time.Second); l.limit > 0 {
			t.Fatalf("a limit of %.2f Mbit/s", l.limit*8e-6)
		}
	}
}

// A limit that holds nothing up goes.
func TestLimitGoes(t *testing.T) {
	l := fourPeers(10)
	l.run(15 * time.Second)
	if l.limit == 0 {
		t.Fatal("no limit")
	}
	l.most = 4 * packet // the peers want less
	l.run(unneeded + 5*time.Second)
	if l.limit > 0 || l.m.state != Free {
		t.Errorf("a limit of %.2f Mbit/s, %v", l.limit*8e-6, l.m.state)
	}
}

// It never starves: even where others fill the line it sends something, and after they have left
// it takes the line again.
func TestNeverStarves(t *testing.T) {
	l := fourPeers(10)
	l.run(15 * time.Second)
	l.other = 9.8e6 / 8
	for range 60 {
		if l.run(time.Second); l.m.rate > 0 && l.m.rate < floor {
			t.Fatalf("a limit of %d bytes a second", l.m.rate)
		}
	}
	l.other = 0
	l.run(40 * time.Second)
	l.expect(t, "afterwards", 10*time.Second, 75*ms, 9)
}
