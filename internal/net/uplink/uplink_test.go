package uplink

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/decide/uplink"
	"shoal/internal/mailbox"
	"shoal/internal/net/netio"
	"shoal/internal/value/mono"
)

var far = netip.MustParseAddr("9.9.9.9")

// wire is a connection whose path a test sets.
type wire struct {
	net.Conn
	mu   sync.Mutex
	path netio.Path
}

func (w *wire) Path() netio.Path {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.path
}

// moves lets bytes arrive, after so much delay.
func (w *wire) moves(bytes int64, delay time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.path.Acked += bytes
	w.path.Acks += bytes / 2896
	w.path.RTT = w.path.Least + delay
}

func newWatch(t *testing.T) (*Watch, *[]int64) {
	began := time.Now()
	limits := new([]int64)
	beats := mailbox.NewBeats(func() mono.Time { return mono.Start.Add(time.Since(began)) }, nil)
	t.Cleanup(beats.Close)
	w := New(beats, func(rate int64) { *limits = append(*limits, rate) })
	t.Cleanup(w.Close)
	w.Turn(true)
	return w, limits
}

// A connection that is delayed gets a limit; when the delay has gone and nothing is sent any more,
// the limit goes, and so does the timer.
func TestLimitComesAndGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, limits := newWatch(t)
		c := &wire{path: netio.Path{Least: 40 * time.Millisecond, RTT: 40 * time.Millisecond}}
		l := w.Link(c, far)
		for range 20 {
			c.moves(125_000, 300*time.Millisecond)
			l.Sent(125_000)
			time.Sleep(uplink.Every)
		}
		if s := w.Status(); s.Rate == 0 || s.State != uplink.Drain || s.Delay < 200*time.Millisecond || s.Sent < 1_000_000 {
			t.Fatalf("%+v", s)
		}
		for range 20 {
			c.moves(w.Status().Rate/10, 0)
			l.Sent(1000)
			time.Sleep(uplink.Every)
		}
		if s := w.Status(); s.State != uplink.Hold || s.Rate == 0 {
			t.Fatalf("%+v", s)
		}
		time.Sleep(30 * time.Second)
		if s := w.Status(); s.Rate != 0 || s.State != uplink.Free {
			t.Errorf("%+v", s)
		}
		if last := (*limits)[len(*limits)-1]; last != 0 {
			t.Errorf("the limit is %d", last)
		}
		w.mu.Lock()
		if w.armed || len(w.links) > 0 {
			t.Errorf("armed %v, %d links", w.armed, len(w.links))
		}
		w.mu.Unlock()
	})
}

// What goes to this machine or its network is not watched and has no limit.
func TestNearIsNotWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, limits := newWatch(t)
		for _, a := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1"} {
			l := w.Link(new(wire), netip.MustParseAddr(a))
			if near := l.Near(); near == nil || !near.Load() {
				t.Errorf("%s is not known to be near", a)
			}
			l.Sent(1000)
			w.mu.Lock()
			if len(w.links) > 0 || w.armed {
				t.Errorf("%s is watched", a)
			}
			w.mu.Unlock()
		}
		c := &wire{path: netio.Path{Least: time.Millisecond, RTT: time.Millisecond}}
		l := w.Link(c, far)
		for range 50 {
			c.moves(10_000_000, 300*time.Millisecond)
			l.Sent(10_000_000)
			time.Sleep(uplink.Every)
		}
		if !l.Near().Load() || w.Status().Active || len(*limits) != 1 {
			t.Errorf("near %v, %+v, limits %v", l.Near().Load(), w.Status(), *limits)
		}
	})
}

// Where the system tells nothing there is no limit, and the status says so.
func TestBlind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newWatch(t)
		here, there := net.Pipe()
		defer here.Close()
		defer there.Close()
		l := w.Link(here, far)
		l.Sent(1)
		if l != nil || l.Near() != nil || !w.Status().Blind {
			t.Errorf("%+v", w.Status())
		}
	})
}

// A system without counts of what has arrived has its buffer.
func TestArrivedByTheBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newWatch(t)
		c := &wire{path: netio.Path{RTT: 50 * time.Millisecond, Acked: -1, Held: 30_000}}
		l := w.Link(c, far)
		l.Sent(50_000)
		time.Sleep(uplink.Every / 2) // so that nothing is sent at the instant of a look
		for range 30 {
			l.Sent(50_000)
			time.Sleep(uplink.Every)
		}
		if s := w.Status(); s.Sent < 450_000 || s.Sent > 550_000 || s.Delay != 0 {
			t.Errorf("%+v", s)
		}
	})
}

// Off, nothing is watched and nothing limited.
func TestOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, limits := newWatch(t)
		w.Turn(false)
		l := w.Link(&wire{path: netio.Path{Least: 40 * time.Millisecond, RTT: time.Second}}, far)
		l.Sent(1000)
		time.Sleep(10 * time.Second)
		if s := w.Status(); s.On || len(*limits) != 2 || w.armed {
			t.Errorf("%+v %v", s, *limits)
		}
	})
}

// Off, what is sent waits for no lock that all connections share; what sent before is forgotten, and
// is watched again once the watch is on.
func TestOffTakesNoLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, _ := newWatch(t)
		l := w.Link(&wire{path: netio.Path{Least: 40 * time.Millisecond, RTT: 40 * time.Millisecond}}, far)
		watched := func() int {
			w.mu.Lock()
			defer w.mu.Unlock()
			return len(w.links)
		}
		if l.Sent(1000); watched() != 1 {
			t.Error("not watched")
		}
		if w.Turn(false); watched() != 0 {
			t.Error("watched while off")
		}
		w.mu.Lock()
		l.Sent(1000) // would wait for ever
		w.mu.Unlock()
		w.Turn(true)
		if l.Sent(1000); watched() != 1 {
			t.Error("not watched again")
		}
	})
}
