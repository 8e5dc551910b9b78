//go:build interop

package interop

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

const wordsF = `What users own and name themselves: their own server, network and names.`

// serving is a case of a request to shoal serve.
func serving(listen, request string, more []string, good func(answer, said string) bool) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m, dir := blueprint{name: "films", files: []part{{path: "a b.mkv", size: 50_000}, {path: "c.flac", size: 40_000}, {path: "d.srt", size: 3_000}, {path: "e.webm", size: 9_000}, {path: "f.opus", size: 100}}}.build(t), folderOf(t)
		m.put(t, dir, asNamed)
		http := newAddr()
		at := strings.NewReplacer("PORT", fmt.Sprint(http.Port()), "ADDR", http.Addr().String()).Replace(listen)
		args := append([]string{"serve", m.file, "--dir", dir, "--http", at, "--listen", newAddr().String(), "--no-dht", "--no-lsd", "--state", t.TempDir(), "--json"}, more...)
		p := start(t, who, shoal, args...)
		if !within(8*time.Second, func() bool {
			e, _ := p.find(0, func(e event) bool { return e.is("serving") })
			return e != nil || p.over()
		}) || p.over() {
			t.Logf("it does not serve:\n%s", p.tail())
			if strings.Contains(p.text(), "unknown flag") {
				return "has no such way"
			}
			return "refuses"
		}
		e, _ := p.find(0, func(e event) bool { return e.is("serving") })
		to := at
		if host, port, err := net.SplitHostPort(at); err == nil && host == "0.0.0.0" {
			to = net.JoinHostPort("127.0.0.1", port)
		}
		answer := asks(t, to, strings.NewReplacer("PORT", fmt.Sprint(http.Port()), "ADDR", to, "HOST", http.Addr().String()).Replace(request))
		if good(answer, fmt.Sprint(e["url"], " ", e["files"])) {
			return "accepts"
		}
		t.Logf("%s\n%.300s", fmt.Sprint(e), answer)
		return "refuses"
	}
}

// asks sends a request as it is, and gives the answer, or what there was of it in eight seconds.
func asks(t *testing.T, to, request string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", to, 2*time.Second)
	if err != nil {
		t.Log(err)
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(8 * time.Second))
	io.WriteString(c, request)
	answer, _ := io.ReadAll(io.LimitReader(c, 1<<20))
	return string(answer)
}

func trialsF() []trial {
	none := []string{}
	fine := func(answer, _ string) bool { return strings.Contains(strings.SplitN(answer, "\r\n", 2)[0], " 200 ") }
	kind := func(want string) func(answer, said string) bool {
		return func(answer, said string) bool {
			return fine(answer, said) && strings.Contains(strings.ToLower(answer), "content-type: "+want)
		}
	}
	head := func(path string) string {
		return "HEAD /films/" + path + " HTTP/1.1\r\nHost: ADDR\r\nConnection: close\r\n\r\n"
	}
	return []trial{
		{name: "serve: HTTP/1.0 without a host", want: "accepts", why: "players and scripts that are old", others: none, run: serving("ADDR:PORT", "GET / HTTP/1.0\r\n\r\n", nil, fine)},
		{name: "serve: HTTP/1.0 with a host", want: "accepts", why: "the same", others: none, run: serving("ADDR:PORT", "GET / HTTP/1.0\r\nHost: ADDR\r\n\r\n", nil, fine)},
		{name: "serve: port 80, the host without a port", want: "accepts", why: "that is what browsers send", others: none, run: serving("ADDR:80", "GET / HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n", []string{}, fine)},
		{name: "serve: port 80, `localhost`", want: "accepts", why: "the same", others: none, serial: true, run: serving("127.0.0.1:80", "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", nil, fine)},
		{name: "serve: a name that the user allows", want: "accepts", why: "`--http-name films.lan`", others: none, run: serving("ADDR:PORT", "GET / HTTP/1.1\r\nHost: films.lan:PORT\r\nConnection: close\r\n\r\n", []string{"--http-name", "films.lan"}, fine)},
		{name: "serve: the name in capitals, with a final dot", want: "accepts", why: "names have no case", others: none, run: serving("ADDR:PORT", "GET / HTTP/1.1\r\nHost: FILMS.lan.:PORT\r\nConnection: close\r\n\r\n", []string{"--http-name", "films.lan"}, fine)},
		{name: "serve: a name that nobody allowed", want: "accepts", why: "it is refused: a rule of safety, against pages that rebind names", others: none, run: serving("ADDR:PORT", "GET / HTTP/1.1\r\nHost: evil.example:PORT\r\nConnection: close\r\n\r\n", nil, func(answer, said string) bool {
			return strings.HasPrefix(answer, "HTTP/1.1 4")
		})},
		{name: "serve: at all addresses: what is printed", want: "accepts", why: "addresses that can be opened", others: none, run: serving("0.0.0.0:PORT", "GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: close\r\n\r\n", nil, func(_, said string) bool {
			return !strings.Contains(said, "0.0.0.0") && !strings.Contains(said, "[::]") && strings.Contains(said, "http://")
		})},
		{name: "serve: `.mkv`", want: "accepts", why: "from a table of its own, not the system's", others: none, run: serving("ADDR:PORT", head("a%20b.mkv"), nil, kind("video/x-matroska"))},
		{name: "serve: `.flac`", want: "accepts", why: "the same", others: none, run: serving("ADDR:PORT", head("c.flac"), nil, kind("audio/flac"))},
		{name: "serve: `.webm`", want: "accepts", why: "the same", others: none, run: serving("ADDR:PORT", head("e.webm"), nil, kind("video/webm"))},
		{name: "serve: `.opus`", want: "accepts", why: "the same", others: none, run: serving("ADDR:PORT", head("f.opus"), nil, kind("audio/"))},
		{name: "a tracker in the own network, at a path of its own", want: "tells", why: "what the rule is, and how to allow it", others: none, run: func(t *testing.T, who string) string {
			s := startSloppy(t, func(string) []byte { return well() })
			m := blueprint{name: "tracked", size: 100_000, outer: dict{{"announce", fmt.Sprintf("http://%v/tracker.php", s.at)}}}.build(t)
			p := start(t, who, shoal, "get", m.file, "--dir", folderOf(t), "--listen", newAddr().String(), "--no-dht", "--no-lsd", "--state", t.TempDir(), "--json=false")
			if within(6*time.Second, func() bool {
				return strings.Contains(p.text(), "--") && strings.Contains(p.text(), "local address") || len(s.asked()) > 0
			}) {
				return "tells"
			}
			t.Log(p.tail())
			return "keeps quiet"
		}},
		{name: "serve: a file of which nobody has a piece", want: "tells", why: "an error after a while, not a connection that waits forever", others: none, run: func(t *testing.T, who string) string {
			m, dir := folder("films", "a.mkv").build(t), folderOf(t)
			http, at := newAddr(), newAddr()
			p := start(t, who, shoal, "serve", m.file, "--dir", dir, "--http", http.String(), "--listen", at.String(), "--http-wait", "3s", "--no-dht", "--no-lsd", "--state", t.TempDir(), "--json")
			give(t, m, at, func(g *giver) { g.lack = map[int]bool{0: true, 1: true} })
			within(8*time.Second, func() bool { e, _ := p.find(0, func(e event) bool { return e.is("serving") }); return e != nil })
			c, err := net.DialTimeout("tcp", http.String(), 2*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(15 * time.Second))
			fmt.Fprintf(c, "GET /films/a.mkv HTTP/1.1\r\nHost: %v\r\nConnection: close\r\n\r\n", http)
			if _, err := io.Copy(io.Discard, c); err == nil || !isTimeout(err) {
				return "tells"
			}
			return "hangs"
		}},
	}
}

func isTimeout(err error) bool {
	n, ok := err.(net.Error)
	return ok && n.Timeout()
}
