package engine

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/net/peerconn"
	"shoal/internal/simnet"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// A siege is an engine with two torrents: one is attacked, by peers or by its tracker; the
// other one is fetched meanwhile from an honest seed, over a slow road.
type siege struct {
	*world
	c      payload // of the torrent that is attacked
	log    tally
	victim *Engine
	here   *Torrent // the attacked one
	stop   chan struct{}
	wg     sync.WaitGroup
}

// A tally counts what a trace tells, and keeps none of it.
type tally struct {
	mu sync.Mutex
	n  map[[2]string]int
}

func (c *tally) add(r trace.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[[2]string{r.What, r.Why.String()}]++
	c.n[[2]string{r.What}]++
}

func (c *tally) count(what, why string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[[2]string{what, why}]
}

// peers has n strangers connect, each again as soon as it was thrown out, until the siege is
// over. Each does what attack says with a connection whose handshakes are done.
func (s *siege) peers(n int, attack func(p *remote)) {
	for i := range n {
		s.wg.Go(func() {
			host := byte(20 + i)
			for {
				select {
				case <-s.stop:
					return
				case <-time.After(200 * time.Millisecond):
				}
				nc, err := s.net.Host(hostAddr(host)).Dial(s.t.Context(), s.victim.Addr())
				if err != nil {
					continue
				}
				ended := make(chan struct{})
				s.wg.Go(func() {
					select {
					case <-s.stop:
						nc.Close()
					case <-ended:
					}
				})
				ours := wire.Handshake{InfoHash: s.c.meta.InfoHash, PeerID: peerID(fmt.Sprint("siege", i))}
				ours.Reserved = ours.Reserved.WithExtensions().WithFast()
				if p := (&remote{t: s.t, nc: nc}); s.shook(p, ours) {
					attack(p)
				}
				close(ended)
				nc.Close()
			}
		})
	}
}

func (s *siege) shook(p *remote, ours wire.Handshake) bool {
	hs, err := peerconn.Dial(p.nc, ours)
	p.hs, p.r = hs, bufio.NewReader(p.nc)
	return err == nil
}

// track has the attacked torrent name a tracker, and counts what it is asked.
func (s *siege) track(answer http.HandlerFunc) (asked func() int) {
	addr := netip.AddrPortFrom(hostAddr(200), 80)
	l, err := s.net.Host(hostAddr(200)).Listen(addr)
	if err != nil {
		s.t.Fatal(err)
	}
	var n atomic.Int64
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		answer(w, r)
	})}
	s.wg.Go(func() { srv.Serve(l) })
	s.wg.Go(func() {
		<-s.stop
		srv.Close()
	})
	s.c = s.c.withTracker(fmt.Sprintf("http://%v/announce", addr))
	return func() int { return int(n.Load()) }
}

// heap is what is allocated and in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// swallow reads until the connection ends.
func (p *remote) swallow(f func(wire.Message)) {
	for {
		m, _, err := p.next()
		if err != nil {
			return
		}
		if f != nil {
			f(m)
		}
	}
}

// give writes what an attacker has, as long as it may.
func (p *remote) give(b []byte) bool {
	_, err := p.nc.Write(b)
	return err == nil
}

// Whatever peers and trackers do, memory and dials stay within bounds, the trace says what
// was done about it, and another torrent of the engine comes as if nothing were.
func TestSiege(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name    string
		seeds   bool // the attacked torrent is complete; else it is fetched
		flood   bool // the attack sends thousands of messages, or megabytes, every second
		attack  func(s *siege)
		tracker http.HandlerFunc // of the attacked torrent
		why     why.Why          // of what is done about it; None: nothing has to be
		dials   int              // of strangers, at most
		asked   int              // announces at most
		sent    int              // requests at most; 0: no matter
	}{
		{name: "requests without end, and nothing is read", flood: true, seeds: true, why: why.Protocol, attack: func(s *siege) {
			s.peers(4, func(p *remote) {
				flood := bytes.Repeat(wire.AppendRequest(nil, block.Ref{Piece: 1, Length: 16 << 10}), 5000)
				p.give(append(wire.AppendSimple(nil, wire.HaveNone), wire.AppendSimple(nil, wire.Interested)...))
				for p.give(flood) {
					time.Sleep(time.Second)
				}
			})
		}},
		{name: "requests of one that is choked", flood: true, seeds: true, why: why.Protocol, attack: func(s *siege) {
			s.peers(4, func(p *remote) {
				go p.swallow(nil)
				flood := bytes.Repeat(wire.AppendRequest(nil, block.Ref{Piece: 1, Length: 16 << 10}), 500)
				p.give(wire.AppendSimple(nil, wire.HaveNone))
				for p.give(flood) {
					time.Sleep(100 * time.Millisecond)
				}
			})
		}},
		{name: "every request is rejected", sent: 1200, attack: func(s *siege) {
			s.peers(3, func(p *remote) {
				p.give(wire.AppendSimple(wire.AppendSimple(nil, wire.HaveAll), wire.Unchoke))
				p.swallow(func(m wire.Message) {
					if m.ID == wire.Request {
						p.give(wire.AppendReject(nil, m.Ref()))
					}
				})
			})
		}},
		{name: "choke and unchoke, again and again", flood: true, attack: func(s *siege) {
			s.peers(3, func(p *remote) {
				go p.swallow(nil)
				spin := bytes.Repeat(wire.AppendSimple(wire.AppendSimple(nil, wire.Unchoke), wire.Choke), 100)
				p.give(wire.AppendSimple(nil, wire.HaveAll))
				for p.give(spin) {
					time.Sleep(50 * time.Millisecond)
				}
			})
		}},
		{name: "blocks that nobody asked for", flood: true, why: why.Protocol, attack: func(s *siege) {
			s.peers(3, func(p *remote) {
				go p.swallow(nil)
				p.give(wire.AppendSimple(nil, wire.HaveAll))
				one := append(wire.AppendPieceHeader(nil, block.Ref{Piece: 3, Length: 16 << 10}), make([]byte, 16<<10)...)
				for p.give(one) {
					time.Sleep(10 * time.Millisecond)
				}
			})
		}},
		{name: "a block that never ends", attack: func(s *siege) {
			s.peers(3, func(p *remote) {
				p.give(wire.AppendSimple(wire.AppendSimple(nil, wire.HaveAll), wire.Unchoke))
				p.swallow(func(m wire.Message) {
					if m.ID == wire.Request {
						p.give(wire.AppendPieceHeader(nil, m.Ref()))
						for p.give([]byte{1}) {
							time.Sleep(time.Second)
						}
					}
				})
			})
		}},
		{name: "pieces come and go", flood: true, why: why.None, attack: func(s *siege) {
			s.peers(3, func(p *remote) {
				go p.swallow(nil)
				all := bitfield.New(s.c.meta.Info.NumPieces())
				none := wire.AppendBitfield(nil, all)
				all = bitfield.New(s.c.meta.Info.NumPieces())
				all.SetAll()
				spin := bytes.Repeat(append(wire.AppendBitfield(nil, all), none...), 50)
				for p.give(spin) {
					time.Sleep(50 * time.Millisecond)
				}
			})
		}},
		{name: "peers by the thousand in peer exchange", why: why.Protocol, dials: 64 * 4, attack: func(s *siege) {
			s.peers(3, func(p *remote) {
				go p.swallow(nil)
				p.give(wire.AppendSimple(nil, wire.HaveNone))
				p.give(wire.AppendExtensions(nil, wire.Extensions{Client: "flood", IDs: wire.OurIDs(wire.UTPex)}))
				for n := 0; ; n++ {
					var m wire.Pex
					for i := range 50 {
						m.Added = append(m.Added, wire.PexPeer{Flags: wire.PexConnectable, Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(n), byte(i)}), 6881)})
					}
					if !p.give(wire.AppendPex(nil, uint8(wire.UTPex), m)) {
						return
					}
					time.Sleep(100 * time.Millisecond)
				}
			})
		}},
		{name: "metadata that nobody asked for", flood: true, why: why.None, attack: func(s *siege) {
			s.peers(3, func(p *remote) {
				go p.swallow(nil)
				p.give(wire.AppendSimple(nil, wire.HaveNone))
				p.give(wire.AppendExtensions(nil, wire.Extensions{IDs: wire.OurIDs(wire.UTMetadata), MetaBytes: 30 << 20}))
				m := wire.Metadata{Type: wire.MetadataData, Total: 30 << 20, Data: make([]byte, wire.MetadataPiece)}
				for p.give(wire.AppendMetadata(nil, uint8(wire.UTMetadata), m)) {
					m.Piece++
					time.Sleep(10 * time.Millisecond)
				}
			})
		}},
		{name: "metadata is asked for without end", flood: true, seeds: true, attack: func(s *siege) {
			s.peers(3, func(p *remote) {
				p.give(wire.AppendSimple(nil, wire.HaveNone))
				p.give(wire.AppendExtensions(nil, wire.Extensions{IDs: wire.OurIDs(wire.UTMetadata)}))
				flood := bytes.Repeat(wire.AppendMetadata(nil, uint8(wire.UTMetadata), wire.Metadata{Type: wire.MetadataRequest}), 1000)
				for p.give(flood) {
					time.Sleep(time.Second)
				}
			})
		}},
		{name: "extension handshakes without end", flood: true, attack: func(s *siege) {
			s.peers(3, func(p *remote) {
				go p.swallow(nil)
				many := wire.AppendExtended(nil, 0, []byte("d1:md"+strings.Repeat("1:ai3e", 1)+"e1:v40:"+strings.Repeat("x", 40)+"13:metadata_sizei99999999999ee"))
				for p.give(bytes.Repeat(many, 100)) {
					time.Sleep(50 * time.Millisecond)
				}
			})
		}},
		{name: "handshakes that never end", attack: func(s *siege) {
			for i := range 8 {
				s.wg.Go(func() {
					for {
						select {
						case <-s.stop:
							return
						case <-time.After(100 * time.Millisecond):
						}
						nc, err := s.net.Host(hostAddr(byte(40+i))).Dial(s.t.Context(), s.victim.Addr())
						if err != nil {
							continue
						}
						ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
						for b := range slices.Values([]byte("\x13BitTorrent protocol")) {
							nc.Write([]byte{b})
							select {
							case <-ctx.Done():
							case <-s.stop:
							case <-time.After(time.Second):
							}
						}
						cancel()
						nc.Close()
					}
				})
			}
		}},
		{name: "a tracker without end", asked: 12, tracker: func(w http.ResponseWriter, r *http.Request) {
			for junk := make([]byte, 64<<10); r.Context().Err() == nil; {
				if _, err := w.Write(junk); err != nil {
					return
				}
				time.Sleep(time.Millisecond)
			}
		}},
		{name: "a tracker that is deep", asked: 12, tracker: func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat("l", 1<<20))
		}},
		{name: "a tracker that drips", asked: 12, tracker: func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				io.WriteString(w, "d")
				w.(http.Flusher).Flush()
				time.Sleep(time.Second)
			}
		}},
		{name: "a tracker that points to itself", asked: 12 * 8, tracker: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
		}},
		{name: "a tracker with an interval of 0", asked: 12, tracker: func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "d8:intervali0e12:min intervali0e5:peers0:e")
		}},
		{name: "a tracker with an interval of 2^62", asked: 12, tracker: func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, "d8:intervali4611686018427387904e5:peers0:e")
		}},
		{name: "a tracker with two thousand victims", asked: 12, dials: 64 * 4, tracker: func(w http.ResponseWriter, _ *http.Request) {
			var victims []netip.AddrPort
			for i := range 2000 {
				victims = append(victims, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 7, byte(i >> 8), byte(i)}), 6881))
			}
			io.WriteString(w, compact(victims...))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				s := &siege{world: w, c: makeContent(t, "attacked", 16<<10, 400_000), log: tally{n: make(map[[2]string]int)}, stop: make(chan struct{})}
				s.victim = w.engine(1, Config{Trace: s.log.add})
				honest := w.engine(2, Config{})
				// A flood shows within seconds what it costs: in half a minute it sends ten times the
				// memory that the engine may take for it. What waits for timers takes longer.
				const speed = 10_000
				road, after := time.Minute, 30*time.Second
				if c.flood {
					road, after = 20*time.Second, 10*time.Second
				}
				w.net.SetLink(hostAddr(2), hostAddr(1), simnet.Link{Rate: speed})
				other := makeContent(t, "other", 16<<10, speed*int64(road/time.Second))
				w.seed(honest, other)
				asked := func() int { return 0 }
				if c.tracker != nil {
					asked = s.track(c.tracker)
				}
				if c.seeds {
					s.here = w.seed(s.victim, s.c)
				} else {
					s.here, _ = w.leech(s.victim, s.c)
				}
				before := heap()
				if c.attack != nil {
					c.attack(s)
				}
				l, fsys := w.leech(s.victim, other, honest.Addr())
				waitFor(t, l, 2*time.Minute)
				other.in(t, fsys)
				time.Sleep(after)
				grown := heap() - before
				t.Logf("memory grew by %d KiB", grown>>10)
				if grown > 12*mib {
					t.Errorf("memory grew by %d MiB", grown/mib)
				}
				close(s.stop)
				s.wg.Wait()
				if n := s.log.count("request", why.RandomFirst.String()); c.sent > 0 && n > c.sent {
					t.Errorf("%d requests", n)
				}
				if c.why != why.None && s.log.count("close", c.why.String()) == 0 {
					t.Errorf("nobody was thrown out because %s", c.why.Words())
				}
				if n := s.log.count("dial", ""); n > 1+c.dials {
					t.Errorf("%d dials", n)
				}
				if got := asked(); got > c.asked || c.tracker != nil && got == 0 {
					t.Errorf("the tracker was asked %d times", got)
				}
				if st := s.here.Stats().State; st == Failed {
					t.Errorf("the torrent has failed: %v", s.here.Err())
				}
			})
		})
	}
}
