package engine

import (
	"bufio"
	"net/netip"
	"testing"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/net/peerconn"
	"shoal/internal/value/why"
)

// Two that know a third find each other through it; of a private torrent they do not.
func TestPeerExchange(t *testing.T) {
	for _, private := range []bool{false, true} {
		bubble(t, func(t *testing.T, w *world) {
			c := makeContent(t, "exchanged", 16<<10, 3_000_000)
			if private {
				c = c.private(t)
			}
			slow := Limits{Up: 4 << 10, Down: 4 << 10} // so that it lasts
			hub := w.engine(1, Config{})
			w.seed(hub, c)
			log := &notes{}
			var all []*Torrent
			for i := range byte(3) {
				x, _ := w.leech(w.engine(2+i, Config{Trace: log.add}), c, at(1))
				x.SetLimits(slow)
				all = append(all, x)
			}
			time.Sleep(4 * time.Minute)
			for i, x := range all {
				if n := x.Stats().Swarm.Peers; private && n != 1 || !private && n != 3 {
					t.Errorf("private %v: torrent %d has %d peers", private, i, n)
				}
			}
			if n := log.count("peer exchange", netip.AddrPort{}, why.Periodic); private != (n == 0) {
				t.Errorf("private %v: %d messages", private, n)
			}
		})
	}
}

// extended is a hand-written peer that speaks the extension protocol.
func (w *world) extended(n byte, to netip.AddrPort, c payload) *remote {
	w.t.Helper()
	nc, err := w.net.Host(hostAddr(n)).Dial(w.t.Context(), to)
	if err != nil {
		w.t.Fatal(err)
	}
	h := wire.Handshake{InfoHash: c.meta.InfoHash, PeerID: peerID(string('a' + rune(n)))}
	h.Reserved = h.Reserved.WithExtensions()
	if _, err := peerconn.Dial(nc, h); err != nil {
		w.t.Fatal(err)
	}
	p := &remote{t: w.t, nc: nc, r: bufio.NewReader(nc)}
	p.send(wire.AppendExtensions(nil, wire.Extensions{IDs: wire.OurIDs(wire.UTPex, wire.UTMetadata), Reqq: 250}))
	return p
}

// A peer that floods us with addresses is dropped with a reason, and what it named is
// bounded; nobody it named is dialled more than the few times that any stranger is.
func TestFloodOfAddresses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "flooded", 16<<10, 100_000)
		log := &notes{}
		e := w.engine(1, Config{Trace: log.add})
		x, _ := w.leech(e, c)
		p := w.extended(5, at(1), c)
		victim := netip.MustParseAddrPort("10.9.9.9:8080")
		go func() {
			for i := range 100 {
				m := wire.Pex{Added: []wire.PexPeer{{Addr: victim}}}
				for j := range 2000 {
					m.Added = append(m.Added, wire.PexPeer{Addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(1 + i), byte(j >> 8), byte(j)}), 6881)})
				}
				if _, err := p.nc.Write(wire.AppendPex(nil, uint8(wire.UTPex), m)); err != nil {
					return
				}
			}
		}()
		p.ended()
		time.Sleep(time.Hour)
		if n := log.count("close", netip.AddrPort{}, why.Protocol); n != 1 {
			t.Errorf("%d connections were ended for it", n)
		}
		if n := x.Stats().Swarm.Known; n > 1000 {
			t.Errorf("%d addresses are known", n)
		}
		if n := log.count("dial", victim, why.None); n > 3 {
			t.Errorf("the victim was dialled %d times", n)
		}
	})
}

// A peer that asks for the metadata without end gets no more than a steady flow of it, and a
// reject for the rest.
func TestFloodOfMetadataRequests(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "asked for", 16<<10, 20<<20)
		e := w.engine(1, Config{})
		w.seed(e, c)
		p := w.extended(5, at(1), c)
		go func() {
			for range 5000 {
				if _, err := p.nc.Write(wire.AppendMetadata(nil, uint8(wire.UTMetadata), wire.Metadata{Type: wire.MetadataRequest})); err != nil {
					return
				}
			}
		}()
		data, rejects := 0, 0
		began := time.Now()
		for data+rejects < 5000 {
			m, _ := p.until(wire.Extended)
			if m.Ext != uint8(wire.UTMetadata) {
				continue
			}
			switch msg, err := wire.ParseMetadata(m.Body); {
			case err != nil:
				t.Fatal(err)
			case msg.Type == wire.MetadataData:
				data++
			default:
				rejects++
			}
		}
		took := time.Since(began)
		if most := 16 + 64 + int(took/(50*time.Millisecond)); data > most || rejects < 4000 {
			t.Errorf("%d parts and %d rejects within %v", data, rejects, took)
		}
	})
}
