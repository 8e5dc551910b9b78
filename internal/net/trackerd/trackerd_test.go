package trackerd

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"shoal/internal/decide/peerstore"
	"shoal/internal/format/tracker"
	"shoal/internal/net/trackerclient"
	"shoal/internal/simnet"
	"shoal/internal/value/infohash"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	here4 = netip.MustParseAddr("9.9.9.1")
	here6 = netip.MustParseAddr("2001:db8::1")
)

// world is a network in memory with a tracker on it.
type world struct {
	t   *testing.T
	net *simnet.Net
	s   *Server
}

func play(t *testing.T, cfg peerstore.Config, body func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{Link: simnet.Link{Delay: 20 * time.Millisecond}})
		n.Name("tracker.example", here4, here6)
		s, err := New(Config{
			Network: n.Host(here4, here6), Peers: cfg,
			Listen: []netip.AddrPort{netip.AddrPortFrom(here4, 6969), netip.AddrPortFrom(here6, 6969)},
		})
		if err != nil {
			t.Fatal(err)
		}
		body(t, &world{t, n, s})
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		n.Close()
	})
}

// peer is a client on a machine of its own.
type peer struct {
	*trackerclient.Client
	addrs []netip.Addr
}

func (w *world) peer(addrs ...string) peer {
	var all []netip.Addr
	for _, a := range addrs {
		all = append(all, netip.MustParseAddr(a))
	}
	return peer{&trackerclient.Client{Network: w.net.Host(all[0], all[1:]...), Local: all}, all}
}

func (p peer) announce(t *testing.T, url string, params tracker.Params) tracker.Response {
	t.Helper()
	if params.Port == 0 {
		params.Port = 6881
	}
	r, err := p.Announce(context.Background(), url, params, nil)
	if err != nil {
		t.Errorf("%s: %v", url, err)
	}
	return r
}

func has(r tracker.Response, want ...string) bool {
	var got []string
	for _, p := range r.Peers {
		got = append(got, p.Addr.String())
	}
	if len(got) != len(want) {
		return false
	}
	for _, p := range want {
		if !strings.Contains(strings.Join(got, " "), p) {
			return false
		}
	}
	return true
}

// Peers meet by either protocol and over both families.
func TestPeersMeet(t *testing.T) {
	for _, scheme := range []string{"http", "udp"} {
		t.Run(scheme, func(t *testing.T) {
			play(t, peerstore.Config{}, func(t *testing.T, w *world) {
				url := scheme + "://tracker.example:6969/announce"
				h := infohash.Hash{7}
				both, four, six := w.peer("9.9.9.2", "2001:db8:2::1"), w.peer("9.9.9.3"), w.peer("2001:db8:4::1")
				for _, p := range []peer{both, four, six} {
					defer p.Close()
				}
				r := both.announce(t, url, tracker.Params{InfoHash: h, Event: tracker.Started, NumWant: 10})
				if r.Interval != peerstore.DefaultInterval || len(r.Peers) != 0 {
					t.Errorf("the first got %+v", r)
				}
				four.announce(t, url, tracker.Params{InfoHash: h, Event: tracker.Started, Left: 5, NumWant: 10})
				six.announce(t, url, tracker.Params{InfoHash: h, Event: tracker.Started, Left: 5, NumWant: 10})
				r = both.announce(t, url, tracker.Params{InfoHash: h, NumWant: 10})
				if !has(r, "9.9.9.3:6881", "[2001:db8:4::1]:6881") || r.Leechers != 2 || r.Seeders != 2 {
					t.Errorf("the one with both families got %+v", r)
				}
				if r = four.announce(t, url, tracker.Params{InfoHash: h, Left: 5, NumWant: 10}); !has(r, "9.9.9.2:6881") {
					t.Errorf("the one with IPv4 got %+v", r)
				}
				if scheme == "http" && r.ExternalIP != four.addrs[0] {
					t.Errorf("the address we are seen at: %v", r.ExternalIP)
				}
				counts, err := six.Scrape(context.Background(), url, []infohash.Hash{h, {9}})
				if err != nil || counts[h].Seeders != 2 || counts[h].Leechers != 2 {
					t.Errorf("%v, %v", counts, err)
				}
				both.announce(t, url, tracker.Params{InfoHash: h, Event: tracker.Stopped})
				if r = four.announce(t, url, tracker.Params{InfoHash: h, Left: 5, NumWant: 10}); len(r.Peers) != 0 || r.Seeders != 0 {
					t.Errorf("after the seed has stopped: %+v", r)
				}
				if st := w.s.Stats(); st.Peers != 2 || st.Torrents != 1 || st.Announces < 8 || st.Scrapes != 1 || st.Refused+st.Dropped != 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

func TestOnlySome(t *testing.T) {
	play(t, peerstore.Config{Only: []infohash.Hash{{1}}}, func(t *testing.T, w *world) {
		p := w.peer("9.9.9.2")
		defer p.Close()
		for _, scheme := range []string{"http", "udp"} {
			url := scheme + "://tracker.example:6969/announce"
			p.announce(t, url, tracker.Params{InfoHash: infohash.Hash{1}})
			_, err := p.Announce(context.Background(), url, tracker.Params{InfoHash: infohash.Hash{2}, Port: 1}, nil)
			var failure *tracker.FailureError
			if !errors.As(err, &failure) || failure.Reason != peerstore.ErrNotServed.Error() {
				t.Errorf("%s: %v", scheme, err)
			}
		}
	})
}

// Over UDP, who has not shown where it is gets no more than it sent, and leaves nothing
// behind; what is no packet gets nothing.
func TestForgedAddresses(t *testing.T) {
	play(t, peerstore.Config{}, func(t *testing.T, w *world) {
		conn, err := w.net.Host(netip.MustParseAddr("9.9.9.2")).ListenPacket(netip.MustParseAddrPort("9.9.9.2:7"))
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan []byte)
		go func() {
			defer close(got)
			for {
				b := make([]byte, 2000)
				n, _, err := conn.ReadFrom(b)
				if err != nil {
					return
				}
				got <- b[:n]
			}
		}()
		to := netip.AddrPortFrom(here4, 6969)
		p := tracker.Params{InfoHash: infohash.Hash{1}, Port: 6881, NumWant: -1}
		for name, c := range map[string]struct {
			packet   []byte
			answered bool
		}{
			"a connect":           {tracker.AppendUDPConnect(nil, 1), true},
			"an invented id":      {tracker.AppendUDPAnnounce(nil, 12345, 2, p, ""), true},
			"a scrape with one":   {tracker.AppendUDPScrape(nil, 12345, 3, []infohash.Hash{{1}}), true},
			"a short packet":      {tracker.AppendUDPConnect(nil, 1)[:15], false},
			"nothing":             {nil, false},
			"another's id":        {tracker.AppendUDPAnnounce(nil, w.s.key.ConnectionID(w.s.now(), netip.MustParseAddr("9.9.9.9")), 2, p, ""), true},
			"a packet of the DHT": {[]byte("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"), false},
		} {
			if err := conn.WriteTo(c.packet, to); err != nil {
				t.Fatal(err)
			}
			select {
			case b := <-got:
				if !c.answered || len(b) > len(c.packet) {
					t.Errorf("%s of %d bytes is answered with %d", name, len(c.packet), len(b))
				}
			case <-time.After(time.Second):
				if c.answered {
					t.Errorf("%s is not answered", name)
				}
			}
		}
		if st := w.s.Stats(); st.Peers != 0 || st.Torrents != 0 {
			t.Errorf("%+v", st)
		}
		conn.Close()
		<-got
	})
}

// One that asks all the time is left without answers for a while, the others are not.
func TestLimits(t *testing.T) {
	play(t, peerstore.Config{}, func(t *testing.T, w *world) {
		p, q := w.peer("9.9.9.2"), w.peer("9.9.9.3")
		defer p.Close()
		defer q.Close()
		for range peerstore.MaxAsked {
			w.s.limit.Allow(w.s.now(), p.addrs[0])
		}
		_, err := p.Announce(context.Background(), "http://tracker.example:6969/announce", tracker.Params{Port: 1}, nil)
		var status *trackerclient.StatusError
		if !errors.As(err, &status) || status.Code != 429 || status.RetryIn != peerstore.LimitEvery {
			t.Errorf("got %v", err)
		}
		q.announce(t, "http://tracker.example:6969/announce", tracker.Params{})
		time.Sleep(peerstore.LimitEvery)
		p.announce(t, "http://tracker.example:6969/announce", tracker.Params{})
	})
}

// An answer over UDP fits into one datagram; over HTTP there may be 200 peers.
func TestAnswersFit(t *testing.T) {
	play(t, peerstore.Config{}, func(t *testing.T, w *world) {
		for i := range 300 {
			for _, a := range []netip.Addr{netip.AddrFrom4([4]byte{11, 0, byte(i >> 8), byte(i)}), netip.AddrFrom16([16]byte{0: 0x20, 5: byte(i >> 8), 6: byte(i), 15: 1})} {
				if _, err := w.s.store.Announce(w.s.now(), a, tracker.Params{Port: 1, Left: 1}); err != nil {
					t.Fatal(err)
				}
			}
		}
		p, p6 := w.peer("9.9.9.2"), w.peer("2001:db8:2::1")
		defer p.Close()
		defer p6.Close()
		for _, c := range []struct {
			peer peer
			url  string
			want int
		}{
			{p, "http", peerstore.MaxWanted}, {p, "udp", maxPeers4}, {p6, "http", peerstore.MaxWanted}, {p6, "udp", maxPeers6},
		} {
			r := c.peer.announce(t, c.url+"://tracker.example:6969/announce", tracker.Params{NumWant: 5000, Left: 1})
			if n := len(r.Peers); n != c.want {
				t.Errorf("%s from %v: %d peers, want %d", c.url, c.peer.addrs, n, c.want)
			}
		}
	})
}

// Who connects and says nothing, or never ends, is sent away; other requests are told what
// is wrong with them.
func TestHTTPBounds(t *testing.T) {
	play(t, peerstore.Config{}, func(t *testing.T, w *world) {
		ask := func(text string, drip bool) string {
			conn, err := w.net.Host(netip.MustParseAddr("9.9.9.2")).Dial(t.Context(), netip.AddrPortFrom(here4, 6969))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, text)
			stop := make(chan struct{})
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for drip {
					select {
					case <-stop:
						return
					case <-time.After(time.Second):
						if _, err := io.WriteString(conn, "X-Y: z\r\n"); err != nil {
							return
						}
					}
				}
			}()
			b, _ := io.ReadAll(io.LimitReader(conn, 4096))
			close(stop)
			<-ended
			return string(b)
		}
		for request, want := range map[string]string{
			"GET /announce?info_hash=x HTTP/1.0\r\n\r\n":      "14:failure reason",
			"GET /scrape HTTP/1.0\r\n\r\n":                    "14:failure reason",
			"GET /announce?port=%zz HTTP/1.0\r\n\r\n":         "14:failure reason",
			"POST /announce HTTP/1.0\r\n\r\n":                 "405",
			"GET / HTTP/1.0\r\n\r\n":                          "404",
			"GET /announce/../../etc/passwd HTTP/1.0\r\n\r\n": "404",
			"nonsense\r\n\r\n":                                "400",
			"GET /announce HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 40_000) + "\r\n\r\n": "431",
		} {
			if got := ask(request, false); !strings.Contains(got, want) {
				t.Errorf("%.60q: %.200q, want %q", request, got, want)
			}
		}
		for name, text := range map[string]string{"silence": "", "a drip": "GET /announce HTTP/1.1\r\n"} {
			begun := time.Now()
			ask(text, name == "a drip")
			if d := time.Since(begun); d > 2*readTimeout {
				t.Errorf("%s had %v", name, d)
			}
		}
	})
}

func TestListenErrors(t *testing.T) {
	play(t, peerstore.Config{}, func(t *testing.T, w *world) {
		if _, err := New(Config{Network: w.net.Host(here4, here6), Listen: []netip.AddrPort{netip.AddrPortFrom(here6, 0), netip.AddrPortFrom(here4, 6969)}}); err == nil {
			t.Error("two trackers at one port")
		}
		if _, err := New(Config{Network: w.net.Host(here4)}); err == nil {
			t.Error("a tracker without an address")
		}
	})
}

// Connections that say nothing keep nobody from the tracker.
func TestSilentCrowd(t *testing.T) {
	play(t, peerstore.Config{}, func(t *testing.T, w *world) {
		crowd := w.net.Host(netip.MustParseAddr("9.9.9.7"))
		for range maxConns + 100 {
			c, err := crowd.Dial(t.Context(), netip.AddrPortFrom(here4, 6969))
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
		}
		began := time.Now()
		w.peer("9.9.9.7").announce(t, "http://tracker.example:6969/announce", tracker.Params{})
		if took := time.Since(began); took > time.Second { // in the network's time
			t.Errorf("answered after %v", took)
		}
	})
}
