package engine

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
)

// Fifty torrents go through an engine that may have a dozen connections, whoever of the two
// sides has few: each connection that ends is for a torrent that waits.
func TestScarceConnections(t *testing.T) {
	const torrents = 50
	for _, c := range []struct{ here, there int }{{11, 11}, {11, 200}, {200, 11}, {4, 4}} {
		t.Run(fmt.Sprintf("%d here and %d there", c.here, c.there), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				seed := w.engine(100, Config{Crowd: c.there})
				e := w.engine(1, Config{Crowd: c.here, HalfOpen: 4})
				w.net.SetLink(hostAddr(100), hostAddr(1), slow)
				var all []*Torrent
				for i := range torrents {
					payload := makeContent(t, fmt.Sprintf("t%d", i), 16<<10, 100_000)
					w.seed(seed, payload)
					l, _ := w.leech(e, payload, seed.Addr())
					all = append(all, l)
				}
				began := time.Now()
				for _, l := range all {
					wait(t, l)
				}
				if took := time.Since(began); took > 60*time.Second {
					t.Errorf("it took %v", took)
				}
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if n := e.seats.conns.Total() + seed.seats.conns.Total(); n > 0 {
					t.Errorf("%d connections are left", n)
				}
			})
		})
	}
}

// A full engine gives up connections that are of no use at the moment for torrents that have
// none: as the side that dials, and as the one that is dialled.
func TestFullOfNeedless(t *testing.T) {
	const places = 4
	for _, dials := range []bool{true, false} {
		t.Run(fmt.Sprintf("it dials: %v", dials), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				seed := w.engine(100, Config{})
				other := w.engine(99, Config{})
				e := w.engine(1, Config{Crowd: places})
				// Peers that have a piece that we have, or nothing, and want nothing, hold all places.
				var held []*Torrent
				for i := range places {
					c := makeContent(t, fmt.Sprintf("held%d", i), 16<<10, 100_000)
					held = append(held, w.seed(e, c))
					p := w.connect(byte(10+i), e.Addr(), c)
					defer p.nc.Close()
					have := bitfield.New(c.meta.Info.NumPieces())
					have.Set(0)
					p.send(wire.AppendBitfield(nil, have))
					go func() {
						for {
							if _, _, err := p.next(); err != nil {
								p.nc.Close()
								return
							}
						}
					}()
				}
				time.Sleep(time.Second)
				if n := e.seats.conns.Total(); n != places {
					t.Fatalf("%d connections", n)
				}
				c := makeContent(t, "wanted", 16<<10, 100_000)
				began := time.Now()
				if dials {
					w.seed(seed, c)
					l, _ := w.leech(e, c, seed.Addr())
					wait(t, l)
				} else {
					w.seed(e, c)
					l, _ := w.leech(other, c, e.Addr())
					wait(t, l)
				}
				if took := time.Since(began); took > 20*time.Second {
					t.Errorf("it took %v", took)
				}
				synctest.Wait()
				left := 0
				for _, h := range held {
					left += len(h.links.byKey)
				}
				if left != places-1 {
					t.Errorf("%d of %d others are left", left, places)
				}
			})
		})
	}
}

// A torrent that waits for a connection and then has none to make leaves the room to the next,
// and so does one that ends.
func TestRoomIsPassedOn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.engine(1, Config{Crowd: 1})
		busy := makeContent(t, "busy", 16<<10, 100_000)
		w.seed(e, busy)
		p := w.connect(10, e.Addr(), busy)
		defer p.nc.Close()
		p.send(wire.AppendSimple(wire.AppendBitfield(nil, bitfield.New(busy.meta.Info.NumPieces())), wire.Interested))
		go func() {
			for {
				if _, _, err := p.next(); err != nil {
					return
				}
			}
		}()
		seed := w.engine(100, Config{})
		var all []*Torrent
		for i := range 4 {
			c := makeContent(t, fmt.Sprintf("waits%d", i), 16<<10, 100_000)
			peers := []netip.AddrPort{seed.Addr()}
			if i != 1 {
				w.seed(seed, c)
			} else {
				peers = []netip.AddrPort{at(77)} // nobody is there
			}
			l, _ := w.leech(e, c, peers...)
			all = append(all, l)
		}
		time.Sleep(5 * time.Second)
		all[0].Stop(t.Context())
		synctest.Wait()
		p.nc.Close()
		began := time.Now()
		wait(t, all[2])
		wait(t, all[3])
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}
