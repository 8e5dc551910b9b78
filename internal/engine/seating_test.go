package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/wire"
	"shoal/internal/net/peerconn"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/why"
)

// An engine with as many connections as it may have lets newcomers in where a torrent has
// less than its part, at the cost of the one that has most, and nobody else.
func TestCrowdIsDivided(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.engine(1, Config{Crowd: 4})
		a, b := makeContent(t, "a", 16<<10, 100_000), makeContent(t, "b", 16<<10, 100_000)
		ta, tb := w.seed(e, a), w.seed(e, b)
		var ends []func() error
		defer func() {
			for _, end := range ends {
				end()
			}
			synctest.Wait()
		}()
		come := func(n byte, c payload) {
			p := w.connect(n, e.Addr(), c)
			ends = append(ends, p.nc.Close)
			none := bitfield.New(c.meta.Info.NumPieces())
			p.send(wire.AppendSimple(wire.AppendBitfield(nil, none), wire.Interested))
			go func() {
				for {
					if _, _, err := p.next(); err != nil {
						p.nc.Close()
						return
					}
				}
			}()
			synctest.Wait()
		}
		for n := range byte(4) {
			come(10+n, a)
		}
		want := func(inA, inB int) {
			t.Helper()
			synctest.Wait()
			if len(ta.links.byKey) != inA || len(tb.links.byKey) != inB || e.seats.conns.Total() != inA+inB {
				t.Errorf("%d and %d peers, %d in all; want %d and %d", len(ta.links.byKey), len(tb.links.byKey), e.seats.conns.Total(), inA, inB)
			}
		}
		want(4, 0)
		come(20, b)
		want(3, 1)
		come(21, b)
		want(2, 2)
		nc, err := w.net.Host(hostAddr(22)).Dial(t.Context(), e.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := peerconn.Dial(nc, wire.Handshake{InfoHash: b.meta.InfoHash, PeerID: peerID("last")}); err == nil {
			t.Error("one more than its part was let in")
		}
		nc.Close()
		want(2, 2)
	})
}

// When all connections are taken, whoever has less than its part gets the place of another one
// once somebody is there to take it: not for an address that nobody answers at, nor for a
// stranger who goes away in the middle of the handshake.
func TestNoPlaceForNobody(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.engine(1, Config{Crowd: 4})
		a, b := makeContent(t, "a", 16<<10, 100_000), makeContent(t, "b", 16<<10, 100_000)
		ta := w.seed(e, a)
		for n := range byte(4) {
			p := w.connect(10+n, e.Addr(), a)
			p.send(wire.AppendSimple(wire.AppendBitfield(nil, bitfield.New(a.meta.Info.NumPieces())), wire.Interested))
			defer p.nc.Close()
		}
		log := &notes{}
		e.cfg.Trace = log.add
		tb, _ := w.leech(e, b)
		synctest.Wait()
		f := &found{src: peerbook.Tracker}
		for n := range byte(8) {
			f.addrs = append(f.addrs, at(100+n))
		}
		tb.do(f)
		time.Sleep(20 * time.Second)
		if n := log.count("dial failed", netip.AddrPort{}, why.None); n != 8 {
			t.Errorf("%d of 8 dials have failed", n)
		}
		for range 4 {
			nc, err := w.net.Host(hostAddr(50)).Dial(t.Context(), e.Addr())
			if err != nil {
				t.Fatal(err)
			}
			nc.Write(wire.AppendHandshake(nil, wire.Handshake{InfoHash: b.meta.InfoHash})[:wire.InfoHashEnd])
			time.Sleep(time.Second)
			nc.Close()
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if len(ta.links.byKey) != 4 || len(tb.links.byKey) != 0 {
			t.Errorf("%d and %d peers, want 4 and 0", len(ta.links.byKey), len(tb.links.byKey))
		}
	})
}
