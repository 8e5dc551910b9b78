package trackerclient

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/format/tracker"
	"shoal/internal/net/netio"
)

// udpTracker is a tracker at one address. What its hooks leave nil goes as it should.
type udpTracker struct {
	w    *world
	conn netio.PacketConn
	ids  map[uint64]bool // the connection ids it gave
	last uint64

	asked []string                                      // kind and arrival of each packet, in order
	req   tracker.UDPRequest                            // the last announce or scrape
	lose  func(n int) bool                              // whether the nth packet, from 0, never came
	twist func(b []byte, to netip.AddrPort) (sent bool) // sends something else

	peers []netip.AddrPort
}

// udp starts a UDP tracker.
func (w *world) udp(addr netip.AddrPort) *udpTracker {
	w.t.Helper()
	conn, err := w.net.Host(addr.Addr()).ListenPacket(addr)
	if err != nil {
		w.t.Fatal(err)
	}
	u := &udpTracker{w: w, conn: conn, ids: map[uint64]bool{}, last: 100}
	start := time.Now()
	w.wg.Go(func() {
		b := make([]byte, 2048)
		for n := 0; ; n++ {
			size, from, err := conn.ReadFrom(b)
			if err != nil {
				return
			}
			r, err := tracker.ParseUDPRequest(b[:size])
			if err != nil {
				w.t.Errorf("a packet that is none: %x", b[:size])
				continue
			}
			u.asked = append(u.asked, []string{"connect", "announce", "scrape"}[r.Action]+" "+time.Since(start).Truncate(time.Second).String())
			if u.lose != nil && u.lose(n) {
				continue
			}
			answer := u.answer(r)
			if u.twist == nil || !u.twist(answer, from) {
				conn.WriteTo(answer, from)
			}
		}
	})
	return u
}

func (u *udpTracker) answer(r tracker.UDPRequest) []byte {
	if r.Action == tracker.ActionConnect {
		u.last++
		u.ids[u.last] = true
		return tracker.AppendUDPConnected(nil, r.TID, u.last)
	}
	if u.req = r; !u.ids[r.Conn] {
		return tracker.AppendUDPError(nil, r.TID, "Connection ID missmatch.\x00")
	}
	if r.Action == tracker.ActionScrape {
		return tracker.AppendUDPScraped(nil, r.TID, make([]tracker.Counts, len(r.Hashes)))
	}
	return tracker.AppendUDPAnnounced(nil, r.TID, 20*time.Minute, tracker.Counts{Seeders: 3, Leechers: 4}, u.peers)
}

func (u *udpTracker) check(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if !slices.Equal(u.asked, want) {
		t.Errorf("the tracker saw %q, want %q", u.asked, want)
	}
}

var (
	at4   = netip.AddrPortFrom(public, 6969)
	at6   = netip.AddrPortFrom(public6, 6969)
	peer4 = netip.MustParseAddrPort("9.9.9.9:6881")
	peer6 = netip.MustParseAddrPort("[2001:db8::9]:6881")
)

func TestUDPAnnounce(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		u := w.udp(at4)
		u.peers = []netip.AddrPort{peer4}
		r, err := w.announce("udp://tracker.example:6969/announce?passkey=a%20b")
		if err != nil || r.Interval != 20*time.Minute || r.Seeders != 3 || r.Leechers != 4 || len(r.Peers) != 1 || r.Peers[0].Addr != peer4 {
			t.Errorf("%+v, %v", r, err)
		}
		if p := u.req.Params; p.Event != tracker.Started || p.Port != 6881 || p.NumWant != 50 || u.req.URLData != "/announce?passkey=a%20b" {
			t.Errorf("it was told %+v", u.req)
		}
		// The connection id serves for a minute, and then no longer.
		w.announce("udp://tracker.example:6969")
		time.Sleep(70 * time.Second)
		w.announce("udp://tracker.example:6969/")
		if u.req.URLData != "" {
			t.Errorf("URL data %q", u.req.URLData)
		}
		u.check(t, "connect 0s", "announce 0s", "announce 0s", "connect 1m10s", "announce 1m10s")
	})
}

// A packet that is lost is sent again, long before the 15 s of BEP 15; a tracker that
// says nothing is given up after them.
func TestUDPLoss(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		u := w.udp(at4)
		u.lose = func(n int) bool { return n < 2 || n == 3 }
		if _, err := w.announce("udp://tracker.example:6969"); err != nil {
			t.Error(err)
		}
		u.check(t, "connect 0s", "connect 3s", "connect 9s", "announce 9s", "announce 12s")

		u.asked = nil
		u.lose = func(int) bool { return true }
		begun := time.Now()
		_, err := w.announce("udp://tracker.example:6969")
		if !errors.Is(err, ErrSilent) || time.Since(begun).Truncate(time.Second) != 18*time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
		// First with the id it had given, then as if the tracker were new.
		u.check(t, "announce 12s", "connect 15s", "connect 18s", "connect 24s")
	})
}

// The next address of a name is tried when one is silent.
func TestUDPNextAddress(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.net.Host(public2) // there, and deaf
		w.net.Name("two.example", public2, public)
		w.udp(at4)
		if _, err := w.announce("udp://two.example:6969"); err != nil {
			t.Error(err)
		}
	})
}

// A tracker that was started anew does not know the connection ids it gave: it may say
// so, or say nothing.
func TestUDPStaleConnection(t *testing.T) {
	for _, silent := range []bool{false, true} {
		play(t, func(t *testing.T, w *world) {
			u := w.udp(at4)
			w.announce("udp://tracker.example:6969")
			clear(u.ids)
			if silent {
				u.lose = func(n int) bool { return n == 2 }
			}
			if _, err := w.announce("udp://tracker.example:6969"); err != nil {
				t.Error(err)
			}
			if silent {
				u.check(t, "connect 0s", "announce 0s", "announce 0s", "connect 3s", "announce 3s")
			} else {
				u.check(t, "connect 0s", "announce 0s", "announce 0s", "connect 0s", "announce 0s")
			}
		})
	}
}

// A tracker that never takes the id it has just given is not asked for ever.
func TestUDPNeverConnected(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		u := w.udp(at4)
		for range 2 {
			clear(u.ids)
			u.twist = func([]byte, netip.AddrPort) bool { clear(u.ids); return false }
			var failure *tracker.FailureError
			if _, err := w.announce("udp://tracker.example:6969"); !errors.As(err, &failure) {
				t.Errorf("got %v", err)
			}
		}
		u.check(t, "connect 0s", "announce 0s", "connect 0s", "announce 0s")
	})
}

// What is too short, has another transaction id, another kind, or comes from somebody
// else, is passed over.
func TestUDPStrangers(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		u := w.udp(at4)
		stranger, err := w.net.Host(public2).ListenPacket(netip.AddrPortFrom(public2, 6969))
		if err != nil {
			t.Fatal(err)
		}
		defer stranger.Close()
		u.peers = []netip.AddrPort{peer4}
		u.twist = func(b []byte, to netip.AddrPort) bool {
			u.conn.WriteTo(b[:7], to)
			u.conn.WriteTo(b[:len(b)-len(b)/2], to)
			other := slices.Clone(b)
			other[4]++
			u.conn.WriteTo(other, to)
			kind := slices.Clone(b)
			kind[3] = byte(tracker.ActionScrape)
			u.conn.WriteTo(kind, to)
			kind[3] = 77
			u.conn.WriteTo(kind, to)
			stranger.WriteTo(tracker.AppendUDPAnnounced(b[:0:0], 0, time.Hour, tracker.Counts{}, nil), to)
			forged := slices.Clone(b)
			forged[len(forged)-1]++
			stranger.WriteTo(forged, to)
			time.Sleep(time.Second)
			u.conn.WriteTo(b, to)
			return true
		}
		r, err := w.announce("udp://tracker.example:6969")
		if err != nil || len(r.Peers) != 1 || r.Peers[0].Addr != peer4 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// A tracker with both families is told over both, and gives the peers of both (BEP 7).
func TestBothFamilies(t *testing.T) {
	for name, c := range map[string]struct {
		local      []netip.Addr
		udp4, udp6 bool // which answer
		want       []netip.AddrPort
		took       time.Duration
	}{
		"both":              {nil, true, true, []netip.AddrPort{peer4, peer6}, 0},
		"IPv4 is all we do": {[]netip.Addr{netip.IPv4Unspecified()}, true, true, []netip.AddrPort{peer4}, 0},
		"one address":       {[]netip.Addr{ours6}, true, true, []netip.AddrPort{peer6}, 0},
		"IPv6 is silent":    {nil, true, false, []netip.AddrPort{peer4}, grace},
		"IPv4 is silent":    {nil, false, true, []netip.AddrPort{peer6}, grace},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				w.net.Name("dual.example", public, public6)
				w.client.Local = c.local
				w.net.Host(public, public6)
				u4, u6 := w.udp(at4), w.udp(at6)
				u4.peers, u6.peers = []netip.AddrPort{peer4}, []netip.AddrPort{peer6}
				u4.lose, u6.lose = func(int) bool { return !c.udp4 }, func(int) bool { return !c.udp6 }
				begun := time.Now()
				var heard []netip.AddrPort
				r, err := w.client.Announce(context.Background(), "udp://dual.example:6969", tracker.Params{}, func(a tracker.Response) {
					if time.Since(begun) > time.Second {
						t.Errorf("%v was heard after %v", a.From, time.Since(begun))
					}
					for _, p := range a.Peers {
						heard = append(heard, p.Addr)
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				var got []netip.AddrPort
				for _, p := range r.Peers {
					got = append(got, p.Addr)
				}
				for _, l := range [][]netip.AddrPort{got, heard} {
					slices.SortFunc(l, netip.AddrPort.Compare)
					if !slices.Equal(l, c.want) {
						t.Errorf("peers %v, want %v", l, c.want)
					}
				}
				if d := time.Since(begun).Truncate(time.Second); d != c.took {
					t.Errorf("it took %v, want %v", d, c.took)
				}
			})
		})
	}
}

// Over HTTP too; a redirect stays with the family that it was given to.
func TestBothFamiliesOverHTTP(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.net.Name("dual.example", public, public6)
		w.net.Host(public, public6)
		w.serve(public, 80, ok("d8:intervali60e10:tracker id1:x5:peers6:\x09\x09\x09\x09\x1a\xe1e"))
		w.serve(public6, 80, redirect("/other"))
		r, err := w.announce("http://dual.example/announce")
		if err != nil || len(r.Peers) != 1 || r.Interval != time.Minute || r.TrackerID != "x" {
			t.Errorf("%+v, %v", r, err)
		}
		w.serve(public2, 80, redirect("http://[2001:db8::2]/"))
		if _, err := w.announce("http://other.example/announce"); !errors.Is(err, ErrFamily) {
			t.Errorf("sent to the other family: %v", err)
		}
	})
}

// When all ways fail, what a tracker said counts for more than silence.
func TestBothFamiliesFail(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.net.Name("dual.example", public, public6)
		w.net.Host(public, public6)
		w.serve(public6, 80, ok("d14:failure reason2:no8:retry ini7ee"))
		w.serve(public, 80, func(net.Conn, *http.Request) {})
		_, err := w.announce("http://dual.example/announce")
		if RetryIn(err) != 7*time.Minute {
			t.Errorf("got %v", err)
		}
		w.client.Local = []netip.Addr{ours}
		w.net.Name("six.example", public6)
		if _, err := w.announce("http://six.example/announce"); !errors.Is(err, ErrFamily) || !strings.Contains(err.Error(), "six.example") {
			t.Errorf("a tracker of the other family: %v", err)
		}
	})
}

// A UDP tracker on the local network is asked, unless its URL leads elsewhere than to a
// tracker.
func TestUDPLocal(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.udp(netip.AddrPortFrom(private, 6969))
		w.client.Local = []netip.Addr{netip.MustParseAddr("192.168.1.1")}
		for url, allowed := range map[string]bool{
			"udp://lan.example:6969": true, "udp://lan.example:6969/announce?x": true, "udp://lan.example:6969/admin": false,
		} {
			if _, err := w.announce(url); allowed != (err == nil) || !allowed && !errors.Is(err, ErrForbidden) {
				t.Errorf("%s: %v", url, err)
			}
		}
	})
}

// Close ends what is under way, and nothing can be asked after.
func TestUDPClose(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		time.AfterFunc(time.Second, func() { w.client.Close() })
		for range 2 {
			if _, err := w.announce("udp://tracker.example:6969"); !errors.Is(err, net.ErrClosed) {
				t.Errorf("got %v", err)
			}
		}
	})
}

// Connection ids are bounded.
func TestUDPConnectionsAreBounded(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		s := &udpSocket{ids: map[netip.AddrPort]connection{}}
		for i := range 3 * maxConnections {
			s.connected(netip.AddrPortFrom(public, uint16(i+1)), 1)
			if len(s.ids) > maxConnections {
				t.Fatalf("%d are kept", len(s.ids))
			}
		}
	})
}
