package engine

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"shoal/internal/format/tracker"
)

// A tracker that means harm is asked a few times in an hour, whatever it answers, and
// nobody else notices: a torrent with an honest tracker comes in the meantime. (Transmission
// 3.00 made 5,800 announces in 35 s of a redirect loop, and took half a gigabyte of a
// compressed body.)
func TestHostileTrackers(t *testing.T) {
	t.Parallel()
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	z.Write(make([]byte, 64<<20))
	z.Close()
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		most   int32 // requests in an hour
	}{
		"interval 0":        {body("d8:intervali0e5:peers0:e"), 14},
		"interval of 1 s":   {body("d8:completei1e10:incompletei1e8:intervali1e12:min intervali1e5:peers0:e"), 61},
		"interval of 2^62":  {body("d8:intervali4611686018427387904e12:min intervali4611686018427387904e5:peers0:e"), 2},
		"negative interval": {body("d8:intervali-9e5:peers0:e"), 14},
		"nesting":           {body("d1:x" + strings.Repeat("l", 100_000) + strings.Repeat("e", 100_000) + "e"), 12},
		"many values":       {body("d1:xl" + strings.Repeat("le", 500_000) + "ee"), 12},
		"a bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb.Bytes())
		}, 12},
		"no end": {func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
				time.Sleep(time.Millisecond) // the network in memory takes all that it is given
			}
		}, 12},
		"a drip": {func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "d1:x99999:")
			for {
				w.(http.Flusher).Flush()
				select {
				case <-time.After(time.Second):
				case <-r.Context().Done():
					return
				}
				if _, err := io.WriteString(w, "x"); err != nil {
					return
				}
			}
		}, 12},
		"round and round": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path+"x", http.StatusFound)
		}, 6 * 12},
		"retry now":         {body("d14:failure reason4:busy8:retry ini0ee"), 12},
		"peers without end": {body("d8:intervali1800e5:peers1200000:" + strings.Repeat("\x09\x09\x09\x09\x1a\xe1", 200_000) + "e"), 14},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				var asked atomic.Int32
				at := netip.AddrPortFrom(hostAddr(100), 80)
				l, err := w.net.Host(at.Addr()).Listen(at)
				if err != nil {
					t.Fatal(err)
				}
				srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					asked.Add(1)
					c.answer(rw, r)
				})}
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					srv.Serve(l)
				}()
				defer func() {
					srv.Close()
					<-ended
				}()
				e := w.engine(1, Config{})
				bad, _ := w.leech(e, makeContent(t, "bad", 16<<10, 5000).withTracker(fmt.Sprintf("http://%v/announce", at)))
				time.Sleep(10 * time.Second)

				good := makeContent(t, "good", 16<<10, 100_000)
				seed := w.engine(2, Config{})
				honest := w.tracker(200, func(query) string { return compact(seed.Addr()) })
				w.seed(seed, good)
				x, _ := w.leech(e, good.withTracker(honest.url))
				waitFor(t, x, 10*time.Second)

				time.Sleep(time.Hour)
				if n := asked.Load(); n > c.most || n == 0 {
					t.Errorf("it was asked %d times in an hour, %d at most", n, c.most)
				}
				st := bad.Stats().Swarm
				if st.Known > tracker.MaxPeers {
					t.Errorf("%d peers are known", st.Known)
				}
				t.Logf("asked %d times; %v, %q", asked.Load(), st.Trackers[0].State, st.Trackers[0].Err)
			})
		})
	}
}
