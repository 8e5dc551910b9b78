//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// named one peer: what a tracker answers when all is well.
func answerOf(peer netip.AddrPort) string {
	return bencoded(dict{{"interval", 1800}, {"peers", compact(peer)}})
}

// plain is an HTTP answer around a body that is as it should be.
func plain(wrap func(body string) []byte) func(netip.AddrPort) []byte {
	return func(peer netip.AddrPort) []byte { return wrap(answerOf(peer)) }
}

// said is a body in an HTTP answer that is as it should be.
func said(body func(peer netip.AddrPort) string) func(netip.AddrPort) []byte {
	return func(peer netip.AddrPort) []byte { return ok(body(peer)) }
}

// tracked is a case of a tracker that answers in this way: accepted is it when the client
// goes to the peer that is named.
func tracked(answer func(peer netip.AddrPort) []byte) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		bell := startDoorbell(t)
		server := startSloppy(t, func(request string) []byte {
			if strings.Contains(request, "event=stopped") {
				return ok(bencoded(dict{{"interval", 1800}}))
			}
			return answer(bell.at)
		})
		return announcing(t, who, fmt.Sprintf("http://%v/announce", server.at), bell)
	}
}

func announcing(t *testing.T, who, url string, bell *doorbell) string {
	t.Helper()
	m := blueprint{name: "tracked", size: 100_000, outer: dict{{"announce", url}}}.build(t)
	failed := false
	r := take(t, who, order{
		source: m.file, dir: folderOf(t), limit: 6 * time.Second,
		until: func(p *process) bool {
			e, _ := p.find(0, func(e event) bool { return e.is("tracker") && e["state"] == "failing" })
			failed = e != nil && who == "shoal"
			return bell.rang() || failed
		},
		tr: func(s trState) bool {
			if len(s.Trackers) == 0 || !s.Trackers[0].Announced {
				return false
			}
			failed = !s.Trackers[0].Succeeded || s.Trackers[0].Peers == 0
			return true
		},
	})
	switch {
	case r.crashed:
		return "crashes"
	case bell.rang(), who == "Transmission" && r.stopped && !failed:
		return "accepts"
	}
	return "refuses"
}

func trialsTrackers() []trial {
	const html = "<html><body>please donate</body></html>"
	list := func(more ...any) func(peer netip.AddrPort) string {
		return func(peer netip.AddrPort) string {
			peers := []any{dict{{"ip", peer.Addr().String()}, {"peer id", strings.Repeat("x", 20)}, {"port", int(peer.Port())}}}
			return bencoded(dict{{"interval", 1800}, {"peers", append(peers, more...)}})
		}
	}
	return []trial{
		{name: "tracker: all is well", want: "accepts", why: "so that the others mean something", run: tracked(plain(func(b string) []byte { return ok(b) }))},
		{name: "tracker: HTTP/1.0, no length", want: "accepts", why: "a complete dictionary counts, whatever the HTTP around it did wrong", run: tracked(plain(func(b string) []byte { return []byte("HTTP/1.0 200 OK\r\n\r\n" + b) }))},
		{name: "tracker: lines end in LF alone", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte { return []byte("HTTP/1.1 200 OK\nContent-Type: text/plain\n\n" + b) }))},
		{name: "tracker: no reason after 200", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte { return []byte("HTTP/1.1 200\r\n\r\n" + b) }))},
		{name: "tracker: `HTTP/3.7 200 OK`", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte { return []byte("HTTP/3.7 200 OK\r\n\r\n" + b) }))},
		{name: "tracker: `HTTP 200 OK`", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte { return []byte("HTTP 200 OK\r\n\r\n" + b) }))},
		{name: "tracker: no head, the dictionary alone", want: "accepts", why: "the same: HTTP/0.9", run: tracked(plain(func(b string) []byte { return []byte(b) }))},
		{name: "tracker: a line of the head without a colon", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte { return ok(b, "X-Powered-By PHP") }))},
		{name: "tracker: a blank before the colon", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte { return ok(b, "Server : a tracker") }))},
		{name: "tracker: `100 Continue` first", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte { return append([]byte("HTTP/1.1 100 Continue\r\n\r\n"), ok(b)...) }))},
		{name: "tracker: Content-Length beyond the end", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte {
			return []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b)+100, b))
		}))},
		{name: "tracker: Content-Length short of the end", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte {
			return []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(b)-10, b))
		}))},
		{name: "tracker: two lengths, one right", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte { return ok(b, "Content-Length: 7") }))},
		{name: "tracker: a length that is not a number", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte { return []byte("HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n" + b) }))},
		{name: "tracker: no length, and the connection stays open", want: "accepts", why: "the end of the dictionary is the end", run: tracked(plain(func(b string) []byte { return []byte("HTTP/1.1 200 OK\r\n\r\n" + b + keepOpen) }))},
		{name: "tracker: chunked", want: "accepts", why: "as it should be", run: tracked(plain(func(b string) []byte {
			return []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(b), b))
		}))},
		{name: "tracker: chunked without the last chunk", want: "accepts", why: "a complete dictionary counts", run: tracked(plain(func(b string) []byte {
			return []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(b), b))
		}))},
		{name: "tracker: says chunked, and is not", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte {
			return []byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b)
		}))},
		{name: "tracker: chunked and a length", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte {
			return []byte(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(b), len(b), b))
		}))},
		{name: "tracker: gzip", want: "accepts", why: "as it should be", run: tracked(plain(func(b string) []byte { return ok(gzipped(b), "Content-Encoding: gzip") }))},
		{name: "tracker: gzip without a word", want: "accepts", why: "its first bytes tell", run: tracked(plain(func(b string) []byte { return ok(gzipped(b)) }))},
		{name: "tracker: says gzip, and is not", want: "accepts", why: "a complete dictionary counts", run: tracked(plain(func(b string) []byte { return ok(b, "Content-Encoding: gzip") }))},
		{name: "tracker: gzip without its last bytes", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte { z := gzipped(b); return ok(z[:len(z)-8], "Content-Encoding: gzip") }))},
		{name: "tracker: `x-gzip`", want: "accepts", why: "gzip by its old name", run: tracked(plain(func(b string) []byte { return ok(gzipped(b), "Content-Encoding: x-gzip") }))},
		{name: "tracker: deflate with its frame", want: "accepts", why: "what the word means", run: tracked(plain(func(b string) []byte { return ok(zlibbed(b), "Content-Encoding: deflate") }))},
		{name: "tracker: deflate without", want: "accepts", why: "what some servers mean by it", run: tracked(plain(func(b string) []byte { return ok(deflated(b), "Content-Encoding: deflate") }))},
		{name: "tracker: blank lines in front", want: "accepts", why: "PHP files that begin with one", run: tracked(plain(func(b string) []byte { return ok("\r\n \n" + b) }))},
		{name: "tracker: a byte order mark in front", want: "accepts", why: "PHP files that an editor saved", run: tracked(plain(func(b string) []byte { return ok("\ufeff" + b) }))},
		{name: "tracker: HTML behind", want: "accepts", why: "hosts that add advertisements", run: tracked(plain(func(b string) []byte { return ok(b + html) }))},
		{name: "tracker: HTML in front", want: "accepts", why: "warnings that PHP prints", run: tracked(plain(func(b string) []byte {
			return ok("<br />\n<b>Notice</b>: x in <b>/announce.php</b> on line <b>3</b><br />\n" + b)
		}))},
		{name: "tracker: status 404 around an answer", want: "accepts", why: "a complete dictionary with peers counts", run: tracked(plain(func(b string) []byte {
			return []byte(strings.Replace(string(ok(b)), "200 OK", "404 Not Found", 1))
		}))},
		{name: "tracker: status 500 around an answer", want: "accepts", why: "the same", run: tracked(plain(func(b string) []byte {
			return []byte(strings.Replace(string(ok(b)), "200 OK", "500 Oops", 1))
		}))},
		{name: "tracker: HTML alone", want: "refuses", why: "there is nothing in it", run: tracked(plain(func(string) []byte { return ok(html) }))},
		{name: "tracker: half a dictionary", want: "refuses", why: "it is not complete", run: tracked(plain(func(b string) []byte { return ok(b[:len(b)-8]) }))},
		{name: "tracker: peers with two bytes too many", want: "accepts", why: "whole entries count, with a note", run: tracked(said(func(p netip.AddrPort) string {
			return bencoded(dict{{"interval", 1800}, {"peers", compact(p) + "\x7f\x00"}})
		}))},
		{name: "tracker: peers6 with a damaged tail beside peers", want: "accepts", why: "the same", run: tracked(said(func(p netip.AddrPort) string {
			return bencoded(dict{{"interval", 1800}, {"peers", compact(p)}, {"peers6", strings.Repeat("\x20", 25)}})
		}))},
		{name: "tracker: peers as a list", want: "accepts", why: "BEP 3", run: tracked(said(list()))},
		{name: "tracker: a list with an entry without a port", want: "accepts", why: "whole entries count", run: tracked(said(list(dict{{"ip", "127.0.9.9"}})))},
		{name: "tracker: a list with an entry of another kind", want: "accepts", why: "the same", run: tracked(said(list("what?", 7)))},
		{name: "tracker: a port as a string", want: "accepts", why: "what is meant is plain", run: tracked(said(func(p netip.AddrPort) string {
			return bencoded(dict{{"interval", 1800}, {"peers", []any{dict{{"ip", p.Addr().String()}, {"port", fmt.Sprint(p.Port())}}}}})
		}))},
		{name: "tracker: no interval", want: "accepts", why: "the default holds", run: tracked(said(func(p netip.AddrPort) string { return bencoded(dict{{"peers", compact(p)}}) }))},
		{name: "tracker: the interval is a string", want: "accepts", why: "peers count without it", run: tracked(said(func(p netip.AddrPort) string { return bencoded(dict{{"interval", "1800"}, {"peers", compact(p)}}) }))},
		{name: "tracker: the interval is negative", want: "accepts", why: "the same", run: tracked(said(func(p netip.AddrPort) string { return bencoded(dict{{"interval", -5}, {"peers", compact(p)}}) }))},
		{name: "tracker: the interval is beyond 64 bits", want: "accepts", why: "the same", run: tracked(said(func(p netip.AddrPort) string {
			return bencoded(dict{{"interval", raw("i99999999999999999999999e")}, {"peers", compact(p)}})
		}))},
		{name: "tracker: `i01800e`", want: "accepts", why: "bencoding that is not strict", run: tracked(said(func(p netip.AddrPort) string {
			return bencoded(dict{{"interval", raw("i01800e")}, {"peers", compact(p)}})
		}))},
		{name: "tracker: keys out of order", want: "accepts", why: "the same", run: tracked(said(func(p netip.AddrPort) string { return bencoded(dict{{"peers", compact(p)}, {"interval", 1800}}) }))},
		{name: "tracker: a key twice", want: "accepts", why: "the same", run: tracked(said(func(p netip.AddrPort) string {
			return bencoded(dict{{"interval", 1800}, {"interval", 1800}, {"peers", compact(p)}})
		}))},
		{name: "tracker: peers beside an empty `failure reason`", want: "accepts", why: "an empty reason is none", run: tracked(said(func(p netip.AddrPort) string {
			return bencoded(dict{{"failure reason", ""}, {"interval", 1800}, {"peers", compact(p)}})
		}))},
		{name: "tracker: redirected to another path", want: "accepts", why: "as it should be", run: redirected(func(string) string { return "/announce-moved" }, "302 Found")},
		{name: "tracker: redirected with 308", want: "accepts", why: "the same", run: redirected(func(string) string { return "/announce-moved" }, "308 Permanent Redirect")},
		{name: "tracker: redirected without a scheme", want: "accepts", why: "the same", run: redirected(func(host string) string { return "//" + host + "/announce-moved" }, "301 Moved")},
		{name: "tracker: redirected in a circle", want: "refuses", why: "there is an end to it", run: tracked(plain(func(string) []byte {
			return []byte("HTTP/1.1 302 Found\r\nLocation: /announce\r\nContent-Length: 0\r\n\r\n")
		}))},
	}
}

func redirected(to func(host string) string, status string) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		bell := startDoorbell(t)
		var s *sloppy
		s = startSloppy(t, func(request string) []byte {
			if strings.HasPrefix(request, "GET /announce-moved") {
				return ok(answerOf(bell.at))
			}
			_, query, _ := strings.Cut(strings.Fields(request)[1], "?")
			return []byte(fmt.Sprintf("HTTP/1.1 %s\r\nLocation: %s?%s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status, to(s.at.String()), query))
		})
		return announcing(t, who, fmt.Sprintf("http://%v/announce", s.at), bell)
	}
}
