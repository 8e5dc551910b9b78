//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// oddNames is a folder with names that have to be escaped in a URL, each in its own way.
var oddNames = sync.OnceValues(func() (*payload, error) {
	return makePayload("100% odd + names; #1", map[string]int64{
		"a b.bin":              5<<20 + 1,
		"a+b.bin":              1<<20 + 7,
		"per%20cent.bin":       300_000,
		"ünï ☃ 漢字/q=1&y=2.bin": 2<<20 + 99,
		"[brackets]/{braces}~": 16384,
		"empty":                0,
		"ha#sh/at@semi;,.bin":  40_001,
		"quote'`^.bin":         77_777,
	})
})

// nginx serves a folder and gives its URL. extra stands in its location block.
type nginx struct {
	*process
	url string
	log string // a line a request: status, bytes sent, the URI
}

func startNginx(t *testing.T, root, extra string) nginx {
	t.Helper()
	dir, at := t.TempDir(), newAddr()
	n := nginx{url: fmt.Sprintf("http://%v/", at), log: filepath.Join(dir, "access")}
	conf := fmt.Sprintf(`
daemon off; master_process off; user root; worker_processes 1; pid %[1]s/pid; error_log stderr warn;
events { worker_connections 64; }
http {
	log_format short '$status $body_bytes_sent $connection $request_uri';
	access_log %[1]s/access short;
	client_body_temp_path %[1]s/a; proxy_temp_path %[1]s/b; fastcgi_temp_path %[1]s/c; uwsgi_temp_path %[1]s/d; scgi_temp_path %[1]s/e;
	default_type application/octet-stream; gzip on; gzip_types *;
	server { listen %[2]v; location / { root "%[3]s"; %[4]s } }
}`, dir, at, root, extra)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	n.process = start(t, "nginx", "nginx", "-p", dir, "-c", file)
	n.until(t, "listening", func() bool { return listening("tcp", at) })
	return n
}

// requests gives what was asked of the server, once it has ended.
func (n nginx) requests(t *testing.T) []string {
	t.Helper()
	n.stop()
	b, err := os.ReadFile(n.log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

// fromWeb gets a torrent with no way to it but web seeds, and gives the command.
func fromWeb(t *testing.T, torrent, dir string, more ...string) shoalPeer {
	t.Helper()
	return shoalClient{}.run(t, "get", job{torrent: torrent, dir: dir, listen: newAddr()}, more...)
}

func makeTorrent(t *testing.T, path string, more ...string) string {
	t.Helper()
	torrent := filepath.Join(t.TempDir(), "it.torrent")
	output(t, shoal, append([]string{"create", path, "-o", torrent, "--piece-length", "64KiB"}, more...)...)
	return torrent
}

// A folder with odd names, from nginx and from nobody else: whole, over one connection, with
// few requests and not a byte too many.
func TestWebSeedFromNginx(t *testing.T) {
	p, err := oddNames()
	if err != nil {
		t.Fatal(err)
	}
	for name, extra := range map[string]string{"with ranges": "", "without ranges": "max_ranges 0;"} {
		t.Run(name, func(t *testing.T) {
			n := startNginx(t, p.parent, extra)
			dir := t.TempDir()
			fromWeb(t, makeTorrent(t, p.path(), "--web-seed", n.url), dir).complete(t)
			p.arrived(t, dir, false)
			requests := n.requests(t)
			var bytes int64
			connections := make(map[string]bool)
			for _, r := range requests {
				var status, sent int64
				var connection string
				fmt.Sscan(r, &status, &sent, &connection)
				if status != 200 && status != 206 {
					t.Errorf("nginx said: %s", r)
				}
				bytes += sent
				connections[connection] = true
			}
			if len(requests) > 30 {
				t.Errorf("%d requests for %d files", len(requests), len(p.content))
			}
			if extra == "" && (bytes != p.size || len(connections) != 1) {
				t.Errorf("%d bytes of %d, over %d connections", bytes, p.size, len(connections))
			}
		})
	}
}

// A torrent of ours that names a web seed is read by others as it is by us: they fetch a
// folder from nginx, and from nobody else.
func TestOthersTakeOurWebSeeds(t *testing.T) {
	p, err := makePayload("plain names", map[string]int64{"a b.bin": 3<<20 + 1, "sub/c+d.bin": 1 << 20, "e": 5000})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []client{aria2{}, libtorrent{}} {
		t.Run(c.String(), func(t *testing.T) {
			n := startNginx(t, p.parent, "")
			dir := t.TempDir()
			c.get(t, job{torrent: makeTorrent(t, p.path(), "--web-seed", n.url), dir: dir, listen: newAddr()}).complete(t)
			p.arrived(t, dir, lax(c))
		})
	}
}

// A single file: the URL of its folder, with a slash, and the URL of the file itself.
func TestWebSeedOfOneFile(t *testing.T) {
	p, err := oddNames()
	if err != nil {
		t.Fatal(err)
	}
	n := startNginx(t, p.parent, "")
	file := filepath.Join(p.path(), "a+b.bin")
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	folder := n.url + "100%25%20odd%20+%20names;%20%231/"
	for _, url := range []string{folder, folder + "a%2Bb.bin"} {
		dir := t.TempDir()
		fromWeb(t, makeTorrent(t, file), dir, "--web-seed", url).complete(t)
		if got, err := os.ReadFile(filepath.Join(dir, "a+b.bin")); err != nil || string(got) != string(want) {
			t.Errorf("%s: %d bytes instead of %d, or others (%v)", url, len(got), len(want), err)
		}
	}
}

// A server whose files have the right names and sizes and the wrong bytes is given up; what it
// did not bring comes from a libtorrent seed, of which nothing is held against.
func TestWebSeedThatLies(t *testing.T) {
	p, err := oddNames()
	if err != nil {
		t.Fatal(err)
	}
	lies := t.TempDir()
	for path := range p.content {
		name := filepath.Join(lies, p.name, path)
		st, err := os.Stat(filepath.Join(p.path(), path))
		if err == nil {
			err = os.MkdirAll(filepath.Dir(name), 0o755)
		}
		if err == nil {
			err = os.WriteFile(name, []byte(strings.Repeat("lies!", int(st.Size())/5+1)[:st.Size()]), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	n := startNginx(t, lies, "")
	torrent := makeTorrent(t, p.path(), "--web-seed", n.url)
	dir, at := t.TempDir(), newAddr()
	alone := fromWeb(t, torrent, dir)
	alone.awaitFrom(t, 0, "web seed given up", func(e event) bool {
		return e.is("web-seed") && e["state"] == "given-up" && strings.Contains(fmt.Sprint(e["error"]), "bad data")
	})
	alone.stop()

	seedOf(t, libtorrent{}, p, job{torrent: torrent, listen: at})
	both := shoalClient{}.run(t, "get", job{torrent: torrent, dir: dir, listen: newAddr(), peers: []netip.AddrPort{at}})
	both.complete(t)
	p.arrived(t, dir, false)
	if _, banned := both.find(0, func(e event) bool { return e.is("banned") }); banned > 0 {
		t.Error("somebody was banned")
	}
	if got := len(n.requests(t)); got > 12 {
		t.Errorf("the liar was asked %d times", got)
	}
}

// nginx that gives little for each connection, and a libtorrent seed: both bring their part.
func TestWebSeedAndPeers(t *testing.T) {
	p := theBig(t)
	n := startNginx(t, p.parent, "limit_rate 20m;")
	torrent := makeTorrent(t, p.path(), "--web-seed", n.url)
	at := newAddr()
	seedOf(t, libtorrent{}, p, job{torrent: torrent, listen: at})
	dir := t.TempDir()
	get := shoalClient{}.run(t, "get", job{torrent: torrent, dir: dir, listen: newAddr(), peers: []netip.AddrPort{at}})
	get.complete(t)
	p.arrived(t, dir, false)
	done := get.await(t, "complete")
	if wasted := done.number("wasted"); wasted > p.size/20 {
		t.Errorf("%d bytes of %d came for nothing", wasted, p.size)
	}
	var web int64
	for from := 0; ; {
		e, next := get.find(from, func(e event) bool { return e.is("progress") })
		if e == nil {
			break
		}
		web, from = e.number("web_downloaded"), next
	}
	if web == 0 {
		t.Error("nothing came from the web seed")
	}
	t.Logf("%d of %d bytes from the web seed, %d for nothing", web, p.size, done.number("wasted"))
}
