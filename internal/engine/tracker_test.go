package engine

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/net/announcer"
)

// query is one announce as a tracker sees it.
type query struct {
	url.Values
	at time.Time
}

func (q query) n(key string) int64 {
	n, err := strconv.ParseInt(q.Get(key), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// httpTracker is an HTTP tracker on the network of a world.
type httpTracker struct {
	url     string
	mu      sync.Mutex
	all     []query
	scrapes int
}

// tracker starts a tracker on host n. answer gives the body of a reply; an empty
// one means that no reply ever comes.
func (w *world) tracker(n byte, answer func(query) string) *httpTracker {
	w.t.Helper()
	addr := netip.AddrPortFrom(hostAddr(n), 8080)
	l, err := w.net.Host(hostAddr(n)).Listen(addr)
	if err != nil {
		w.t.Fatal(err)
	}
	tr := &httpTracker{url: fmt.Sprintf("http://%v/announce", addr)}
	stop := make(chan struct{})
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/scrape") {
			tr.mu.Lock()
			tr.scrapes++
			tr.mu.Unlock()
			http.NotFound(rw, r)
			return
		}
		q := query{r.URL.Query(), time.Now()}
		tr.mu.Lock()
		tr.all = append(tr.all, q)
		tr.mu.Unlock()
		body := answer(q)
		if body == "" {
			select {
			case <-r.Context().Done():
			case <-stop:
			}
			return
		}
		io.WriteString(rw, body)
	})}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		srv.Serve(l)
	}()
	w.t.Cleanup(func() {
		close(stop)
		srv.Close()
		<-ended
	})
	return tr
}

func (tr *httpTracker) queries() []query {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return append([]query(nil), tr.all...)
}

// compact is a reply with one peer (BEP 23), or none.
func compact(peers ...netip.AddrPort) string {
	var b []byte
	for _, p := range peers {
		b = append(b, p.Addr().AsSlice()...)
		b = append(b, byte(p.Port()>>8), byte(p.Port()))
	}
	return fmt.Sprintf("d8:intervali1800e5:peers%d:%se", len(b), b)
}

// dictionary is a reply that promises a peer id (BEP 3).
func dictionary(addr netip.AddrPort, id [20]byte) string {
	ip := addr.Addr().String()
	return fmt.Sprintf("d8:intervali1800e5:peersld2:ip%d:%s7:peer id20:%s4:porti%deeee", len(ip), ip, id[:], addr.Port())
}

// A download through a tracker tells it what BEP 3 wants, in order, with counters
// that are right at every step.
func TestAnnounces(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "tracked", 16<<10, 300_000)
		size := int64(len(c.data))
		seed, leech := w.engine(1, Config{}), w.engine(2, Config{})
		tr := w.tracker(200, func(query) string { return compact(seed.Addr(), leech.Addr()) })
		c = c.withTracker(tr.url)
		s := w.seed(seed, c)
		synctest.Wait()
		l, fsys := w.leech(leech, c)
		wait(t, l)
		c.in(t, fsys)
		time.Sleep(40 * time.Minute)
		l.Stop(t.Context())
		s.Stop(t.Context())

		type step struct {
			event                string
			up, down, left, want int64
		}
		check := func(tor *Torrent, steps ...step) {
			t.Helper()
			id := tor.PeerID()
			hash := tor.InfoHash()
			i := 0
			for _, q := range tr.queries() {
				if q.Get("peer_id") != string(id[:]) {
					continue
				}
				if i == len(steps) {
					t.Errorf("one announce too many: %v", q)
					return
				}
				s := steps[i]
				if q.Get("event") != s.event || q.n("uploaded") != s.up || q.n("downloaded") != s.down || q.n("left") != s.left {
					t.Errorf("announce %d is %q up %d down %d left %d, want %+v", i, q.Get("event"), q.n("uploaded"), q.n("downloaded"), q.n("left"), s)
				}
				if q.Get("info_hash") != string(hash[:]) || q.n("port") != port || q.n("compact") < 0 || q.Get("key") == "" {
					t.Errorf("announce %d: %v", i, q)
				}
				i++
			}
			if i < len(steps) {
				t.Errorf("%d announces, want %d", i, len(steps))
			}
		}
		check(l,
			step{"started", 0, 0, size, 0}, step{"completed", 0, size, 0, 0},
			step{"", 0, size, 0, 0}, step{"stopped", 0, size, 0, 0})
		// A torrent that was complete at its start never tells of a completion.
		check(s,
			step{"started", 0, 0, 0, 0}, step{"", size, 0, 0, 0}, step{"stopped", size, 0, 0, 0})
	})
}

// Replies without counts make a torrent scrape for them while it wants pieces. A seed does
// nothing with them: it makes one request, where it would make two.
func TestSeedDoesNotScrape(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tr := w.tracker(200, func(query) string { return compact() })
		scrapes := func() int {
			tr.mu.Lock()
			defer tr.mu.Unlock()
			return tr.scrapes
		}
		c := makeContent(t, "counted", 16<<10, 100_000).withTracker(tr.url)
		w.seed(w.engine(1, Config{}), c)
		time.Sleep(time.Minute)
		if n := len(tr.queries()); n != 1 || scrapes() != 0 {
			t.Errorf("a seed announced %d times and scraped %d times", n, scrapes())
		}
		w.leech(w.engine(2, Config{}), c)
		time.Sleep(time.Minute)
		if n := len(tr.queries()); n != 2 || scrapes() != 1 {
			t.Errorf("with a leecher %d announces and %d scrapes", n, scrapes())
		}
	})
}

// A farewell to a tracker that does not answer takes five seconds, or as long as
// the one who stops will wait.
func TestFarewellIsShort(t *testing.T) {
	for name, tc := range map[string]struct{ patience, want time.Duration }{
		"patient":   {time.Hour, announcer.Farewell},
		"impatient": {time.Second, time.Second},
		"at once":   {-time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tr := w.tracker(200, func(q query) string {
					if q.Get("event") == "stopped" {
						return ""
					}
					return compact()
				})
				e := w.engine(1, Config{})
				w.seed(e, makeContent(t, "bye", 16<<10, 5000).withTracker(tr.url))
				w.seed(e, makeContent(t, "adieu", 16<<10, 5000).withTracker(tr.url))
				time.Sleep(time.Second)
				ctx, cancel := context.WithTimeout(t.Context(), tc.patience)
				defer cancel()
				start := time.Now()
				if err := e.Close(ctx); err != nil {
					t.Errorf("close: %v", err)
				}
				if d := time.Since(start); d.Round(100*time.Millisecond) != tc.want {
					t.Errorf("closing took %v, want %v", d, tc.want)
				}
				e.clean(t)
			})
		})
	}
}

// Whoever closes again, with less patience, ends the wait of the first.
func TestCloseAgainSooner(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tr := w.tracker(200, func(q query) string {
			if q.Get("event") == "stopped" {
				return ""
			}
			return compact()
		})
		e := w.engine(1, Config{})
		w.seed(e, makeContent(t, "bye", 16<<10, 5000).withTracker(tr.url))
		time.Sleep(time.Second)
		start := time.Now()
		first := make(chan error)
		go func() { first <- e.Close(t.Context()) }()
		time.Sleep(time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := e.Close(ctx); err != nil {
			t.Errorf("the second close: %v", err)
		}
		if err := <-first; err != nil {
			t.Errorf("the first close: %v", err)
		}
		if d := time.Since(start); d > 1100*time.Millisecond {
			t.Errorf("closing took %v", d)
		}
	})
}

// What a tracker wants its users to know is told, until it says nothing more.
func TestTrackerWarns(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		n := 0
		tr := w.tracker(200, func(query) string {
			if n++; n == 1 {
				return "d8:completei1e10:incompletei0e8:intervali600e15:warning message9:slow downe"
			}
			return "d8:completei1e10:incompletei0e8:intervali600ee"
		})
		s := w.seed(w.engine(1, Config{}), makeContent(t, "warned", 16<<10, 5000).withTracker(tr.url))
		time.Sleep(time.Second)
		if got := s.Stats().Swarm.Trackers[0]; got.Warning != "slow down" || got.Err != "" || got.Seeders != 1 {
			t.Errorf("%+v", got)
		}
		time.Sleep(12 * time.Minute)
		if got := s.Stats().Swarm.Trackers[0]; got.Warning != "" {
			t.Errorf("%+v", got)
		}
	})
}
