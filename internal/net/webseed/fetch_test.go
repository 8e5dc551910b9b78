package webseed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/files/disk"
	"shoal/internal/mailbox"
	"shoal/internal/net/throttle"
	"shoal/internal/simnet"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/metainfo"
)

// bench is a torrent, a client on one host of a network in memory, and servers on others.
// It lives in a bubble, whose time passes while everybody waits.
type bench struct {
	t      *testing.T
	net    *simnet.Net
	info   *metainfo.Info
	data   []byte
	client *Client
	budget *disk.Budget
	group  sync.WaitGroup
	beats  *mailbox.Beats
	limit  *throttle.Limiter
	got    chan *Batch
	conns  int // that servers accepted

	servers []*http.Server
	idle    time.Duration // after which servers end connections

	source Source
	last   *Conn
	ids    uint64
}

const pieceLength = 64 << 10

var (
	us     = netip.MustParseAddr("9.9.9.9")
	server = netip.MustParseAddr("8.8.8.8")
)

// run plays a test: the torrent has files of these sizes, or is a single file of one.
func play(t *testing.T, sizes []int64, f func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{t: t, net: simnet.New(simnet.Options{}), got: make(chan *Batch, 64), budget: disk.NewBudget(64 * block.Size)}
		b.net.Name("w", server)
		start := time.Now()
		b.beats = mailbox.NewBeats(func() mono.Time { return mono.Start.Add(time.Since(start)) }, nil)
		defer b.beats.Close()
		b.limit = throttle.NewLimiter(b.beats)
		b.torrent(sizes)
		b.client = &Client{Network: b.net.Host(us), UserAgent: "shoal/0\r\nX: y"}
		b.source = Source{URL: "http://w/"}
		f(b)
		if b.last != nil {
			b.last.Close()
		}
		for _, s := range b.servers {
			s.Close()
		}
		b.group.Wait()
		b.limit.Close()
		close(b.got)
		for batch := range b.got {
			for _, it := range batch.Items {
				b.budget.Put(it.Block)
			}
		}
		if n := b.budget.InUse(); n != 0 {
			t.Errorf("%d buffers were not given back", n)
		}
		b.net.Close()
	})
}

func (b *bench) torrent(sizes []int64) {
	var files []metainfo.NewFile
	for i, n := range sizes {
		f := metainfo.NewFile{Length: n}
		if len(sizes) > 1 {
			f.Path = []string{fmt.Sprintf("f %d", i)}
		}
		files = append(files, f)
	}
	draft, err := metainfo.NewDraft("name", files, pieceLength)
	if err != nil {
		b.t.Fatal(err)
	}
	var total int64
	for _, n := range sizes {
		total += n
	}
	b.data = make([]byte, total)
	rand.NewChaCha8([32]byte{1}).Read(b.data)
	if b.info, err = draft.Info(make([]byte, 20*((total+pieceLength-1)/pieceLength))); err != nil {
		b.t.Fatal(err)
	}
}

// serve has a handler answer at an address, until the test is over.
func (b *bench) serve(at netip.Addr, port uint16, h http.Handler) {
	l, err := b.net.Host(at).Listen(netip.AddrPortFrom(at, port))
	if err != nil {
		b.t.Fatal(err)
	}
	s := &http.Server{Handler: h, IdleTimeout: b.idle, ConnState: func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			b.conns++
		}
	}}
	b.group.Go(func() { s.Serve(l) })
	b.servers = append(b.servers, s)
}

// files answers as a good server does.
func (b *bench) files() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, f := range b.info.Files {
			if r.URL.Path == "/"+strings.Join(f.RawPath, "/") {
				http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b.data[f.Offset:f.Offset+f.Length]))
				return
			}
		}
		http.NotFound(w, r)
	})
}

// act makes a fetch of blocks from one on.
func (b *bench) act(piece, index, blocks uint32) *webplan.Act {
	g := b.info.Geometry()
	b.ids++
	a := &webplan.Act{ID: b.ids, Run: webplan.Run{Piece: piece, Block: index, Blocks: blocks}}
	from := g.Offset(piece, index*block.Size)
	size := min(int64(blocks)*block.Size, g.Total-from)
	for i, f := range b.info.Files {
		at := max(from, f.Offset)
		if n := min(from+size, f.Offset+f.Length) - at; n > 0 {
			a.Segments = append(a.Segments, webplan.Segment{File: i, Offset: at - f.Offset, Length: n, Pad: f.Pad})
		}
	}
	return a
}

func (b *bench) conn() *Conn {
	if b.last == nil {
		t := &Torrent{
			Info: b.info, InfoHash: b.info.Hash, Buffers: b.budget, Down: b.limit.Group(), Group: &b.group,
			Deliver: func(x *Batch) bool { b.got <- x; return true },
		}
		b.last = b.client.New(context.Background(), t, b.source)
	}
	return b.last
}

// fetch performs an act, and gives the bytes that came.
func (b *bench) fetch(a *webplan.Act) (data []byte, end webplan.Result) {
	b.t.Helper()
	b.conn().Fetch(a)
	for batch := range b.got {
		if batch.Fetch != a.ID {
			b.t.Fatalf("a batch of %d, asked for was %d", batch.Fetch, a.ID)
		}
		for _, it := range batch.Items {
			g := b.info.Geometry()
			if at := g.Offset(it.Ref.Piece, it.Ref.Begin); at != g.Offset(a.Run.Piece, a.Run.Block*block.Size)+int64(len(data)) {
				b.t.Fatalf("block %v is out of order", it.Ref)
			}
			data = append(data, it.Block.Data...)
			b.budget.Put(it.Block)
		}
		if batch.End != nil {
			return data, *batch.End
		}
	}
	return
}

// good fetches, and holds that everything came and is right.
func (b *bench) good(a *webplan.Act) {
	b.t.Helper()
	data, end := b.fetch(a)
	g := b.info.Geometry()
	at := g.Offset(a.Run.Piece, a.Run.Block*block.Size)
	if end.Outcome != webplan.Done || !bytes.Equal(data, b.data[at:min(at+int64(a.Run.Blocks)*block.Size, g.Total)]) {
		b.t.Errorf("%v %q, %d bytes", end.Outcome, end.Text, len(data))
	}
}

// Runs within a file, over the borders of files and to the end of the torrent, all over one
// connection.
func TestRuns(t *testing.T) {
	play(t, []int64{100_000, 1, 0, 200_000, 77_777}, func(b *bench) {
		b.serve(server, 80, b.files())
		b.good(b.act(0, 0, 2))
		b.good(b.act(1, 1, 5))
		b.good(b.act(4, 0, 8))
		b.good(b.act(5, 3, 1))
		b.good(b.act(0, 0, 24))
		if b.conns != 1 {
			t.Errorf("%d connections", b.conns)
		}
	})
	play(t, []int64{300_001}, func(b *bench) {
		b.serve(server, 80, b.files())
		b.good(b.act(0, 0, 19))
		b.good(b.act(4, 2, 1))
	})
}

// Padding is zeros that nobody is asked for.
func TestPadding(t *testing.T) {
	play(t, []int64{70_000, 5_000, 100_000}, func(b *bench) {
		b.info.Files[1].Pad = true
		clear(b.data[70_000:75_000])
		b.serve(server, 80, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "f 1") {
				t.Errorf("asked for %s", r.URL.Path)
			}
			b.files().ServeHTTP(w, r)
		}))
		b.good(b.act(0, 0, 11))
	})
}

// What servers do wrong, and what becomes of it.
func TestAnswers(t *testing.T) {
	head := func(code int, pairs ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(pairs); i += 2 {
				w.Header().Set(pairs[i], pairs[i+1])
			}
			w.WriteHeader(code)
		}
	}
	raw := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			nc, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			io.WriteString(nc, text)
			nc.Close()
		}
	}
	const two = 2 * block.Size
	body := strings.Repeat("x", two)
	good := "HTTP/1.1 206 x\r\nContent-Range: bytes 65536-98303/300000\r\n"
	for _, c := range []struct {
		name string
		h    http.HandlerFunc
		want webplan.Outcome
		text string // in what is said
	}{
		{"not there", head(404), webplan.Absent, "404"},
		{"gone", head(410), webplan.Absent, "410"},
		{"forbidden", head(403), webplan.Absent, "403"},
		{"range beyond the end", head(416), webplan.Absent, "416"},
		{"busy", head(503, "Retry-After", "77"), webplan.Busy, "503"},
		{"too many", head(429), webplan.Busy, "429"},
		{"broken", head(500), webplan.Broken, "500"},
		{"odd status", head(299), webplan.Broken, "299"},
		{"another range", raw("HTTP/1.1 206 x\r\nContent-Range: bytes 0-32767/300000\r\nContent-Length: 32768\r\n\r\n" + body), webplan.Broken, "another range"},
		{"a longer range", raw("HTTP/1.1 206 x\r\nContent-Range: bytes 65536-98304/300000\r\n\r\n" + body + "x"), webplan.Broken, "another range"},
		{"no range said", raw("HTTP/1.1 206 x\r\nContent-Length: 32768\r\n\r\n" + body), webplan.Broken, "another range"},
		{"several ranges", raw("HTTP/1.1 206 x\r\nContent-Type: multipart/byteranges; boundary=x\r\n\r\n" + body), webplan.Broken, "another range"},
		{"another file", raw("HTTP/1.1 206 x\r\nContent-Range: bytes 65536-98303/300001\r\n\r\n" + body), webplan.Absent, "300,001"},
		{"wrong length", raw(good + "Content-Length: 32767\r\n\r\n" + body), webplan.Broken, "32,767"},
		{"cut off", raw(good + "Content-Length: 32768\r\n\r\n" + body[1:]), webplan.Broken, "closed"},
		{"no end", raw(good + "\r\n" + body), webplan.Done, ""},
		{"chunks", raw(good + "Transfer-Encoding: chunked\r\n\r\n8000\r\n" + body + "\r\n0\r\n\r\n"), webplan.Done, ""},
		{"a chunk too many", raw(good + "Transfer-Encoding: chunked\r\n\r\n8000\r\n" + body + "\r\n1\r\nx\r\n0\r\n\r\n"), webplan.Broken, "longer"},
		{"an endless chunk head", raw(good + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("0", 1<<20)), webplan.Broken, ""},
		{"compressed", raw(good + "Content-Encoding: gzip\r\nContent-Length: 32768\r\n\r\n" + body), webplan.Refused, "compressed"},
		{"no HTTP", raw("SSH-2.0-x\r\n"), webplan.Broken, "not well-formed"},
		{"an endless head", raw("HTTP/1.1 206 x\r\nX: " + strings.Repeat("x", 1<<20)), webplan.Broken, "head"},
		{"endless information", raw(strings.Repeat("HTTP/1.1 100 x\r\n\r\n", 100)), webplan.Broken, "head"},
		{"whole file, known length", raw("HTTP/1.1 200 x\r\nContent-Length: 300000\r\n\r\n"), webplan.NoRanges, "does not support ranges"},
		{"whole file, another one", raw("HTTP/1.1 200 x\r\nContent-Length: 9\r\n\r\nnot found"), webplan.Absent, "9 bytes"},
		{"nothing", raw(""), webplan.Broken, "closed"},
		{"a redirect to nowhere", head(302), webplan.Broken, "302"},
		{"a redirect to itself", head(302, "Location", "/"), webplan.Refused, "redirects"},
		{"a redirect by another way", head(302, "Location", "ftp://w/"), webplan.Refused, "http"},
		{"a redirect to this machine", head(302, "Location", "http://127.0.0.1/"), webplan.Refused, "local"},
		{"a redirect into a local network", head(302, "Location", "http://[::ffff:192.168.0.1]/x"), webplan.Refused, "local"},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, []int64{300_000}, func(b *bench) {
				b.serve(server, 80, c.h)
				data, end := b.fetch(b.act(1, 0, 2))
				if end.Outcome != c.want || !strings.Contains(end.Text, c.text) {
					t.Errorf("%v %q, want %v %q", end.Outcome, end.Text, c.want, c.text)
				}
				if end.Outcome == webplan.Done && len(data) != two {
					t.Errorf("%d bytes", len(data))
				}
				if c.name == "busy" && end.RetryIn != 77*time.Second {
					t.Errorf("to be asked again in %v", end.RetryIn)
				}
				if strings.Contains(end.Text, "SSH") || strings.Contains(end.Text, "xxx") {
					t.Errorf("the server speaks to the user: %q", end.Text)
				}
			})
		})
	}
}

// A redirect is followed, remembered, and forgotten when it leads astray.
func TestRedirects(t *testing.T) {
	play(t, []int64{300_000}, func(b *bench) {
		mirror := netip.MustParseAddr("7.7.7.7")
		var asked, gone int
		b.serve(server, 80, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked++
			http.Redirect(w, r, fmt.Sprintf("http://7.7.7.7:81/%d/name", asked), http.StatusFound)
		}))
		b.serve(mirror, 81, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/1/name" && gone > 2 {
				http.NotFound(w, r)
				return
			}
			gone++
			r.URL.Path = "/name"
			b.files().ServeHTTP(w, r)
		}))
		for i := range uint32(4) {
			b.good(b.act(i, 0, 2))
		}
		if asked != 2 {
			t.Errorf("asked the first server %d times", asked)
		}
	})
}

// Hosts of the local network are asked when a torrent names them plainly, or the user does;
// never because somebody on the internet sent us there.
func TestLocal(t *testing.T) {
	local := netip.MustParseAddr("10.0.0.7")
	for _, c := range []struct {
		url     string
		trusted bool
		want    webplan.Outcome
	}{
		{"http://10.0.0.7/", false, webplan.Done},
		{"http://10.0.0.7/name?x=reboot", false, webplan.Refused},
		{"http://u:p@10.0.0.7/name", false, webplan.Refused},
		{"http://10.0.0.7/name?x=reboot", true, webplan.Done},
		{"http://hidden/?", false, webplan.Refused},
	} {
		play(t, []int64{300_000}, func(b *bench) {
			b.net.Name("hidden", local)
			b.serve(local, 80, b.files())
			b.source = Source{URL: c.url, Trusted: c.trusted}
			if _, end := b.fetch(b.act(0, 0, 1)); end.Outcome != c.want {
				t.Errorf("%s, trusted %v: %v %s", c.url, c.trusted, end.Outcome, end.Text)
			}
		})
	}
}

// A server that knows no ranges: a whole file is taken where its beginning was asked for, goes
// on from run to run, and is read past what is not wanted.
func TestWhole(t *testing.T) {
	play(t, []int64{200_000, 100_000}, func(b *bench) {
		var requests atomic.Int32
		b.serve(server, 80, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			requests.Add(1)
			r.Header.Del("Range")
			b.files().ServeHTTP(w, r)
		}))
		data, end := b.fetch(b.act(0, 0, 2))
		if end.Outcome != webplan.Done || !end.Whole || len(data) != 2*block.Size {
			t.Fatalf("%+v", end)
		}
		on := b.act(0, 2, 1)
		on.Whole, on.Resume = true, true
		b.good(on)
		past := b.act(1, 0, 9) // to the end of the file, and over it
		past.Whole, past.Resume = true, true
		past.Segments[0].Skip = block.Size
		b.good(past)
		again := b.act(2, 0, 1)
		again.Whole = true
		again.Segments[0].Skip = again.Segments[0].Offset
		b.good(again)
		if asked := requests.Load(); asked != 3 {
			t.Errorf("%d requests", asked)
		}
		// What was to be gone on with is gone.
		lost := b.act(3, 3, 1)
		lost.Whole, lost.Resume = true, true
		if _, end := b.fetch(lost); end.Outcome != webplan.Broken {
			t.Errorf("%+v", end)
		}
		// In the middle of a file there is nothing to begin with.
		if _, end := b.fetch(b.act(1, 0, 1)); end.Outcome != webplan.NoRanges {
			t.Errorf("%+v", end)
		}
	})
}

// Who says nothing, or next to nothing, is left: at the head, and within a block.
func TestSilence(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"no head": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"no body": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 65536-98303/300000")
			w.WriteHeader(206)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"a drip": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", "bytes 65536-98303/300000")
			w.WriteHeader(206)
			for r.Context().Err() == nil {
				w.Write([]byte{1})
				w.(http.Flusher).Flush()
				select {
				case <-r.Context().Done():
				case <-time.After(time.Second):
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, []int64{300_000}, func(b *bench) {
				b.serve(server, 80, h)
				start := time.Now()
				b.beats = mailbox.NewBeats(func() mono.Time { return mono.Start.Add(time.Since(start)) }, nil)
				defer b.beats.Close()
				_, end := b.fetch(b.act(1, 0, 2))
				if took := time.Since(start); end.Outcome != webplan.Broken || took > time.Minute {
					t.Errorf("%+v after %v", end, took)
				}
			})
		})
	}
}

// A fetch is stopped in the middle of a body, and the next one goes on with a new
// connection; one that has not begun never begins.
func TestStop(t *testing.T) {
	play(t, []int64{300_000}, func(b *bench) {
		slow := true
		b.serve(server, 80, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !slow {
				b.files().ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Range", "bytes 0-131071/300000")
			w.WriteHeader(206)
			w.Write(b.data[:block.Size])
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}))
		a := b.act(0, 0, 8)
		b.conn().Fetch(a)
		first := <-b.got
		for _, it := range first.Items {
			b.budget.Put(it.Block)
		}
		b.conn().Stop(a.ID)
		synctest.Wait()
		slow = false
		b.good(b.act(0, 0, 8))
		never := b.act(0, 0, 1)
		b.conn().Fetch(never)
		b.conn().Stop(never.ID)
		synctest.Wait()
		select {
		case x := <-b.got: // it had begun all the same
			for _, it := range x.Items {
				b.budget.Put(it.Block)
			}
		default:
		}
	})
}

// Without a buffer, and under a limit, the server waits: it loses nothing by it.
func TestWaits(t *testing.T) {
	play(t, []int64{300_000}, func(b *bench) {
		b.serve(server, 80, b.files())
		b.limit.SetLimit(10_000, 0)
		start := time.Now()
		b.beats = mailbox.NewBeats(func() mono.Time { return mono.Start.Add(time.Since(start)) }, nil)
		defer b.beats.Close()
		b.good(b.act(0, 0, 19))
		if took := time.Since(start); took < 25*time.Second || took > 35*time.Second {
			t.Errorf("300,000 bytes at 10,000 a second took %v", took)
		}
		b.limit.SetLimit(0, 0)
		var held []*block.Block
		for x := b.budget.TryGet(); x != nil; x = b.budget.TryGet() {
			held = append(held, x)
		}
		time.AfterFunc(10*time.Minute, func() {
			for _, x := range held {
				b.budget.Put(x)
			}
		})
		b.good(b.act(0, 0, 19))
	})
}

// BEP 17: pieces by their number; whoever is asked to wait waits for as long as it is told.
func TestPieces(t *testing.T) {
	play(t, []int64{300_000}, func(b *bench) {
		b.source = Source{URL: "http://w/seed?x=y", Pieces: true}
		busy := true
		b.serve(server, 80, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			if q.Get("info_hash") != string(b.info.Hash[:]) || q.Get("x") != "y" {
				t.Errorf("asked for %s", r.URL)
			}
			if busy {
				w.WriteHeader(503)
				io.WriteString(w, "90")
				return
			}
			var piece, from, to int
			fmt.Sscan(q.Get("piece"), &piece)
			data := b.data[piece*pieceLength : min((piece+1)*pieceLength, len(b.data))]
			if n, _ := fmt.Sscanf(q.Get("ranges"), "%d-%d", &from, &to); n == 2 {
				data = data[from : to+1]
			}
			w.Write(data)
		}))
		if _, end := b.fetch(b.act(1, 0, 4)); end.Outcome != webplan.Busy || end.RetryIn != 90*time.Second {
			t.Errorf("%+v", end)
		}
		busy = false
		b.good(b.act(1, 0, 4))
		b.good(b.act(2, 1, 2))
		b.good(b.act(4, 0, 3))
	})
}

// A name that leads out of where it is, or a URL that is none, is never asked for.
func TestNotAsked(t *testing.T) {
	play(t, []int64{100, 100}, func(b *bench) {
		b.info.Files[0].RawPath = []string{"name", ".."}
		if _, end := b.fetch(b.act(0, 0, 1)); end.Outcome != webplan.Absent || end.File != 0 {
			t.Errorf("%+v", end)
		}
	})
	play(t, []int64{100}, func(b *bench) {
		b.source = Source{URL: "ftp://w/"}
		if _, end := b.fetch(b.act(0, 0, 1)); end.Outcome != webplan.Refused {
			t.Errorf("%+v", end)
		}
	})
}

// A server that ends the connection after each answer is asked over a new one each time; one
// that ends it between two runs, without a word, is asked again.
func TestNoKeepAlive(t *testing.T) {
	play(t, []int64{100_000, 100_000, 100_000}, func(b *bench) {
		b.serve(server, 80, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			b.files().ServeHTTP(w, r)
		}))
		b.good(b.act(0, 0, 19))
		if b.conns != 3 {
			t.Errorf("%d connections for three files", b.conns)
		}
	})
	play(t, []int64{300_000}, func(b *bench) {
		b.idle = 10 * time.Second
		b.serve(server, 80, b.files())
		b.good(b.act(0, 0, 4))
		time.Sleep(time.Minute)
		b.good(b.act(1, 0, 4))
		if b.conns != 2 {
			t.Errorf("%d connections", b.conns)
		}
	})
	play(t, []int64{300_000}, func(b *bench) {
		b.serve(server, 80, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			nc, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				panic(err)
			}
			defer nc.Close()
			var from, to int
			fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &from, &to)
			fmt.Fprintf(nc, "HTTP/1.0 206 x\r\nContent-Range: bytes %d-%d/300000\r\n\r\n", from, to)
			nc.Write(b.data[from : to+1])
		}))
		b.good(b.act(1, 0, 4))
		b.good(b.act(2, 0, 4))
	})
}
