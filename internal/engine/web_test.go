package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoal/internal/files/storage"
	"shoal/internal/format/wire"
	"shoal/internal/net/netio"
	"shoal/internal/simnet"
	"shoal/metainfo"
)

// webServer is an HTTP server on host n.
type webServer struct {
	url   string
	conns atomic.Int32 // open
	most  atomic.Int32 // of those, ever
	asked atomic.Int32 // requests
}

// serveHTTP has host n answer at port 80 until the test is over.
func (w *world) serveHTTP(n byte, h http.Handler) *webServer {
	w.t.Helper()
	l, err := w.net.Host(hostAddr(n)).Listen(netip.AddrPortFrom(hostAddr(n), 80))
	if err != nil {
		w.t.Fatal(err)
	}
	ws := &webServer{url: fmt.Sprintf("http://%v/pub/", hostAddr(n))}
	s := &http.Server{
		Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			ws.asked.Add(1)
			h.ServeHTTP(rw, r)
		}),
		ConnState: func(_ net.Conn, st http.ConnState) {
			switch st {
			case http.StateNew:
				ws.most.Store(max(ws.most.Load(), ws.conns.Add(1)))
			case http.StateClosed, http.StateHijacked:
				ws.conns.Add(-1)
			}
		},
	}
	var wg sync.WaitGroup
	wg.Go(func() { s.Serve(l) })
	w.t.Cleanup(func() {
		s.Close()
		wg.Wait()
	})
	return ws
}

// files serves a torrent's files below /pub/ as a good server does.
func (c payload) handler(change func(path string, data []byte) []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.Path, "/pub/")
		data, ok := c.files[filepath.FromSlash(name)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if change != nil {
			data = change(name, bytes.Clone(data))
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	})
}

// withWebSeeds gives the same content as a torrent that names web seeds.
func (c payload) withWebSeeds(urls ...string) payload {
	meta := *c.meta
	meta.URLList = urls
	c.meta = &meta
	return c
}

// A whole torrent from a web seed and from nobody else, into files on disk: the same bytes,
// over one connection, with hardly more requests than files.
func TestWebSeedAlone(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "odd + 100% ü", 64<<10, 700_000, 3, 100_000, 64<<10, 1_000_000)
		s := w.serveHTTP(1, c.handler(nil))
		c = c.withWebSeeds(s.url, "ftp://10.0.0.1/ignored")
		dir := t.TempDir()
		e := w.engine(2, Config{})
		l := add(t, e, Spec{Meta: c.meta, Dir: dir})
		wait(t, l)
		st := l.Stats().Swarm
		if st.Downloaded != int64(len(c.data)) || st.WebDownloaded != st.Downloaded || st.Wasted != 0 {
			t.Errorf("%d bytes came, %d of them from web seeds, %d for nothing, of %d", st.Downloaded, st.WebDownloaded, st.Wasted, len(c.data))
		}
		if len(st.WebSeeds) != 1 || st.WebSeeds[0].Downloaded != st.Downloaded || st.WebSeeds[0].URL != s.url {
			t.Errorf("%+v", st.WebSeeds)
		}
		if s.most.Load() != 1 || s.asked.Load() > 12 {
			t.Errorf("%d connections, %d requests", s.most.Load(), s.asked.Load())
		}
		l.Stop(t.Context())
		c.same(t, dir)
	})
}

// A web seed and a slow peer: both bring what they can, and hardly anything comes twice.
func TestWebSeedAmongPeers(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "both", 64<<10, 24<<20)
		s := w.serveHTTP(1, c.handler(nil))
		w.net.SetLink(hostAddr(1), hostAddr(2), simnet.Link{Delay: 5 * time.Millisecond, Rate: 2 << 20})
		w.net.SetLink(hostAddr(3), hostAddr(2), simnet.Link{Delay: 5 * time.Millisecond, Rate: 1 << 20})
		w.seed(w.engine(3, Config{}), c)
		e := w.engine(2, Config{})
		fsys := storage.NewMemFS()
		start := time.Now()
		l := add(t, e, Spec{Meta: c.withWebSeeds(s.url).meta, Storage: c.on(t, fsys), Peers: []netip.AddrPort{at(3)}})
		wait(t, l)
		c.in(t, fsys)
		st := l.Stats().Swarm
		// Three MiB a second together: eight seconds for 24 MiB.
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		if web := st.WebDownloaded; web < 12<<20 || web > 19<<20 || st.Wasted > 512<<10 {
			t.Errorf("%d bytes from the web seed, %d of %d for nothing", web, st.Wasted, st.Downloaded)
		}
	})
}

// A web seed that lies is given up after its first bad piece, and told of; the other one
// brings everything.
func TestWebSeedLies(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "lies", 64<<10, 2<<20)
		liar := w.serveHTTP(1, c.handler(func(_ string, data []byte) []byte {
			for i := range data {
				data[i] ^= 0x55
			}
			return data
		}))
		e := w.engine(2, Config{})
		fsys := storage.NewMemFS()
		honest := w.serveHTTP(3, c.handler(nil))
		l := add(t, e, Spec{Meta: c.withWebSeeds(liar.url, honest.url).meta, Storage: c.on(t, fsys)})
		events := watch(t, l)
		wait(t, l)
		c.in(t, fsys)
		given := kinds(events(), EventWebSeed)
		if len(given) != 1 || !strings.Contains(given[0].Text, "10.0.0.1") || !strings.Contains(given[0].Text, "bad data") {
			t.Errorf("%+v", given)
		}
		for _, s := range l.Stats().Swarm.WebSeeds {
			if (s.URL == liar.url) != (s.State == "given up") {
				t.Errorf("%+v", s)
			}
		}
		if n := liar.asked.Load(); n > 3 {
			t.Errorf("the liar was asked %d times", n)
		}
	})
}

// Servers that do not do as they should, with nobody else there: what becomes of the torrent.
func TestWebSeedTroubles(t *testing.T) {
	c := makeContent(t, "trouble", 64<<10, 3<<20, 1<<20)
	good := c.handler(nil)
	for _, x := range []struct {
		name string
		h    func(n int32, w http.ResponseWriter, r *http.Request)
		ends time.Duration // 0: never
		err  string        // in what is said of the seed, where it never ends
	}{
		{"it knows no ranges", func(_ int32, w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			good.ServeHTTP(w, r)
		}, time.Minute, ""},
		{"it is busy at first", func(n int32, w http.ResponseWriter, r *http.Request) {
			if n <= 3 {
				w.Header().Set("Retry-After", "10")
				w.WriteHeader(503)
				return
			}
			good.ServeHTTP(w, r)
		}, 2 * time.Minute, ""},
		{"it dies in the middle, again and again", func(n int32, w http.ResponseWriter, r *http.Request) {
			if n%2 == 1 {
				good.ServeHTTP(&dies{w, 300_000}, r)
				return
			}
			good.ServeHTTP(w, r)
		}, 10 * time.Minute, ""},
		{"it sends us round and round", func(_ int32, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}, 0, "redirects"},
		{"it has another file of that name", func(_ int32, w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, "", time.Time{}, strings.NewReader("an error page"))
		}, 0, "on the server"},
		{"it compresses", func(_ int32, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			good.ServeHTTP(w, r)
		}, 0, "compressed"},
		{"it has nothing", func(_ int32, w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, 0, "404"},
		{"it never answers", func(_ int32, _ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, 0, "time"},
	} {
		t.Run(x.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				var asked atomic.Int32
				s := w.serveHTTP(1, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { x.h(asked.Add(1), rw, r) }))
				fsys := storage.NewMemFS()
				l := add(t, w.engine(2, Config{}), Spec{Meta: c.withWebSeeds(s.url).meta, Storage: c.on(t, fsys)})
				if x.ends > 0 {
					waitFor(t, l, x.ends)
					c.in(t, fsys)
					return
				}
				time.Sleep(10 * time.Minute)
				st := l.Stats()
				// One that never answers may be being asked just now.
				seed := st.Swarm.WebSeeds[0]
				if st.State != Downloading || !strings.Contains(seed.Err, x.err) || seed.State == "working" && x.err != "time" {
					t.Errorf("%v, %+v", st.State, st.Swarm.WebSeeds)
				}
				if n := asked.Load(); n > 40 {
					t.Errorf("it was asked %d times", n)
				}
			})
		})
	}
}

// dies writes so much and then ends the connection.
type dies struct {
	http.ResponseWriter
	left int
}

func (d *dies) Write(b []byte) (int, error) {
	if d.left -= len(b); d.left <= 0 {
		panic(http.ErrAbortHandler)
	}
	return d.ResponseWriter.Write(b)
}

// A drip does not hold up what a peer can bring.
func TestWebSeedDrips(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "drip", 64<<10, 4<<20)
		s := w.serveHTTP(1, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			c.handler(nil).ServeHTTP(&drips{rw, r}, r)
		}))
		w.net.SetLink(hostAddr(3), hostAddr(2), simnet.Link{Delay: 5 * time.Millisecond, Rate: 1 << 20})
		w.seed(w.engine(3, Config{}), c)
		fsys := storage.NewMemFS()
		start := time.Now()
		l := add(t, w.engine(2, Config{}), Spec{Meta: c.withWebSeeds(s.url).meta, Storage: c.on(t, fsys), Peers: []netip.AddrPort{at(3)}})
		wait(t, l)
		c.in(t, fsys)
		if took := time.Since(start); took > 8*time.Second {
			t.Errorf("four MiB from a peer of a MiB a second took %v", took)
		}
	})
}

// drips writes a kilobyte a second.
type drips struct {
	http.ResponseWriter
	r *http.Request
}

func (d *drips) Write(b []byte) (int, error) {
	for i := 0; i < len(b); i += 1000 {
		if _, err := d.ResponseWriter.Write(b[i:min(i+1000, len(b))]); err != nil {
			return i, err
		}
		d.ResponseWriter.(http.Flusher).Flush()
		select {
		case <-time.After(time.Second):
		case <-d.r.Context().Done():
			return i, d.r.Context().Err()
		}
	}
	return len(b), nil
}

// Only what the torrent names is used of a private one; with the switch nothing is; nor is a
// URL that is none.
func TestWebSeedRules(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "rules", 64<<10, 200_000)
		s := w.serveHTTP(1, c.handler(nil))
		e := w.engine(2, Config{})
		_, err := e.Add(Spec{Meta: c.private(t).meta, Storage: c.on(t, storage.NewMemFS()), WebSeeds: []string{s.url}})
		if !errors.Is(err, ErrWebSeed) {
			t.Errorf("a web seed added to a private torrent: %v", err)
		}
		if _, err := e.Add(Spec{Meta: c.meta, Storage: c.on(t, storage.NewMemFS()), WebSeeds: []string{"ftp://x/"}}); !errors.Is(err, ErrWebSeed) {
			t.Errorf("ftp: %v", err)
		}
		off := w.engine(3, Config{NoWebSeeds: true})
		add(t, off, Spec{Meta: c.withWebSeeds(s.url).meta, Storage: c.on(t, storage.NewMemFS())})
		time.Sleep(time.Minute)
		if s.asked.Load() != 0 {
			t.Fatalf("it was asked %d times", s.asked.Load())
		}
		p := c.private(t).withWebSeeds(s.url)
		l := add(t, e, Spec{Meta: p.meta, Storage: p.on(t, storage.NewMemFS())})
		wait(t, l)
		l.Stop(t.Context())
		l = add(t, e, Spec{Meta: c.meta, Storage: c.on(t, storage.NewMemFS()), WebSeeds: []string{s.url}})
		wait(t, l)
	})
}

// counting counts the streams that are open at this end.
type counting struct {
	netio.Network
	open, most atomic.Int32
}

func (c *counting) Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	nc, err := c.Network.Dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	c.most.Store(max(c.most.Load(), c.open.Add(1)))
	return &counted{Conn: nc, c: c}, nil
}

type counted struct {
	net.Conn
	c    *counting
	once sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.c.open.Add(-1) })
	return c.Conn.Close()
}

// Many torrents that all name the same host: four connections together, and a turn for each.
func TestWebSeedTurns(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		mux := http.NewServeMux()
		s := w.serveHTTP(1, mux)
		w.net.SetLink(hostAddr(1), hostAddr(2), simnet.Link{Delay: 5 * time.Millisecond, Rate: 4 << 20})
		e := w.engine(2, Config{})
		dialler := &counting{Network: e.webPlaces.client.Network}
		e.webPlaces.client.Network = dialler
		var torrents []*Torrent
		for i := range 12 {
			c := makeContent(t, fmt.Sprintf("t%d", i), 64<<10, 6<<20)
			mux.Handle("/pub/"+c.meta.Info.Name+"/", c.handler(nil))
			c = c.withWebSeeds(s.url)
			torrents = append(torrents, add(t, e, Spec{Meta: c.meta, Storage: c.on(t, storage.NewMemFS())}))
		}
		for _, l := range torrents {
			wait(t, l)
		}
		if n := dialler.most.Load(); n > 4 {
			t.Errorf("%d connections to one host", n)
		}
		if held, waiting := e.webPlaces.count(); held+waiting != 0 {
			t.Errorf("%d places are held, %d waited for", held, waiting)
		}
	})
}

// Under a limit a web seed goes as fast as it says; a stop in the middle leaves nothing behind.
func TestWebSeedUnderLimit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "limit", 64<<10, 8<<20)
		s := w.serveHTTP(1, c.handler(nil))
		l := add(t, w.engine(2, Config{}), Spec{Meta: c.withWebSeeds(s.url).meta, Storage: c.on(t, storage.NewMemFS()), Limits: Limits{Down: 100_000}})
		time.Sleep(30 * time.Second)
		near(t, "came in half a minute", l.Stats().Swarm.Downloaded, 3_000_000, 10)
		l.Stop(t.Context())
		if n := s.conns.Load(); n > 1 {
			t.Errorf("%d connections are open", n)
		}
	})
}

// Files that are skipped are not asked for.
func TestWebSeedSkips(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "skip", 64<<10, 640<<10, 640<<10, 640<<10)
		var other atomic.Int32
		s := w.serveHTTP(1, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, "/b") {
				other.Add(1)
			}
			c.handler(nil).ServeHTTP(rw, r)
		}))
		l := add(t, w.engine(2, Config{}), Spec{
			Meta: c.withWebSeeds(s.url).meta, Storage: c.on(t, storage.NewMemFS()), Priorities: []uint8{0, 2, 0},
		})
		wait(t, l)
		if other.Load() != 0 || l.Stats().Swarm.Downloaded != 640<<10 {
			t.Errorf("%d requests for what is skipped, %d bytes", other.Load(), l.Stats().Swarm.Downloaded)
		}
	})
}

// A magnet link with a web seed: the metadata comes from a peer, the files from the web seed.
// A private torrent takes no web seed from a link.
func TestWebSeedOfMagnet(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "magnet", 64<<10, 300_000, 400_000)
		s := w.serveHTTP(1, c.handler(nil))
		seed := w.engine(3, Config{Slots: NoSlots}) // it gives metadata and no piece
		w.seed(seed, c)
		e := w.engine(2, Config{})
		m, dir := w.magnet(e, c, MagnetSpec{Peers: []netip.AddrPort{at(3)}, WebSeeds: []string{s.url}})
		wait(t, known(t, m))
		c.onDisk(t, dir)

		raw := append(append([]byte(nil), c.meta.Info.Raw[:len(c.meta.Info.Raw)-1]...), "7:privatei1ee"...)
		info, err := metainfo.ParseInfo(raw)
		if err != nil || !info.Private {
			t.Fatal(err)
		}
		p := c
		p.meta = &metainfo.Torrent{Info: info, InfoHash: info.Hash}
		peer := w.server(11, info.Hash, int64(len(raw)), func(i uint32) []byte { return raw[int(i)*wire.MetadataPiece:] })
		asked := s.asked.Load()
		m, _ = w.magnet(e, p, MagnetSpec{Peers: []netip.AddrPort{peer}, WebSeeds: []string{s.url}})
		known(t, m)
		time.Sleep(time.Minute)
		if n := s.asked.Load() - asked; n != 0 {
			t.Errorf("%d requests for a private torrent", n)
		}
	})
}

// A torrent that names the same host again and again does not turn its swarm on it.
func TestWebSeedsOfOneHost(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "many", 64<<10, 200_000)
		s := w.serveHTTP(1, http.NotFoundHandler())
		var urls []string
		for i := range 200 {
			urls = append(urls, fmt.Sprintf("%s%d/", s.url, i), "https://"+strings.Repeat("a", 300)+"/")
		}
		l := add(t, w.engine(2, Config{}), Spec{Meta: c.withWebSeeds(urls...).meta, Storage: c.on(t, storage.NewMemFS())})
		time.Sleep(10 * time.Minute)
		if n := s.asked.Load(); n > 10 {
			t.Errorf("it was asked %d times", n)
		}
		if n := len(l.Stats().Swarm.WebSeeds); n != 4 {
			t.Errorf("%d web seeds", n)
		}
	})
}
