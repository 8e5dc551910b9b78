package trackerclient

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/format/tracker"
	"shoal/internal/net/netio"
	"shoal/internal/testkit"
	"shoal/internal/value/infohash"
)

// A sloppyUDP is one vector of testdata/sloppy-udp.json, which says what the fields mean.
type sloppyUDP struct {
	Name              string
	V6                bool
	Connect, Announce []string
	Failure, Error    string
	Note              string
	Peers             int
	Interval          *int64
	Seeders, Leechers *int64
}

func sloppyUDPs(t testing.TB) []sloppyUDP {
	var file struct{ Vectors []sloppyUDP }
	testkit.Vectors(t, "sloppy-udp.json", &file)
	return file.Vectors
}

// packetOf returns the bytes that an answer stands for.
func packetOf(t testing.TB, text string, tid [4]byte) []byte {
	turned := tid
	slices.Reverse(turned[:])
	text = strings.NewReplacer("TID", hex.EncodeToString(tid[:]), "DIT", hex.EncodeToString(turned[:]), " ", "").Replace(text)
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return b
}

// The wrapping of an answer may be odd; its transaction id and the address it comes from may
// not. The same table is given to other clients.
func TestSloppyUDPTrackers(t *testing.T) {
	for _, v := range sloppyUDPs(t) {
		t.Run(v.Name, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				at, others := at4, []netip.AddrPort{netip.AddrPortFrom(public, 7000), netip.AddrPortFrom(public2, 6969)}
				if w.client.Local = []netip.Addr{netip.IPv4Unspecified()}; v.V6 {
					w.client.Local = []netip.Addr{netip.IPv6Unspecified()}
					at, others = at6, []netip.AddrPort{netip.AddrPortFrom(public6, 7000)}
				}
				u := w.udp(at)
				u.peers = []netip.AddrPort{netip.MustParseAddrPort("1.2.3.4:6881")}
				var doors []netio.PacketConn
				for _, a := range others {
					c, err := w.net.Host(a.Addr()).ListenPacket(a)
					if err != nil {
						t.Fatal(err)
					}
					defer c.Close()
					doors = append(doors, c)
				}
				u.ids[0x65] = true
				seen := 0
				u.twist = func(b []byte, to netip.AddrPort) bool {
					answers := v.Announce
					if tracker.Action(b[3]) == tracker.ActionConnect {
						answers = v.Connect
					} else if seen++; len(answers) > 0 && strings.HasPrefix(answers[0], "once: ") && seen > 1 {
						answers = nil
					}
					if len(answers) == 0 {
						return false
					}
					tid := [4]byte(b[4:8])
					for _, text := range answers {
						from, wait := u.conn, 0
						how, rest, ok := strings.Cut(text, ": ")
						switch {
						case text == "none":
							continue
						case !ok:
							rest = text
						case how == "port":
							from = doors[0]
						case how == "host":
							from = doors[1]
						case how != "once":
							if _, err := fmt.Sscanf(how, "after %d", &wait); err != nil {
								t.Fatal(err)
							}
						}
						p := packetOf(t, rest, tid)
						if wait == 0 { // in their order
							from.WriteTo(p, to)
							continue
						}
						w.wg.Go(func() {
							time.Sleep(time.Duration(wait) * time.Second)
							from.WriteTo(p, to)
						})
					}
					return true
				}
				host := netip.AddrPortFrom(at.Addr(), 6969).String()
				r, err := w.announce("udp://" + host + "/announce")
				var failure *tracker.FailureError
				switch {
				case v.Failure != "":
					if !errors.As(err, &failure) || failure.Reason != v.Failure {
						t.Errorf("%v, want failure %q", err, v.Failure)
					}
				case v.Error != "":
					if err == nil || !strings.Contains(err.Error(), v.Error) {
						t.Errorf("%+v, %v, want %q", r, err, v.Error)
					}
				case err != nil || len(r.Peers) != v.Peers || !strings.Contains(r.Note, v.Note) || v.Note == "" && r.Note != "":
					t.Errorf("%d peers, note %q, %v; want %d, %q", len(r.Peers), r.Note, err, v.Peers, v.Note)
				case v.Interval != nil && r.Interval != time.Duration(*v.Interval)*time.Second && *v.Interval != 1800:
					t.Errorf("interval %v", r.Interval)
				case v.Seeders != nil && r.Seeders != *v.Seeders, v.Leechers != nil && r.Leechers != *v.Leechers:
					t.Errorf("%d seeds and %d leechers", r.Seeders, r.Leechers)
				}
				synctest.Wait()
				if s := w.client.sockets[v.V6]; s != nil && len(s.waiting) > 0 {
					t.Errorf("%d answers are still awaited", len(s.waiting))
				}
				time.Sleep(time.Minute) // for what is late
			})
		})
	}
}

// A tracker that restarted may call an unknown connection id what it likes: a new one is asked
// for, once.
func TestUDPStaleWords(t *testing.T) {
	for text, again := range map[string]bool{
		"Connection ID missmatch.\x00": true, "bad connection ID": true, "Invalid connection_id": true, "connid unknown": true,
		"cookie value is expired: 12": true, "": true, "\x00": true, "Connection-ID expired": true,
		"unregistered torrent": false, "too many connections": false, "passkey unknown": false,
	} {
		play(t, func(t *testing.T, w *world) {
			u := w.udp(at4)
			w.announce("udp://tracker.example:6969")
			u.asked = nil
			n := 0
			u.twist = func(b []byte, to netip.AddrPort) bool {
				if tracker.Action(b[3]) != tracker.ActionConnect {
					n++
					u.conn.WriteTo(tracker.AppendUDPError(nil, uint32(b[4])<<24|uint32(b[5])<<16|uint32(b[6])<<8|uint32(b[7]), text), to)
					return true
				}
				return false
			}
			var failure *tracker.FailureError
			if _, err := w.announce("udp://tracker.example:6969"); !errors.As(err, &failure) {
				t.Errorf("%q: %v", text, err)
			}
			want := []string{"announce 0s"}
			if again {
				want = []string{"announce 0s", "connect 0s", "announce 0s"}
			}
			u.check(t, want...)
		})
	}
}

// An answer to the announce that went out with the kept connection id counts while a new id is
// asked for, and after; its error does not, since the new id may fare better.
func TestUDPLateAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		answer  string // to the first announce of the second call
		connect bool   // the connect is answered
		peers   int
	}{
		"while the connect is under way": {"00000001 TID 00000708 00000001 00000001 01020304 1ae1 01020305 1ae1", false, 2},
		"an error is passed over":        {"00000003 TID 436f6e6e656374696f6e204944", true, 1},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				u := w.udp(at4)
				u.peers = []netip.AddrPort{netip.MustParseAddrPort("1.2.3.4:6881")}
				w.announce("udp://tracker.example:6969")
				n := 0
				u.twist = func(b []byte, to netip.AddrPort) bool {
					if n++; n > 1 {
						return tracker.Action(b[3]) == tracker.ActionConnect && !c.connect
					}
					p := packetOf(t, c.answer, [4]byte(b[4:8]))
					w.wg.Go(func() {
						time.Sleep(4 * time.Second)
						u.conn.WriteTo(p, to)
					})
					return true
				}
				begun := time.Now()
				r, err := w.announce("udp://tracker.example:6969")
				if err != nil || len(r.Peers) != c.peers || time.Since(begun) > 5*time.Second {
					t.Errorf("%+v, %v after %v", r, err, time.Since(begun))
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// Silent addresses of a name do not use up the time of the announce: the next is asked beside
// them, and an address that is only slow still counts.
func TestUDPSilentAddresses(t *testing.T) {
	third := netip.MustParseAddr("198.51.100.77")
	for name, c := range map[string]struct {
		addrs []netip.Addr // public answers
		slow  time.Duration
		want  time.Duration
	}{
		"the fourth answers":        {[]netip.Addr{public2, third, netip.MustParseAddr("198.51.100.78"), public}, 0, 15 * time.Second},
		"the first is slow":         {[]netip.Addr{public, public2}, 5 * time.Second, 10 * time.Second},
		"the first answers at once": {[]netip.Addr{public, public2, third}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				for _, a := range c.addrs {
					w.net.Host(a)
				}
				w.net.Name("many.example", c.addrs...)
				u := w.udp(at4)
				u.twist = func(b []byte, to netip.AddrPort) bool {
					b = slices.Clone(b)
					w.wg.Go(func() {
						time.Sleep(c.slow)
						u.conn.WriteTo(b, to)
					})
					return true
				}
				begun := time.Now()
				r, err := w.announce("udp://many.example:6969")
				if took := time.Since(begun).Truncate(time.Second); err != nil || took != c.want || r.From != public {
					t.Errorf("%v, from %v after %v", err, r.From, took)
				}
				time.Sleep(time.Minute)
			})
		})
	}
}

// A scrape of fewer entries than were asked for brings those that are there.
func TestUDPShortScrape(t *testing.T) {
	for entries, want := range map[int]int{0: 0, 1: 1, 2: 2, 3: 2} {
		play(t, func(t *testing.T, w *world) {
			u := w.udp(at4)
			u.twist = func(b []byte, to netip.AddrPort) bool {
				if tracker.Action(b[3]) != tracker.ActionScrape {
					return false
				}
				u.conn.WriteTo(append(append(slices.Clone(b[:8]), make([]byte, 12*entries)...), 1, 2, 3), to)
				return true
			}
			got, err := w.client.Scrape(t.Context(), "udp://tracker.example:6969/announce", []infohash.Hash{{1}, {2}})
			if err != nil || len(got) != want {
				t.Errorf("%d entries: %v, %v", entries, got, err)
			}
		})
	}
}

// Whatever comes to the socket, an exchange gets one answer to each of its ids, and only from
// the address it asked.
func FuzzUDPDeliver(f *testing.F) {
	tid := [4]byte{1, 2, 3, 4}
	for _, v := range sloppyUDPs(f) {
		for _, text := range append(v.Connect, v.Announce...) {
			if _, rest, ok := strings.Cut(text, ": "); ok {
				text = rest
			}
			if text != "none" {
				f.Add(packetOf(f, text, tid), false)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, stranger bool) {
		w := &waiter{from: at4, reply: make(chan tracker.UDPReply, maxIDs)}
		s := &udpSocket{waiting: map[uint32]awaited{0x01020304: {w, tracker.ActionAnnounce}}}
		from := at4
		if stranger {
			from = netip.AddrPortFrom(public2, 6969)
		}
		for range 5 {
			s.deliver(b, from)
		}
		if n := len(w.reply); n > 1 || n == 1 && (stranger || len(s.waiting) > 0) {
			t.Fatalf("%d answers of a packet %x", n, b)
		}
		if len(w.reply) == 1 {
			r := <-w.reply
			if r.TID != 0x01020304 || r.Action != tracker.ActionAnnounce && r.Action != tracker.ActionError {
				t.Fatalf("%+v", r)
			}
		}
		if len(w.odd) > 100 {
			t.Fatalf("a note of %d bytes", len(w.odd))
		}
	})
}
