package engine

import (
	"testing"
	"testing/synctest"

	"shoal/internal/bitfield"
	"shoal/internal/peerconn"
	"shoal/internal/wire"
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
		come := func(n byte, c content) {
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
			if len(ta.peers) != inA || len(tb.peers) != inB || e.crowd.Total() != inA+inB {
				t.Errorf("%d and %d peers, %d in all; want %d and %d", len(ta.peers), len(tb.peers), e.crowd.Total(), inA, inB)
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
