package engine

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/format/wire"
)

// awake counts the torrents that have a loop, once everybody waits.
func awake(e *Engine) (n int) {
	synctest.Wait()
	for _, t := range e.Torrents() {
		if t.box.Awake() {
			n++
		}
	}
	return n
}

// few is how many goroutines of others, of the runtime and of the test itself, may
// come and go.
const few = 5

// A thousand complete torrents that nobody asks for cost no goroutine at all. Each
// wakes up for a connection, and goes back to sleep after it.
func TestIdleTorrentsCostNoGoroutine(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.engine(1, Config{})
		before := runtime.NumGoroutine()
		const n = 1000
		var contents []payload
		for i := range n {
			c := makeContent(t, fmt.Sprintf("idle %d", i), 16<<10, 100)
			contents = append(contents, c)
			w.seed(e, c)
		}
		time.Sleep(time.Minute)
		if loops, more := awake(e), runtime.NumGoroutine()-before; loops != 0 || more > few {
			t.Errorf("%d idle torrents have %d loops and %d goroutines", n, loops, more)
		}
		var peers []*remote
		for i := 0; i < n; i += 100 {
			p := w.connect(2, e.Addr(), contents[i])
			p.until(wire.Bitfield)
			peers = append(peers, p)
		}
		if loops := awake(e); loops != len(peers) {
			t.Errorf("%d loops for %d torrents with peers", loops, len(peers))
		}
		for i, p := range peers {
			if got := e.Torrents()[i*100].Stats().Swarm.Peers; got != 1 {
				t.Errorf("torrent %d has %d peers", i*100, got)
			}
			p.nc.Close()
		}
		time.Sleep(time.Minute)
		if loops, more := awake(e), runtime.NumGoroutine()-before; loops != 0 || more > few {
			t.Errorf("%d loops and %d goroutines after the peers have left", loops, more)
		}
		for i := range peers {
			if got := e.Torrents()[i*100].Stats().Swarm.Peers; got != 0 {
				t.Errorf("torrent %d says it has %d peers", i*100, got)
			}
		}
	})
}

// A deadline wakes an idle torrent: announces go on, and between them nothing runs.
func TestIdleTorrentWakesAtItsDeadline(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tr := w.tracker(200, func(query) string { return compact() })
		e := w.engine(1, Config{})
		for i := range 20 {
			w.seed(e, makeContent(t, fmt.Sprintf("deadline %d", i), 16<<10, 100).withTracker(tr.url))
		}
		time.Sleep(5 * time.Minute)
		if n := awake(e); n != 0 {
			t.Errorf("%d of 20 torrents are awake between announces", n)
		}
		time.Sleep(3 * time.Hour)
		// Every half an hour, and at most a tenth later.
		if n := len(tr.queries()); n < 20*6 || n > 20*7 {
			t.Errorf("%d announces of 20 torrents in three hours", n)
		}
	})
}

// Slots that are set while a torrent is being checked count.
func TestSlotsWhileChecking(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "slots", 16<<10, 50_000)
		e := w.engine(1, Config{Slots: NoSlots})
		st := hooked(c.on(t, c.memory(t)), func() error { time.Sleep(time.Second); return nil }, nil)
		s := add(t, e, Spec{Meta: c.meta, Storage: st})
		s.SetSlots(1)
		wait(t, s)
		p := w.connect(2, e.Addr(), c)
		p.send(wire.AppendSimple(nil, wire.Interested))
		p.until(wire.Unchoke)

		s.SetSlots(0)
		p.until(wire.Choke)
		s.SetSlots(2)
		p.until(wire.Unchoke)
		p.nc.Close()
	})
}
