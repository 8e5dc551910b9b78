package engine

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/net/netio"
	"shoal/internal/net/peerconn"
)

// Two thousand connections that say nothing, from one address or from as many as there are,
// do not keep a polite peer out for as long as it takes to notice.
func TestSilentCrowd(t *testing.T) {
	for _, hosts := range []int{1, 100} {
		bubble(t, func(t *testing.T, w *world) {
			c := makeContent(t, "besieged", 16<<10, 50_000)
			e := w.engine(1, Config{})
			w.seed(e, c)
			var silent []net.Conn
			for i := range 2000 {
				nc, err := w.net.Host(hostAddr(byte(100+i%hosts))).Dial(t.Context(), e.Addr())
				if err != nil {
					t.Fatal(err)
				}
				silent = append(silent, nc)
				if i%500 == 499 { // in the middle of it, and from the same address
					began := time.Now()
					p := w.connect(100, e.Addr(), c)
					p.until(wire.Bitfield)
					if d := time.Since(began); d > time.Second {
						t.Errorf("after %d silent ones a polite peer got in after %v", i, d)
					}
					p.nc.Close()
				}
			}
			for _, nc := range silent {
				nc.Close()
			}
		})
	}
}

// The same with sockets of the system, fewer of them: each takes two of this process's.
func TestSilentCrowdOnTheLoopback(t *testing.T) {
	lo := netip.MustParseAddrPort("127.0.0.1:0")
	c := makeContent(t, "besieged", 16<<10, 50_000)
	e, err := New(Config{Network: netio.New(netio.Policy{LoopbackOnly: true}), Listen: lo})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	wait(t, add(t, e, Spec{Meta: c.meta, Storage: c.on(t, c.memory(t))}))
	for range 300 {
		nc, err := net.Dial("tcp4", e.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
	}
	for range 5 { // none of the silent ones is given up by then
		nc, err := net.Dial("tcp4", e.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		if _, err := peerconn.Dial(nc, wire.Handshake{InfoHash: c.meta.InfoHash, PeerID: peerID(nc.LocalAddr().String())}); err != nil {
			t.Fatalf("a polite peer: %v", err)
		}
	}
}
