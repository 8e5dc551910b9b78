package engine

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/decide/announcequeue"
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/net/announcer"
)

// A tracker that takes five seconds for each answer has three hundred seeds to hear of.
// A download that is added then is announced at once; and when all stop, those that never
// had their turn end with the others.
func TestNewTorrentDoesNotWait(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.engine(1, Config{})
		tr := w.tracker(200, func(q query) string {
			time.Sleep(5 * time.Second)
			return compact()
		})
		for i := range 300 {
			w.seed(e, makeContent(t, fmt.Sprintf("seed %d", i), 16<<10, 5000).withTracker(tr.url))
		}
		time.Sleep(11 * time.Second)
		asked := len(tr.queries())
		if asked > 10 {
			t.Errorf("%d announces in 11 s; four at a time were to be made", asked)
		}
		added := time.Now()
		l, _ := w.leech(e, makeContent(t, "new", 16<<10, 5000).withTracker(tr.url))
		time.Sleep(time.Second)
		hash := l.InfoHash()
		found := false
		for _, q := range tr.queries() {
			if q.Get("info_hash") == string(hash[:]) {
				found = true
				if d := q.at.Sub(added); d > 100*time.Millisecond {
					t.Errorf("the new torrent was announced after %v", d)
				}
			}
		}
		if !found {
			t.Error("the new torrent was not announced")
		}
		stopped := time.Now()
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(stopped); d > announcer.Farewell+time.Second {
			t.Errorf("closing took %v", d)
		}
		if n := e.announcer.Calls(); n != 0 {
			t.Errorf("%d announces are left", n)
		}
		stops := 0
		for _, q := range tr.queries() {
			if q.Get("event") == "stopped" {
				stops++
			}
		}
		if n := e.Untold(); stops == 0 || stops+n < asked || n == 0 {
			t.Errorf("%d farewells were made, and %d not", stops, n)
		}
		time.Sleep(10 * time.Second) // until the tracker has seen the ends
	})
}

// On exit there may be no time for all farewells. Those with bytes that the tracker has not heard of
// go first, and Untold counts the ones that were not made.
func TestFarewellsWorthMostGoFirst(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e, other := w.engine(1, Config{}), w.engine(2, Config{})
		tr := w.tracker(200, func(q query) string {
			time.Sleep(time.Second)
			return compact(e.Addr())
		})
		const seeds = 60
		var shared payload
		for i := range seeds {
			shared = makeContent(t, fmt.Sprintf("seed %d", i), 16<<10, 50_000).withTracker(tr.url)
			w.seed(e, shared)
		}
		time.Sleep(30 * time.Second) // four at a time
		l, _ := w.leech(other, shared)
		wait(t, l)
		hash := l.InfoHash()
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		stops, counted := 0, 0
		for _, q := range tr.queries() {
			if q.Get("event") != "stopped" {
				continue
			}
			if stops++; q.Get("info_hash") == string(hash[:]) && q.n("uploaded") > 0 {
				counted = stops
			}
		}
		// Four may be under way before the one with bytes is asked for.
		if counted == 0 || counted > 2*announcequeue.SlotsOfHost {
			t.Errorf("of %d farewells the one with bytes was number %d", stops, counted)
		}
		// One that is under way when the time is over reaches the tracker, and counts as not made.
		if n := e.Untold(); n == 0 || stops+n < seeds || n > seeds-stops+announcequeue.SlotsOfHost {
			t.Errorf("%d of %d farewells reached the tracker, and %d were not made", stops, seeds, n)
		}
		time.Sleep(10 * time.Second) // until the tracker has seen the ends
	})
}

// Of a tracker that answers nobody only a few torrents learn that the hard way; the
// others are told so, and it is tried again later.
func TestTrackerThatIsAway(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.engine(1, Config{})
		tr := w.tracker(200, func(query) string { return "" })
		var torrents []*Torrent
		for i := range 20 {
			torrents = append(torrents, w.seed(e, makeContent(t, fmt.Sprintf("seed %d", i), 16<<10, 5000).withTracker(tr.url)))
		}
		time.Sleep(70 * time.Second)
		synctest.Wait()
		if n := len(tr.queries()); n > 3 {
			t.Errorf("%d announces were made to a tracker that does not answer", n)
		}
		refused := 0
		for _, s := range torrents {
			if err := s.Stats().Swarm.Trackers[0].Err; err == "announce to 10.0.0.200:8080: not asked: the tracker has not answered others just now" {
				refused++
			}
		}
		if refused < 17 {
			t.Errorf("%d torrents say that they were refused", refused)
		}
		for _, s := range torrents {
			s.Stop(t.Context())
		}
	})
}

// What a tracker is told comes there in order, and "completed" before "stopped" also when
// the torrent stops as soon as it is complete, and the tracker takes its time.
func TestCompletedIsSaidBeforeTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var mu sync.Mutex
		var order []string
		note := func(text string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, text)
		}
		seed, leech := w.engine(1, Config{}), w.engine(2, Config{})
		c := makeContent(t, "tracked", 16<<10, 300_000)
		tr := w.tracker(200, func(q query) string {
			if q.Get("port") == "6881" && q.Get("left") != "0" || q.Get("event") == "completed" || q.Get("downloaded") != "0" {
				note(q.Get("event") + " asked")
				time.Sleep(time.Second)
				note(q.Get("event") + " answered")
			}
			return compact(seed.Addr())
		})
		s := w.seed(seed, c)
		l, _ := w.leech(leech, c.withTracker(tr.url))
		wait(t, l)
		l.Stop(t.Context())
		s.Stop(t.Context())
		want := []string{"started asked", "started answered", "completed asked", "completed answered", "stopped asked", "stopped answered"}
		if !slices.Equal(order, want) {
			t.Errorf("the tracker saw %q, want %q", order, want)
		}
	})
}

// A question for counts says nothing to a tracker, and waits behind all that is not urgent.
// A torrent that wants peers does not wait for it.
func TestNobodyWaitsForCounts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.engine(1, Config{})
		c := makeContent(t, "new", 16<<10, 5000)
		ours := func(q query) bool { return q.Get("info_hash") == string(c.meta.InfoHash[:]) }
		tr := w.tracker(200, func(q query) string { // and no counts
			if !ours(q) {
				time.Sleep(20 * time.Second)
			}
			return compact()
		})
		// Seeds hold every place that is not urgent for more than six minutes.
		for i := range 20 * announcequeue.SlotsOfHost {
			w.seed(e, makeContent(t, fmt.Sprint("seed ", i), 16<<10, 5000).withTracker(tr.url))
		}
		w.leech(e, c.withTracker(tr.url))
		time.Sleep(announce.NeedInterval + time.Minute)
		n := 0
		for _, q := range tr.queries() {
			if ours(q) {
				n++
			}
		}
		if n != 2 {
			t.Errorf("%d announces in six minutes, want 2", n)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute) // until the tracker has seen the ends
	})
}
