//go:build interop

package interop

import (
	"bytes"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const wordsD = `What is checked by a hash, or is a complete dictionary, counts, whatever is around it. *tracker:* a server answers an
announce with these bytes and names one peer; accepted is it when the client goes there. *UDP tracker:* the same, in
packets; 60 s of silence are cut to 20. *torrent:* a torrent file is read, *URL:* it is fetched, *link:* a link is
read as it was pasted; accepted is it when the client has the right info-hash.`

// read has a client read a source, and gives the info-hash that it found, if any. How, is
// what each of them has for it.
func read(t *testing.T, who, source string, wrap ...string) (hash string, hangs bool) {
	t.Helper()
	var p *process
	switch who {
	case "shoal":
		p = order{wrap: wrap}.start(t, who, []string{shoal, "show", source, "--json"})
	case "libtorrent":
		p = order{wrap: wrap}.start(t, who, []string{python, "-c", `
import sys, libtorrent as lt
s = sys.argv[1]
try:
	h = lt.torrent_info(s).info_hash() if s[:1] == "/" else lt.parse_magnet_uri(s).info_hash
except RuntimeError as e:
	sys.exit(str(e))
print('{"info_hash": "%s"}' % h)`, source})
	case "Transmission":
		c := order{source: source, dir: t.TempDir()}.transmission(t, newAddr())
		return c.hash, false
	case "aria2":
		return aria2Reads(t, source), false
	}
	if !within(10*time.Second, p.over) {
		return "", true
	}
	e, _ := p.find(0, func(e event) bool { return e["info_hash"] != nil })
	hash, _ = e["info_hash"].(string)
	if *fieldShow {
		t.Log(p.tail())
	}
	return hash, false
}

// aria2Reads asks aria2 by its RPC which torrent it has made of a source.
func aria2Reads(t *testing.T, source string) string {
	t.Helper()
	at := newAddr()
	rpc := at.Port() + 20000
	p := start(t, "aria2", "aria2c", slices.Concat(aria2Command(t, t.TempDir(), at)[1:], []string{"--enable-rpc=true", fmt.Sprintf("--rpc-listen-port=%d", rpc), source})...)
	hash := ""
	ask := func() bool {
		client := http.Client{Timeout: 2 * time.Second}
		body := []byte(`{"jsonrpc":"2.0","id":"1","method":"aria2.tellActive"}`)
		resp, err := client.Post(fmt.Sprintf("http://127.0.0.1:%d/jsonrpc", rpc), "application/json", bytes.NewReader(body))
		if err != nil {
			return p.over()
		}
		defer resp.Body.Close()
		var got struct {
			Result []struct {
				Hash string `json:"infoHash"`
			} `json:"result"`
		}
		json.NewDecoder(resp.Body).Decode(&got)
		for _, r := range got.Result {
			if r.Hash != "" {
				hash = r.Hash
			}
		}
		return hash != ""
	}
	within(3*time.Second, ask)
	return hash
}

// reads is what came of reading: accepted is it when the hash is the right one.
func reads(hash string, hangs bool, m *made) string {
	switch {
	case hangs:
		return "hangs"
	case strings.EqualFold(hash, m.hex()):
		return "accepts"
	}
	return "refuses"
}

// torrentText is a case of a torrent file that is made of another one's text.
func torrentText(b blueprint, change func(text string) string) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m := b.build(t)
		if change != nil {
			if err := os.WriteFile(m.file, []byte(change(string(m.text))), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		hash, hangs := read(t, who, m.file)
		return reads(hash, hangs, m)
	}
}

// one is the torrent that most cases read.
var one = blueprint{name: "one.bin", size: 100_000}

// with has more keys around the info dictionary, in front of it.
func with(keys ...entry) blueprint {
	b := one
	b.outer = keys
	return b
}

// within the info dictionary, keys in front of and behind the others.
func inside(front dict, behind ...entry) blueprint {
	b := one
	b.info, b.after = front, behind
	return b
}

// served is a case of a torrent that a web server gives: answer makes its answers.
func served(path string, answer func(request string, m *made, at netip.AddrPort) []byte) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m := one.build(t)
		var s *sloppy
		s = startSloppy(t, func(request string) []byte { return answer(request, m, s.at) })
		hash, hangs := read(t, who, fmt.Sprintf("http://%v%s", s.at, path))
		return reads(hash, hangs, m)
	}
}

// pasted is a case of a link as people paste it; HASH in it stands for the info-hash.
func pasted(link string) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m := one.build(t)
		text := strings.NewReplacer("HASH", m.hex(), "Hash", strings.ToUpper(m.hex()), "BASE32", base32.StdEncoding.EncodeToString(m.hash[:])).Replace(link)
		hash, hangs := read(t, who, text)
		return reads(hash, hangs, m)
	}
}

// notThere is a case of a link that is none: told is it when the message says so, and not
// that there is no such file.
func notThere(link string) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		p := start(t, who, shoal, "show", link)
		if !within(5*time.Second, p.over) {
			return "hangs"
		}
		if text := p.text(); p.cmd.ProcessState.ExitCode() == 0 || strings.Contains(text, "no such file") || !strings.Contains(text, "magnet link") {
			return "keeps quiet"
		}
		return "tells"
	}
}

func trialsD() []trial {
	return slices.Concat(trialsTrackers(), trialsSloppy(), trialsSloppyUDP(), trialsTorrents(), trialsURLs(), trialsLinks())
}

func trialsTorrents() []trial {
	return []trial{
		{name: "torrent: an unknown key twice", want: "accepts", why: "what the info-hash covers is hashed raw anyway", run: torrentText(with(entry{"aa", 1}, entry{"aa", 2}), nil)},
		{name: "torrent: keys out of order", want: "accepts", why: "the same", run: torrentText(with(entry{"zz", 1}, entry{"aa", "x"}), nil)},
		{name: "torrent: an unknown key twice in info", want: "accepts", why: "the same", run: torrentText(inside(dict{{"aa", 1}, {"aa", 2}}), nil)},
		{name: "torrent: keys out of order in info", want: "accepts", why: "the same", run: torrentText(inside(dict{{"zz", 1}}, entry{"aa", "x"}), nil)},
		{name: "torrent: `i007e` for an unknown key", want: "accepts", why: "nobody asks for it", run: torrentText(with(entry{"aa", raw("i007e")}), nil)},
		{name: "torrent: `i-0e` for an unknown key", want: "accepts", why: "the same", run: torrentText(with(entry{"aa", raw("i-0e")}), nil)},
		{name: "torrent: an unknown number beyond 64 bits", want: "accepts", why: "the same", run: torrentText(with(entry{"aa", raw("i99999999999999999999999e")}), nil)},
		{name: "torrent: `creation date` is a string", want: "accepts", why: "it is passed over", run: torrentText(with(entry{"creation date", "yesterday"}), nil)},
		{name: "torrent: `private` is a string", want: "accepts", why: "the same", run: torrentText(inside(nil, entry{"private", "1"}), nil)},
		{name: "torrent: `announce-list` is a list of strings", want: "accepts", why: "what is meant is plain", run: torrentText(with(entry{"announce-list", []string{"http://127.0.9.9/announce"}}), nil)},
		{name: "torrent: `url-list` is an empty string", want: "accepts", why: "there is none", run: torrentText(with(entry{"url-list", ""}), nil)},
		{name: "torrent: `nodes` is not a list", want: "accepts", why: "it is passed over", run: torrentText(with(entry{"nodes", "x"}), nil)},
		{name: "torrent: `announce` is a number", want: "accepts", why: "the same", run: torrentText(with(entry{"announce", 7}), nil)},
		{name: "torrent: a line break behind the end", want: "accepts", why: "what was pasted or edited", run: torrentText(one, func(s string) string { return s + "\r\n" })},
		{name: "torrent: HTML behind the end", want: "accepts", why: "the dictionary is complete", run: torrentText(one, func(s string) string { return s + "<script></script>" })},
		{name: "torrent: blank lines in front", want: "accepts", why: "the same", run: torrentText(one, func(s string) string { return "\r\n" + s })},
		{name: "torrent: a byte order mark in front", want: "accepts", why: "the same", run: torrentText(one, func(s string) string { return "\ufeff" + s })},
		{name: "torrent: the file is gzip", want: "accepts", why: "its first bytes tell", run: torrentText(one, gzipped)},
		{name: "torrent: the last byte is missing", want: "refuses", why: "the dictionary is not complete", run: torrentText(one, func(s string) string { return s[:len(s)-1] })},
		{name: "torrent: pieces of 20,000 bytes", want: "accepts", why: "odd, and whole", run: torrentText(blueprint{name: "one.bin", size: 100_000, piece: 20_000}, nil)},
		{name: "torrent: too few hashes", want: "refuses", why: "what can't be checked is not fetched", run: torrentText(one, func(s string) string { return strings.Replace(s, "lengthi100000e", "lengthi200000e", 1) })},
		{name: "torrent: a web page in its place", want: "refuses", why: "it says that it is one", run: torrentText(one, func(string) string { return "<!DOCTYPE html><html><body>log in</body></html>" })},
	}
}

func trialsURLs() []trial {
	torrent := func(lines ...string) func(string, *made, netip.AddrPort) []byte {
		return func(_ string, m *made, _ netip.AddrPort) []byte { return ok(string(m.text), lines...) }
	}
	moved := func(to func(m *made, at netip.AddrPort) string) func(string, *made, netip.AddrPort) []byte {
		return func(request string, m *made, at netip.AddrPort) []byte {
			if strings.HasPrefix(request, "GET /to") {
				return ok(string(m.text))
			}
			return []byte("HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: " + to(m, at) + "\r\n\r\n")
		}
	}
	const get = "/x.torrent"
	others := []string{"Transmission", "aria2"}
	typed := "Content-Type: application/x-bittorrent"
	return []trial{
		{name: "URL: all is well", want: "accepts", why: "so that the others mean something", others: others, run: served(get, torrent(typed))},
		{name: "URL: called text/html", want: "accepts", why: "the bytes tell", others: others, run: served("/download.php?id=7", torrent("Content-Type: text/html"))},
		{name: "URL: no length, HTTP/1.0", want: "accepts", why: "the same", others: others, run: served(get, func(_ string, m *made, _ netip.AddrPort) []byte {
			return []byte("HTTP/1.0 200 OK\r\n" + typed + "\r\n\r\n" + string(m.text))
		})},
		{name: "URL: gzip", want: "accepts", why: "as it should be", others: others, run: served(get, func(_ string, m *made, _ netip.AddrPort) []byte {
			return ok(gzipped(string(m.text)), typed, "Content-Encoding: gzip")
		})},
		{name: "URL: gzip without a word", want: "accepts", why: "its first bytes tell", others: others, run: served(get, func(_ string, m *made, _ netip.AddrPort) []byte { return ok(gzipped(string(m.text)), typed) })},
		{name: "URL: says gzip, and is not", want: "accepts", why: "the same", others: others, run: served(get, torrent(typed, "Content-Encoding: gzip"))},
		{name: "URL: redirected to another path", want: "accepts", why: "as it should be", others: others, run: served(get, moved(func(*made, netip.AddrPort) string { return "/to.torrent" }))},
		{name: "URL: redirected to a magnet link", want: "accepts", why: "it is followed", others: others, run: served(get, moved(func(m *made, _ netip.AddrPort) string { return "magnet:?xt=urn:btih:" + m.hex() }))},
		{name: "URL: redirected with blanks in the address", want: "accepts", why: "what is meant is plain", others: others, run: served(get, moved(func(*made, netip.AddrPort) string { return "/to a file.torrent" }))},
		{name: "URL: a cookie that the redirect needs", want: "accepts", why: "cookies of one chain are kept", others: others, run: served(get, func(request string, m *made, _ netip.AddrPort) []byte {
			if strings.Contains(request, "Cookie: pass=7") {
				return ok(string(m.text), typed)
			}
			return []byte("HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nSet-Cookie: pass=7; Path=/\r\nLocation: " + get + "\r\n\r\n")
		})},
		{name: "URL: a blank in it", want: "accepts", why: "it is escaped", others: others, run: served("/a file.torrent", torrent(typed))},
		{name: "URL: a web page", want: "refuses", why: "it is called one", others: others, run: served(get, func(string, *made, netip.AddrPort) []byte {
			return ok("<!DOCTYPE html><html><body>log in</body></html>", "Content-Type: text/html")
		})},
		{name: "URL: a web page: what the message says", want: "tells", why: "people are to know that they have to log in", others: []string{}, run: func(t *testing.T, who string) string {
			s := startSloppy(t, func(string) []byte {
				return ok("<!DOCTYPE html><html><body>log in</body></html>", "Content-Type: text/html")
			})
			p := start(t, who, shoal, "show", fmt.Sprintf("http://%v/x.torrent", s.at))
			if !within(5*time.Second, p.over) {
				return "hangs"
			}
			if strings.Contains(p.text(), "web page") {
				return "tells"
			}
			return "keeps quiet"
		}},
		{name: "`-`: a torrent on standard input", want: "accepts", why: "as programs in a pipe do", others: []string{}, run: func(t *testing.T, who string) string {
			m := one.build(t)
			hash, hangs := read(t, who, "-", "sh", "-c", `file=$1; shift; exec "$@" < "$file"`, "sh", m.file)
			return reads(hash, hangs, m)
		}},
		{name: "`-`: a magnet link on standard input", want: "accepts", why: "the same", others: []string{}, run: func(t *testing.T, who string) string {
			m := one.build(t)
			hash, hangs := read(t, who, "-", "sh", "-c", `link=$1; shift; echo "$link" | "$@"`, "sh", "magnet:?xt=urn:btih:"+m.hex())
			return reads(hash, hangs, m)
		}},
		{name: "URL: `file:///path`", want: "accepts", why: "as file managers paste it", others: others, run: fileURL(func(path string) string { return "file://" + path })},
		{name: "URL: `file://localhost/path`", want: "accepts", why: "the same", others: others, run: fileURL(func(path string) string { return "file://localhost" + path })},
		{name: "URL: `file:/path`", want: "accepts", why: "the same, from Java programs", others: others, run: fileURL(func(path string) string { return "file:" + path })},
		{name: "URL: `file:///path` with `%20`", want: "accepts", why: "the same", others: others, run: fileURL(func(path string) string { return "file://" + (&url.URL{Path: path}).EscapedPath() })},
	}
}

func fileURL(of func(path string) string) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m := one.build(t)
		file := filepath.Join(t.TempDir(), "it is one.torrent")
		if err := os.WriteFile(file, m.text, 0o644); err != nil {
			t.Fatal(err)
		}
		hash, hangs := read(t, who, of(file))
		return reads(hash, hangs, m)
	}
}

func trialsLinks() []trial {
	return []trial{
		{name: "link: `magnet:?xt=urn:btih:HASH`", want: "accepts", why: "so that the others mean something", run: pasted("magnet:?xt=urn:btih:HASH&dn=one")},
		{name: "link: the hash in base32", want: "accepts", why: "BEP 9", run: pasted("magnet:?xt=urn:btih:BASE32")},
		{name: "link: the hash in capitals", want: "accepts", why: "the same", run: pasted("magnet:?xt=urn:btih:Hash")},
		{name: "link: `MAGNET:?XT=URN:BTIH:`", want: "accepts", why: "schemes have no case", run: pasted("MAGNET:?XT=URN:BTIH:HASH")},
		{name: "link: blanks and line breaks around", want: "accepts", why: "links as people paste them", run: pasted("  magnet:?xt=urn:btih:HASH&dn=one \r\n")},
		{name: "link: a line break within", want: "accepts", why: "mail programs break lines", run: pasted("magnet:?xt=urn:btih:HASH\n&dn=one")},
		{name: "link: quotes around", want: "accepts", why: "the same", run: pasted(`"magnet:?xt=urn:btih:HASH&dn=one"`)},
		{name: "link: typographic quotes around", want: "accepts", why: "the same", run: pasted(`“magnet:?xt=urn:btih:HASH&dn=one”`)},
		{name: "link: `<>` around", want: "accepts", why: "the same", run: pasted("<magnet:?xt=urn:btih:HASH&dn=one>")},
		{name: "link: percent-encoded as a whole", want: "accepts", why: "the same", run: pasted("magnet%3A%3Fxt%3Durn%3Abtih%3AHASH%26dn%3Done")},
		{name: "link: `xt` percent-encoded", want: "accepts", why: "the same", run: pasted("magnet:?xt=urn%3Abtih%3AHASH")},
		{name: "link: `&amp;` for `&`", want: "accepts", why: "copied from the source of a page", run: pasted("magnet:?dn=one&amp;xt=urn:btih:HASH&amp;tr=x")},
		{name: "link: `;` for `&`", want: "accepts", why: "as old RFCs advise", run: pasted("magnet:?dn=one;xt=urn:btih:HASH")},
		{name: "link: `magnet://?`", want: "accepts", why: "programs that make a URL of it", run: pasted("magnet://?xt=urn:btih:HASH")},
		{name: "link: `magnet:/?`", want: "accepts", why: "the same", run: pasted("magnet:/?xt=urn:btih:HASH")},
		{name: "link: `magnet:xt=`", want: "accepts", why: "the same", run: pasted("magnet:xt=urn:btih:HASH")},
		{name: "link: `xt.1=`", want: "accepts", why: "the form for several", run: pasted("magnet:?xt.1=urn:btih:HASH")},
		{name: "link: `urn:btih:HASH`", want: "accepts", why: "what is meant is plain", run: pasted("urn:btih:HASH")},
		{name: "link: `btih:HASH`", want: "accepts", why: "the same", run: pasted("btih:HASH")},
		{name: "link: `HASH`", want: "accepts", why: "the same", run: pasted("HASH")},
		{name: "link: `HASH/`", want: "accepts", why: "the same", run: pasted("HASH/")},
		{name: "link: blanks around the hash", want: "accepts", why: "the same", run: pasted(" HASH\n")},
		{name: "link: an `xt` of another kind first", want: "accepts", why: "the one that is known counts", run: pasted("magnet:?xt=urn:sha1:YNCKHTQCWBTRNJIV4WNAE52SJUQCZO5C&xt=urn:btih:HASH")},
		{name: "link: a full stop behind", want: "accepts", why: "the end of a sentence", run: pasted("magnet:?xt=urn:btih:HASH.")},
		{name: "link: the hash is too short", want: "tells", why: "that it is not a magnet link, never “no such file”", others: []string{}, run: notThere("magnet:?xt=urn:btih:0123456789")},
		{name: "link: no hash at all", want: "tells", why: "the same", others: []string{}, run: notThere("magnet:?dn=one&tr=http://t.example/announce")},
		{name: "link: `magnet:` alone", want: "tells", why: "the same", others: []string{}, run: notThere("magnet:")},
	}
}
