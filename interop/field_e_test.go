//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const wordsE = `What shoal knows, it tells: people on standard error, programs with ` + "`--json`" + `. *Tells* is it when it says the thing,
and says it in time; *keeps quiet* when it does not, or says what is no longer so. The others are asked where they
have a way to be asked.`

// last is the last report of progress of a run of shoal.
func last(p *process) event {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range slices.Backward(p.events) {
		if e.is("progress") {
			return e
		}
	}
	return nil
}

// slowly starts shoal on a torrent that comes slowly, and gives its seed once it has begun.
func slowly(t *testing.T, verb string, rate int, more ...string) (*made, *process, *giver, string) {
	t.Helper()
	m, dir, at := album(t), folderOf(t), newAddr()
	state := filepath.Join(filepath.Dir(dir), "state")
	p := start(t, "shoal", shoal, slices.Concat([]string{verb, m.file, "--dir", dir, "--listen", at.String(), "--no-dht", "--no-lsd", "--state", state, "--json"}, more)...)
	g := give(t, m, at, func(g *giver) { g.limit = rate })
	if !within(10*time.Second, func() bool { return g.sent.Load() > int64(3*rate) }) {
		t.Fatalf("it does not begin:\n%s", p.tail())
	}
	return m, p, g, state
}

// seedLeaves is a case of a seed that says no more: what of the report has to be so within six seconds.
func seedLeaves(leaves bool, so func(e event) bool) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		if who == "Transmission" {
			m, dir, at := album(t), folderOf(t), newAddr()
			c := order{source: m.file, dir: dir}.transmission(t, at)
			g := give(t, m, at, func(g *giver) { g.limit = 256 << 10 })
			if !within(30*time.Second, func() bool { return g.sent.Load() > 1<<20 }) {
				t.Fatal("it does not begin")
			}
			g.pause.Store(true)
			if leaves {
				g.end()
			}
			if within(6*time.Second, func() bool { s := c.state(); return s.Rate == 0 && s.ETA < 0 && s.Size > 0 }) {
				return "tells"
			}
			return "keeps quiet"
		}
		_, p, g, _ := slowly(t, "get", 256<<10)
		g.pause.Store(true)
		if leaves {
			g.end()
		}
		if within(6*time.Second, func() bool { e := last(p); return e != nil && so(e) }) {
			return "tells"
		}
		t.Logf("after six seconds: %v", last(p))
		return "keeps quiet"
	}
}

// never is a case of commands that must not print a word.
func never(secret string, runs func(t *testing.T, s *sloppy) []*process) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		s := startSloppy(t, func(request string) []byte {
			if strings.HasPrefix(request, "GET /announce") {
				return failing("unregistered torrent")
			}
			return []byte("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
		})
		for _, p := range runs(t, s) {
			within(3*time.Second, p.over)
			p.stop()
			if strings.Contains(p.text(), secret) {
				for line := range strings.Lines(p.text()) {
					if strings.Contains(line, secret) {
						t.Log(line)
					}
				}
				return "discloses"
			}
		}
		return "keeps secret"
	}
}

const secret = "0123deadbeef4567"

func withPasskey(t *testing.T, s *sloppy, in string) *made {
	t.Helper()
	u := fmt.Sprintf("http://%v/announce?passkey=%s", s.at, secret)
	if in == "path" {
		u = fmt.Sprintf("http://%v/%s/announce", s.at, secret)
	}
	if in == "user" {
		u = fmt.Sprintf("http://me:%s@%v/announce", secret, s.at)
	}
	return blueprint{name: "tracked", size: 100_000, outer: dict{{"announce", u}}}.build(t)
}

// webSeeded is a case of a web seed that answers each request so, and of nobody else.
func webSeeded(answer func(request string) []byte, words ...string) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		s := startSloppy(t, answer)
		b := folder("web", "a.bin")
		b.outer = dict{{"url-list", fmt.Sprintf("http://%v/", s.at)}}
		m := b.build(t)
		r := take(t, who, order{source: m.file, dir: folderOf(t), limit: 6 * time.Second, linger: true, until: func(p *process) bool {
			e, _ := p.find(0, func(e event) bool { return e.is("web-seed") && e["error"] != nil })
			text := strings.ToLower(fmt.Sprint(e["error"]))
			return e != nil && slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
		}})
		said := r.stopped
		if said {
			within(2*time.Second, func() bool { e := last(r.p); return e != nil && e["eta_s"] == nil })
		}
		e := last(r.p)
		r.p.stop()
		if said && (e == nil || e["eta_s"] == nil && e["state"] != "seeding") {
			return "tells"
		}
		t.Logf("%s", r.p.tail())
		return "keeps quiet"
	}
}

func trialsE() []trial {
	none := []string{}
	noRate := func(e event) bool { return e.number("down_rate") == 0 }
	noETA := func(e event) bool { return e["eta_s"] == nil }
	return []trial{
		{name: "the only seed leaves: the rate", want: "tells", why: "0 within six seconds", others: []string{"Transmission"}, run: seedLeaves(true, noRate)},
		{name: "the only seed sends no more, and stays: the rate", want: "tells", why: "the same", others: []string{"Transmission"}, run: seedLeaves(false, noRate)},
		{name: "the only seed leaves: the time that is left", want: "tells", why: "nobody can know it", others: none, run: seedLeaves(true, noETA)},
		{name: "a seed slows down to a tenth: the rate", want: "tells", why: "true within six seconds", others: none, run: func(t *testing.T, who string) string {
			m, dir, at := album(t), folderOf(t), newAddr()
			p := start(t, who, shoal, "get", m.file, "--dir", dir, "--listen", at.String(), "--no-dht", "--no-lsd", "--state", t.TempDir(), "--json")
			g := give(t, m, at, func(g *giver) { g.limit = 1 << 20 })
			if !within(10*time.Second, func() bool { return g.sent.Load() > 3<<20 }) {
				t.Fatalf("it does not begin:\n%s", p.tail())
			}
			g.slower.Store(true)
			if within(6*time.Second, func() bool { r := last(p).number("down_rate"); return r > 50<<10 && r < 220<<10 }) {
				return "tells"
			}
			t.Logf("after six seconds: %v", last(p))
			return "keeps quiet"
		}},
		{name: "a complete torrent: the rate of what it fetches", want: "tells", why: "0 for what is complete", others: none, run: func(t *testing.T, who string) string {
			_, p, _, _ := slowly(t, "get", 1<<20, "--seed")
			if !within(15*time.Second, func() bool { e, _ := p.find(0, func(e event) bool { return e.is("complete") }); return e != nil }) {
				return "hangs"
			}
			from := p.printed()
			within(5*time.Second, func() bool { e, _ := p.find(from, func(e event) bool { return e.is("progress") }); return e != nil })
			if last(p).number("down_rate") == 0 {
				return "tells"
			}
			t.Logf("%v", last(p))
			return "keeps quiet"
		}},
		{name: "passkey in the query: `get`, `announce`, `scrape`", want: "keeps secret", why: "logs and screens are shown to others", others: none, run: never(secret, func(t *testing.T, s *sloppy) (all []*process) {
			m := withPasskey(t, s, "query")
			for _, json := range []string{"--json=true", "--json=false"} {
				all = append(all,
					start(t, "shoal get", shoal, "get", m.file, "--dir", folderOf(t), "--listen", newAddr().String(), "--no-dht", "--no-lsd", "--state", t.TempDir(), json),
					start(t, "shoal announce", shoal, "announce", m.file, "--listen", newAddr().String(), json),
					start(t, "shoal scrape", shoal, "scrape", m.file, json))
			}
			return all
		})},
		{name: "passkey in the path", want: "keeps secret", why: "the same", others: none, run: never(secret, func(t *testing.T, s *sloppy) (all []*process) {
			m := withPasskey(t, s, "path")
			return []*process{
				start(t, "shoal get", shoal, "get", m.file, "--dir", folderOf(t), "--listen", newAddr().String(), "--no-dht", "--no-lsd", "--state", t.TempDir()),
				start(t, "shoal announce", shoal, "announce", m.file, "--listen", newAddr().String()),
			}
		})},
		{name: "a password in the URL of a tracker", want: "keeps secret", why: "the same", others: none, run: never(secret, func(t *testing.T, s *sloppy) (all []*process) {
			m := withPasskey(t, s, "user")
			return []*process{
				start(t, "shoal get", shoal, "get", m.file, "--dir", folderOf(t), "--listen", newAddr().String(), "--no-dht", "--no-lsd", "--state", t.TempDir(), "--json"),
				start(t, "shoal announce", shoal, "announce", m.file, "--listen", newAddr().String()),
			}
		})},
		{name: "passkey in the URL of a torrent that can't be fetched", want: "keeps secret", why: "the same", others: none, run: never(secret, func(t *testing.T, s *sloppy) (all []*process) {
			u := fmt.Sprintf("http://%v/download.php?id=7&passkey=%s", s.at, secret)
			return []*process{
				start(t, "shoal get", shoal, "get", u, "--dir", folderOf(t), "--listen", newAddr().String(), "--state", t.TempDir()),
				start(t, "shoal show", shoal, "show", u),
				start(t, "shoal show", shoal, "show", u, "--json"),
			}
		})},
		{name: "a web seed that lacks a file", want: "tells", why: "which one, and no time that is left", others: none, run: webSeeded(func(string) []byte {
			return []byte("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
		}, "404", "not found", "lacks")},
		{name: "a web seed whose file has another length", want: "tells", why: "the same", others: none, run: webSeeded(func(request string) []byte {
			return []byte("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-16383/50000\r\nContent-Length: 16384\r\n\r\n" + string(make([]byte, 16384)))
		}, "length", "bytes", "size")},
		{name: "a web seed that wants a password", want: "tells", why: "the same", others: none, run: webSeeded(func(string) []byte {
			return []byte("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
		}, "401", "password", "log in", "unauthorized")},
		{name: "a magnet link that no peer has, and a tracker that fails", want: "tells", why: "what it waits for, the tracker's words among it", others: none, run: func(t *testing.T, who string) string {
			s := startSloppy(t, func(string) []byte { return failing("unregistered torrent") })
			p := start(t, who, shoal, "get", fmt.Sprintf("magnet:?xt=urn:btih:%040d&tr=http://%v/announce", 7, s.at), "--dir", folderOf(t), "--listen", newAddr().String(), "--no-dht", "--no-lsd", "--state", t.TempDir(), "--json")
			if within(6*time.Second, func() bool { return strings.Contains(p.text(), "unregistered torrent") }) {
				return "tells"
			}
			t.Log(p.tail())
			return "keeps quiet"
		}},
		{name: "no peers, and a tracker that knows none", want: "tells", why: "it says so, not 0 %", others: none, run: func(t *testing.T, who string) string {
			s := startSloppy(t, func(string) []byte { return well() })
			b := one
			b.outer = dict{{"announce", fmt.Sprintf("http://%v/announce", s.at)}}
			p := start(t, who, shoal, "get", b.build(t).file, "--dir", folderOf(t), "--listen", newAddr().String(), "--no-dht", "--no-lsd", "--state", t.TempDir(), "--json")
			if within(8*time.Second, func() bool { e := last(p); return e != nil && e["waiting"] != nil }) {
				return "tells"
			}
			t.Log(p.tail())
			return "keeps quiet"
		}},
		{name: "no peers, and no way to any", want: "tells", why: "what is missing", others: none, run: func(t *testing.T, who string) string {
			p := start(t, who, shoal, "get", one.build(t).file, "--dir", folderOf(t), "--listen", newAddr().String(), "--no-dht", "--no-lsd", "--state", t.TempDir())
			if within(8*time.Second, func() bool { return strings.Contains(p.text(), "no way to find peers") }) {
				return "tells"
			}
			t.Log(p.tail())
			return "keeps quiet"
		}},
		{name: "256 files vanish between two runs", want: "tells", why: "in a line with a count, not in 256", others: none, run: func(t *testing.T, who string) string {
			m, dir, state := many(256).build(t), folderOf(t), t.TempDir()
			m.put(t, dir, asNamed)
			if r := take(t, who, order{source: m.file, dir: dir, state: state, give: func(at netip.AddrPort) { give(t, m, at) }}); !r.done {
				t.Fatal(r.text)
			}
			if err := os.RemoveAll(filepath.Join(dir, "many")); err != nil {
				t.Fatal(err)
			}
			p := start(t, who, shoal, "get", m.file, "--dir", dir, "--listen", newAddr().String(), "--no-dht", "--no-lsd", "--state", state)
			within(5*time.Second, p.over)
			p.stop()
			if n := strings.Count(p.text(), "\n"); n > 30 || !strings.Contains(p.text(), "256") {
				t.Logf("%d lines:\n%s", n, p.tail())
				return "keeps quiet"
			}
			return "tells"
		}},
		{name: "256 files change between two runs", want: "tells", why: "the same", others: none, run: func(t *testing.T, who string) string {
			m, dir, state := many(256).build(t), folderOf(t), t.TempDir()
			m.put(t, dir, asNamed)
			if r := take(t, who, order{source: m.file, dir: dir, state: state, give: func(at netip.AddrPort) { give(t, m, at) }}); !r.done {
				t.Fatal(r.text)
			}
			for _, f := range m.files {
				if err := os.WriteFile(filepath.Join(dir, "many", f.path), []byte("other"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			p := start(t, who, shoal, "seed", m.file, "--dir", dir, "--listen", newAddr().String(), "--no-dht", "--no-lsd", "--state", state)
			within(4*time.Second, p.over)
			p.stop()
			if n := strings.Count(p.text(), "\n"); n > 30 || !strings.Contains(p.text(), "256") {
				t.Logf("%d lines:\n%s", n, p.tail())
				return "keeps quiet"
			}
			return "tells"
		}},
		{name: "`list` while `run` is up", want: "accepts", why: "people look while it works", others: none, run: func(t *testing.T, who string) string {
			_, _, _, state := slowly(t, "run", 512<<10)
			text := shoalRuns(t, "list", "--state", state)
			if strings.Contains(text, "album") {
				return "accepts"
			}
			return "refuses"
		}},
		{name: "`list` after kill -9: what was received", want: "tells", why: "it was received", others: none, run: func(t *testing.T, who string) string {
			_, p, g, state := slowly(t, "run", 1<<20)
			within(5*time.Second, func() bool { return g.sent.Load() > 5<<20 })
			p.cmd.Process.Kill()
			<-p.done
			var e event
			for line := range strings.Lines(shoalRuns(t, "list", "--json", "--state", state)) {
				if strings.Contains(line, "remembered") {
					json.Unmarshal([]byte(line), &e)
				}
			}
			if e.number("downloaded") > 1<<20 {
				return "tells"
			}
			t.Logf("%v", e)
			return "keeps quiet"
		}},
		{name: "a file is removed while it is shared", want: "tells", why: "held up never looks like seeding", others: none, run: func(t *testing.T, who string) string {
			m, dir, state := album(t), folderOf(t), t.TempDir()
			m.put(t, dir, asNamed)
			if r := take(t, who, order{source: m.file, dir: dir, state: state, give: func(at netip.AddrPort) { give(t, m, at) }}); !r.done {
				t.Fatal(r.text)
			}
			at := newAddr() // the second run has opened none of the files
			p := start(t, who, shoal, "seed", m.file, "--dir", dir, "--listen", at.String(), "--no-dht", "--no-lsd", "--json", "--state", state)
			within(8*time.Second, func() bool { e, _ := p.find(0, func(e event) bool { return e.is("up") }); return e != nil })
			if err := os.RemoveAll(filepath.Join(dir, "album")); err != nil {
				t.Fatal(err)
			}
			wants(at, m, "\x13BitTorrent protocol"+string(make([]byte, 8))+string(m.hash[:])+"-XX0001-a-polite-one")
			if within(8*time.Second, func() bool {
				e, _ := p.find(0, func(e event) bool { return e.is("stalled") })
				return e != nil && last(p)["state"] != "seeding"
			}) {
				return "tells"
			}
			t.Log(p.tail())
			return "keeps quiet"
		}},
		{name: "`--trace` after kill -9", want: "tells", why: "the end is what is asked for", others: none, run: func(t *testing.T, who string) string {
			trace := filepath.Join(t.TempDir(), "trace")
			_, p, _, _ := slowly(t, "get", 256<<10, "--trace", trace)
			time.Sleep(time.Second)
			p.cmd.Process.Kill()
			<-p.done
			if text, err := os.ReadFile(trace); err == nil && strings.Contains(string(text), "handshake") && strings.HasSuffix(string(text), "}\n") {
				return "tells"
			}
			return "keeps quiet"
		}},
	}
}
