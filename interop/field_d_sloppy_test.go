//go:build interop

package interop

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The tables of internal/net/trackerclient are given to the other clients as they are. All their
// answers name one peer, so that it listens at that address, and tells who comes by where the
// client comes from: each has an address of its own.
var sloppyPeer = netip.MustParseAddrPort("1.2.3.4:6881")

// A porch is the door at sloppyPeer, for all cases at once. It stays open as long as the tests
// run.
type porch struct {
	once sync.Once
	err  error

	mu   sync.Mutex
	came map[netip.Addr]bool
}

var atSloppyPeer porch

func (d *porch) open(t *testing.T) {
	t.Helper()
	d.once.Do(func() {
		d.came = make(map[netip.Addr]bool)
		if text, err := exec.Command("ip", "addr", "add", sloppyPeer.Addr().String()+"/32", "dev", "lo").CombinedOutput(); err != nil {
			d.err = fmt.Errorf("%s: %w", text, err)
			return
		}
		var l net.Listener
		if l, d.err = net.Listen("tcp", sloppyPeer.String()); d.err != nil {
			return
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
				d.mu.Lock()
				d.came[from] = true
				d.mu.Unlock()
				c.Close()
			}
		}()
	})
	if d.err != nil {
		t.Fatal(d.err)
	}
}

func (d *porch) rang(from netip.Addr) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.came[from]
}

// A sloppyVector is one answer of a table: its file says what the fields mean.
type sloppyVector struct {
	Name, Wire        string
	V6, Open          bool
	Connect, Announce []string
	Failure, Error    string
	Peers             int
}

func sloppyVectors(file string) []sloppyVector {
	var table struct{ Vectors []sloppyVector }
	text, err := os.ReadFile("../internal/net/trackerclient/testdata/" + file)
	if err == nil {
		err = json.Unmarshal(text, &table)
	}
	if err != nil {
		panic(err)
	}
	return table.Vectors
}

// outcome is what shoal does with a vector, and why.
func (v sloppyVector) outcome(what string) (want, why string) {
	switch {
	case v.Failure != "":
		return "tells", "the tracker's words, whatever is around them"
	case v.Error != "":
		return "refuses", "there is no answer in it"
	}
	return "accepts", what
}

// given gives a client a torrent with this tracker, and says what comes of it.
func (v sloppyVector) given(t *testing.T, who, url string, limit time.Duration) string {
	t.Helper()
	atSloppyPeer.open(t)
	m := blueprint{name: "tracked", size: 100_000, outer: dict{{"announce", url}}}.build(t)
	words, _, _ := strings.Cut(v.Failure, " ")
	var own netip.AddrPort
	succeeded, told := false, false
	o := order{
		source: m.file, dir: folderOf(t), limit: limit, udp: strings.HasPrefix(url, "udp:"),
		give: func(at netip.AddrPort) { own = at },
		until: func(p *process) bool {
			e, _ := p.find(0, func(e event) bool { return e.is("tracker") && e["state"] == "failing" })
			told = words != "" && strings.Contains(p.text(), words)
			// From a loopback address these two go nowhere but to loopback.
			known, _ := p.find(0, func(e event) bool {
				return who == "shoal" && e.is("progress") && e.number("known_peers") > 0 || who == "libtorrent" && e.is("replied") && e.number("peers") > 0
			})
			succeeded = known != nil
			return atSloppyPeer.rang(own.Addr()) || told || succeeded || e != nil && who == "shoal"
		},
		tr: func(s trState) bool {
			if len(s.Trackers) == 0 || !s.Trackers[0].Announced {
				return false
			}
			succeeded = s.Trackers[0].Succeeded && s.Trackers[0].Peers > 0
			told = words != "" && strings.Contains(s.Trackers[0].Result+s.ErrorText, words)
			return true
		},
	}
	r := take(t, who, o)
	switch {
	case r.crashed:
		return "crashes"
	case atSloppyPeer.rang(own.Addr()), succeeded:
		return "accepts"
	case told:
		return "tells"
	case words != "":
		return "keeps quiet"
	}
	return "refuses"
}

// known are the vectors that are cases of the page under another name, and those without the
// one peer.
var known = []string{
	"a sound reply", "no length, kept open", "length too long, closed", "length too short, closed", "length not a number", "chunked",
	"HTTP/1.0", "no status line (HTTP/0.9)", "no reason", "no version", "line feeds alone", "a header without a colon", "a blank before the colon",
	"a notice before", "gzip", "x-gzip", "gzip said and not done", "gzip done and not said", "deflate as zlib", "deflate raw",
	"chunked said and not done", "404 with an answer", "500 with an answer", "a page", "half an answer", "a byte order mark before",
	"a page behind", "a script's warning before", "keys out of order", "a key twice", "interval with leading zeros", "interval as text",
	"interval negative", "interval beyond 64 bits", "no interval", "a damaged list", "dictionaries", "a port as text",
	"no peers", "peers6 alone",
}

func trialsSloppy() []trial {
	var all []trial
	for _, v := range sloppyVectors("sloppy.json") {
		if slices.Contains(known, v.Name) {
			continue
		}
		want, why := v.outcome("a complete dictionary counts")
		wire := make([]byte, 0, len(v.Wire))
		for _, r := range v.Wire {
			wire = append(wire, byte(r))
		}
		if v.Open {
			wire = append(wire, keepOpen...)
		}
		all = append(all, trial{name: "tracker: " + v.Name, want: want, why: why, run: func(t *testing.T, who string) string {
			s := startSloppy(t, func(string) []byte { return wire })
			return v.given(t, who, fmt.Sprintf("http://%v/announce", s.at), 6*time.Second)
		}})
	}
	return all
}

func trialsSloppyUDP() []trial {
	var all []trial
	for _, v := range sloppyVectors("sloppy-udp.json") {
		if v.V6 || v.Peers == 0 && v.Failure == "" && v.Error == "" {
			continue // clients of the page are at addresses of IPv4, and go to a peer
		}
		want, why := v.outcome("the transaction id and the address are right")
		switch {
		case strings.Contains(v.Error, "another address"):
			why = "strangers can send from everywhere but the address that was asked"
		case strings.Contains(v.Name, "transaction id"):
			why = "a stranger does not know the right one"
		case strings.Contains(v.Error, "no answer"):
			why = "it answers nothing that was asked; the error says what came"
		}
		all = append(all, trial{name: "UDP tracker: " + v.Name, want: want, why: why, run: func(t *testing.T, who string) string {
			return v.given(t, who, fmt.Sprintf("udp://%v/announce", startSloppyUDP(t, v)), 20*time.Second)
		}})
	}
	return all
}

// startSloppyUDP answers as a vector says.
func startSloppyUDP(t *testing.T, v sloppyVector) netip.AddrPort {
	t.Helper()
	at := newAddr()
	var all sync.WaitGroup
	stop := make(chan struct{})
	var doors []net.PacketConn // the tracker, another port, another address
	for _, a := range []netip.AddrPort{at, netip.AddrPortFrom(at.Addr(), at.Port()+20000), netip.AddrPortFrom(newAddr().Addr(), at.Port())} {
		c, err := net.ListenPacket("udp", a.String())
		if err != nil {
			t.Fatal(err)
		}
		doors = append(doors, c)
	}
	all.Go(func() {
		b := make([]byte, 2048)
		for seen := 0; ; {
			n, to, err := doors[0].ReadFrom(b)
			if err != nil {
				return
			}
			if n < 16 {
				continue
			}
			answers, sound := v.Connect, "00000000 TID 0000000000000065"
			if b[11] == 1 {
				seen++
				answers, sound = v.Announce, "00000001 TID 00000708 00000001 00000001 01020304 1ae1"
			}
			if len(answers) == 0 || seen > 1 && strings.HasPrefix(answers[0], "once: ") {
				answers = []string{sound}
			}
			tid := [4]byte(b[12:16])
			for _, text := range answers {
				from, wait := doors[0], time.Duration(0)
				how, rest, ok := strings.Cut(text, ": ")
				switch {
				case text == "none":
					continue
				case !ok:
					rest = text
				case how == "port":
					from = doors[1]
				case how == "host":
					from = doors[2]
				case strings.HasPrefix(how, "after "):
					wait, _ = time.ParseDuration(how[len("after "):] + "s")
				}
				p := packetOf(rest, tid)
				if wait == 0 { // in their order
					from.WriteTo(p, to)
					continue
				}
				all.Go(func() {
					select {
					case <-time.After(wait):
						from.WriteTo(p, to)
					case <-stop:
					}
				})
			}
		}
	})
	t.Cleanup(func() {
		close(stop)
		for _, c := range doors {
			c.Close()
		}
		all.Wait()
	})
	return at
}

// packetOf returns the bytes that an answer of the table stands for.
func packetOf(text string, tid [4]byte) []byte {
	turned := tid
	slices.Reverse(turned[:])
	b, err := hex.DecodeString(strings.NewReplacer("TID", hex.EncodeToString(tid[:]), "DIT", hex.EncodeToString(turned[:]), " ", "").Replace(text))
	if err != nil {
		panic(err)
	}
	return b
}
