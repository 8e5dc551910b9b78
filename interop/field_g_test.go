//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

const wordsG = `A tracker answers as private ones do, and keeps what it was asked.`

// query gives the parameters of a request, and its User-Agent.
func query(request string) (q url.Values, agent string) {
	_, text, _ := strings.Cut(strings.Fields(request)[1], "?")
	q, _ = url.ParseQuery(text)
	for line := range strings.Lines(request) {
		if name, value, _ := strings.Cut(line, ":"); strings.EqualFold(name, "user-agent") {
			agent = strings.TrimSpace(value)
		}
	}
	return q, agent
}

// announces gives what a server was asked, without what is said at the end.
func (s *sloppy) announces(event string) (all []url.Values) {
	for _, r := range s.asked() {
		if !strings.HasPrefix(r, "GET /announce") {
			continue // a scrape
		}
		if q, _ := query(r); event == "" && q.Get("event") != "stopped" || event != "" && q.Get("event") == event {
			all = append(all, q)
		}
	}
	return all
}

func failing(reason string, more ...entry) []byte {
	return ok(bencoded(append(dict{{"failure reason", reason}}, more...)))
}

// asItComes starts a client with the settings that it has by itself, its port among them.
func asItComes(t *testing.T, who, torrent, dir, state string) *process {
	t.Helper()
	switch who {
	case "shoal":
		return start(t, who, shoal, "get", torrent, "--dir", dir, "--json", "--no-dht", "--no-lsd", "--state", state)
	case "libtorrent":
		return start(t, who, python, "-c", `
import sys, time, libtorrent as lt
s = lt.session({"enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False, "ssrf_mitigation": False})
h = s.add_torrent({"ti": lt.torrent_info(sys.argv[1]), "save_path": sys.argv[2]})
sys.stdin.read()`, torrent, dir)
	case "Transmission":
		at := newAddr()
		set := trSettings(at, netip.AddrPortFrom(at.Addr(), at.Port()+20000), dir)
		delete(set, "peer-port")
		text, err := json.Marshal(set)
		conf := t.TempDir()
		if err == nil {
			err = os.WriteFile(filepath.Join(conf, "settings.json"), text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
		c := &trField{transmissionPeer: &transmissionPeer{url: fmt.Sprintf("http://%v/transmission/rpc", netip.AddrPortFrom(at.Addr(), at.Port()+20000))}}
		c.process = start(t, who, "transmission-daemon", "--foreground", "--config-dir", conf)
		within(10*time.Second, func() bool { return c.call("session-get", nil, nil) == nil })
		c.call("torrent-add", map[string]any{"filename": torrent}, nil)
		return c.process
	}
	return start(t, who, "aria2c", "--no-conf=true", "--dir="+dir, "--disable-ipv6=true", "--enable-dht=false", "--bt-enable-lpd=false", "--show-console-readout=false", torrent)
}

// portOf is the port that a client announces when nobody has told it one.
func portOf(t *testing.T, who, state string) int {
	t.Helper()
	s := startSloppy(t, func(string) []byte { return ok(bencoded(dict{{"interval", 1800}, {"peers", ""}})) })
	m := blueprint{name: "tracked", size: 100_000, outer: dict{{"announce", fmt.Sprintf("http://%v/announce", s.at)}}}.build(t)
	p := asItComes(t, who, m.file, folderOf(t), state)
	within(15*time.Second, func() bool { return len(s.announces("")) > 0 })
	p.stop()
	port := 0
	if all := s.announces(""); len(all) > 0 {
		fmt.Sscan(all[0].Get("port"), &port)
	}
	return port
}

// private is a case of a tracker that answers each announce by a function; the client fetches
// a torrent from a seed meanwhile. look looks at what it was asked, for up to limit.
func private(answer func() []byte, limit time.Duration, look func(s *sloppy, r *process) string) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		s := startSloppy(t, func(string) []byte { return answer() })
		m := blueprint{name: "tracked", size: 100_000, outer: dict{{"announce", fmt.Sprintf("http://%v/announce?passkey=c0ffee", s.at)}}}.build(t)
		outcome := ""
		r := take(t, who, order{
			source: m.file, dir: folderOf(t), limit: limit, linger: true, more: []string{"--seed"},
			give:  func(at netip.AddrPort) { give(t, m, at, func(g *giver) { g.limit = 64 << 10 }) },
			until: func(p *process) bool { outcome = look(s, p); return outcome != "" },
			tr:    func(trState) bool { outcome = look(s, nil); return outcome != "" },
		})
		r.p.stop()
		if outcome == "" {
			return look(s, nil)
		}
		return outcome
	}
}

// well is the answer of a tracker that is content.
func well() []byte { return ok(bencoded(dict{{"interval", 1800}, {"peers", ""}})) }

func trialsG() []trial {
	onceIn := func(d time.Duration) func(s *sloppy, p *process) string {
		var first time.Time
		return func(s *sloppy, p *process) string {
			all := s.announces("")
			switch {
			case len(all) > 1:
				return "asks again"
			case len(all) == 1 && first.IsZero():
				first = time.Now()
			case !first.IsZero() && time.Since(first) > d:
				return "accepts"
			}
			return ""
		}
	}
	// soon is beside those: that a failure which names no time is followed by another request
	// within as long as they wait.
	soon := func(s *sloppy, p *process) string {
		if len(s.announces("")) > 1 {
			return "accepts"
		}
		return ""
	}
	return []trial{
		{name: "a tracker that refuses the ports 6881 to 6889", want: "accepts", why: "many do; the port is one of the private range", serial: true, run: func(t *testing.T, who string) string {
			switch port := portOf(t, who, t.TempDir()); {
			case port == 0:
				return "hangs"
			case port >= 6881 && port <= 6889:
				return "refuses"
			}
			return "accepts"
		}},
		{name: "the port of the next run", want: "accepts", why: "routers and trackers remember it", others: []string{}, serial: true, run: func(t *testing.T, who string) string {
			state := t.TempDir()
			if first := portOf(t, who, state); first == 0 || portOf(t, who, state) != first {
				return "refuses"
			}
			return "accepts"
		}},
		{name: "“port 6881 is blacklisted”", want: "tells", why: "what to do about it", others: []string{}, run: func(t *testing.T, who string) string {
			s := startSloppy(t, func(string) []byte { return failing("port 6881 is blacklisted") })
			m := blueprint{name: "tracked", size: 100_000, outer: dict{{"announce", fmt.Sprintf("http://%v/announce", s.at)}}}.build(t)
			p := start(t, who, shoal, "get", m.file, "--dir", folderOf(t), "--listen", "127.0.3.7:6881", "--no-dht", "--no-lsd", "--state", t.TempDir())
			if within(6*time.Second, func() bool {
				return strings.Contains(p.text(), "blacklisted") && (strings.Contains(p.text(), "--listen") || strings.Contains(p.text(), "another port"))
			}) {
				return "tells"
			}
			t.Log(p.tail())
			return "keeps quiet"
		}},
		{name: "a failure that names no time", want: "accepts", why: "it is asked again within 30 s, which the next three are not", run: func(t *testing.T, who string) string {
			outcome := private(func() []byte { return failing("come back later") }, 30*time.Second, soon)(t, who)
			if outcome == "" {
				return "waits"
			}
			return outcome
		}},
		{name: "a failure with an interval of an hour", want: "accepts", why: "it is heeded", run: func(t *testing.T, who string) string {
			return private(func() []byte { return failing("come back later", entry{"interval", 3600}) }, 45*time.Second, onceIn(30*time.Second))(t, who)
		}},
		{name: "a failure with `min interval` of an hour", want: "accepts", why: "the same", run: func(t *testing.T, who string) string {
			return private(func() []byte { return failing("come back later", entry{"min interval", 3600}) }, 45*time.Second, onceIn(30*time.Second))(t, who)
		}},
		{name: "a failure with `retry in` of 60 minutes", want: "accepts", why: "BEP 31", run: func(t *testing.T, who string) string {
			return private(func() []byte { return failing("come back later", entry{"retry in", "60"}) }, 45*time.Second, onceIn(30*time.Second))(t, who)
		}},
		{name: "`completed` is refused because of a minimum interval", want: "accepts", why: "it is sent again", run: func(t *testing.T, who string) string { return completedTwice(t, who, true) }},
		{name: "the same, and `get` ends when complete", want: "accepts", why: "the same, within a bound", others: []string{}, run: func(t *testing.T, who string) string { return completedTwice(t, who, false) }},
		{name: "a User-Agent of a fixed form", want: "accepts", why: "trackers have lists of clients", run: private(well, 10*time.Second, func(s *sloppy, _ *process) string {
			if all := s.asked(); len(all) > 0 {
				if _, agent := query(all[0]); regexp.MustCompile(`^[A-Za-z]+/[0-9]`).MatchString(agent) {
					return "accepts"
				}
				return "refuses"
			}
			return ""
		})},
		{name: "a peer id of the form of BEP 20", want: "accepts", why: "the same", run: private(well, 10*time.Second, func(s *sloppy, _ *process) string {
			if all := s.announces(""); len(all) > 0 {
				if regexp.MustCompile(`^-[A-Za-z0-9]{6}-|^A2-`).MatchString(all[0].Get("peer_id")) {
					return "accepts"
				}
				return "refuses"
			}
			return ""
		})},
		{name: "a passkey in the announce URL", want: "accepts", why: "every announce has it", run: private(well, 10*time.Second, func(s *sloppy, _ *process) string {
			all := s.announces("")
			if len(all) < 2 {
				return ""
			}
			if slices.ContainsFunc(all, func(q url.Values) bool { return q.Get("passkey") != "c0ffee" }) {
				return "refuses"
			}
			return "accepts"
		})},
		{name: "a `tracker id`", want: "accepts", why: "it is sent back", run: private(func() []byte { return ok(bencoded(dict{{"interval", 1800}, {"peers", ""}, {"tracker id", "t-7"}})) }, 10*time.Second, func(s *sloppy, _ *process) string {
			all := s.announces("")
			if len(all) < 2 {
				return ""
			}
			if all[1].Get("trackerid") == "t-7" {
				return "accepts"
			}
			return "refuses"
		})},
		{name: "`key`, the same in each announce", want: "accepts", why: "trackers know a peer by it whose address changed", run: private(well, 10*time.Second, func(s *sloppy, _ *process) string {
			all := s.announces("")
			if len(all) < 2 {
				return ""
			}
			if key := all[0].Get("key"); key != "" && all[1].Get("key") == key {
				return "accepts"
			}
			return "refuses"
		})},
	}
}

// completedTwice refuses the first completed, and sees whether another one comes.
func completedTwice(t *testing.T, who string, seed bool) string {
	refused := make(chan bool, 1)
	s := startSloppy(t, func(request string) []byte {
		if q, _ := query(request); q.Get("event") == "completed" {
			select {
			case refused <- true:
				return failing("minimum interval not reached", entry{"min interval", 3}, entry{"interval", 3})
			default:
			}
		}
		return ok(bencoded(dict{{"interval", 1800}, {"min interval", 3}, {"peers", ""}}))
	})
	m := blueprint{name: "tracked", size: 100_000, outer: dict{{"announce", fmt.Sprintf("http://%v/announce", s.at)}}}.build(t)
	var more []string
	if seed {
		more = []string{"--seed"}
	}
	o := order{
		source: m.file, dir: folderOf(t), limit: 30 * time.Second, more: more, linger: true,
		give:  func(at netip.AddrPort) { give(t, m, at, func(g *giver) { g.limit = 64 << 10 }) },
		until: func(*process) bool { return len(s.announces("completed")) > 1 },
		tr:    func(trState) bool { return len(s.announces("completed")) > 1 },
	}
	r := take(t, who, o)
	r.p.stop()
	switch {
	case len(s.announces("completed")) > 1:
		return "accepts"
	case len(s.announces("completed")) == 0:
		return "keeps quiet"
	}
	return "refuses"
}
