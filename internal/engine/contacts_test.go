package engine

import (
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/value/block"
)

// What became of every attempt to reach a peer is counted, and the words of those that left
// name no address and no system call.
func TestContacts(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "contacts", 16<<10, 40<<10)
		seed := w.engine(1, Config{})
		w.seed(seed, c)
		w.net.Host(hostAddr(2)) // refuses
		hangsUp, err := w.net.Host(hostAddr(3)).Listen(at(3))
		if err != nil {
			t.Fatal(err)
		}
		silent, err := w.net.Host(hostAddr(4)).Listen(at(4))
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		web, err := w.net.Host(hostAddr(5)).Listen(at(5))
		if err != nil {
			t.Fatal(err)
		}
		defer web.Close()
		go func() {
			for {
				nc, err := hangsUp.Accept()
				if err != nil {
					return
				}
				nc.Close()
			}
		}()
		defer hangsUp.Close()
		go func() {
			nc, err := web.Accept()
			if err == nil {
				nc.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
				time.Sleep(time.Second)
				nc.Close()
			}
		}()

		e := w.engine(9, Config{})
		peers := []netip.AddrPort{at(1), at(2), at(3), at(4), at(5)}
		tor, _ := w.leech(e, c, peers...)
		events := watch(t, tor)
		wait(t, tor)
		time.Sleep(15 * time.Second) // the silent one is given up
		synctest.Wait()
		got := tor.Stats().Swarm.Contacts
		if got.Connected < 1 || got.Refused < 1 || got.Closed < 1 || got.TimedOut < 1 || got.Other < 1 {
			t.Errorf("contacts: %+v", got)
		}
		if sum := got.Connected + got.Refused + got.Closed + got.TimedOut + got.Unreachable + got.Other; sum > got.Dialled {
			t.Errorf("%d outcomes of %d dials: %+v", sum, got.Dialled, got)
		}
		if n := seed.Torrents()[0].Stats().Swarm.Contacts; n.Arrived != 1 || n.Dialled != 0 {
			t.Errorf("contacts of the seed: %+v", n)
		}
		plainWords(t, events())
	})
}

// plainWords fails the test where the reason of a peer's leaving is a system's.
func plainWords(t *testing.T, events []Event) {
	t.Helper()
	for _, e := range kinds(events, EventPeerLeft) {
		for _, noise := range []string{"tcp", "10.0.0.", "write", "read:", "pipe", "i/o", "EOF"} {
			if strings.Contains(e.Text, noise) {
				t.Errorf("a peer left: %q has %q in it", e.Text, noise)
			}
		}
	}
}

// Peers leave in every way that streams end, in the middle of what we send.
func TestPeersLeaveInPlainWords(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "leaving", 16<<10, 4<<20)
		e := w.engine(1, Config{})
		tor := w.seed(e, c)
		events := watch(t, tor)
		for n, leave := range []func(p *remote){
			func(p *remote) { p.nc.Close() },
			func(p *remote) { // with data unread: a reset
				p.send(asksFor(c, 64))
				time.Sleep(time.Second)
				p.nc.Close()
			},
			func(p *remote) { // never reads again
				p.send(asksFor(c, 250))
				time.Sleep(5 * time.Minute)
				p.nc.Close()
			},
			func(p *remote) { // the network breaks
				p.send(asksFor(c, 200))
				w.net.Reset(hostAddr(1), hostAddr(12))
			},
		} {
			p := w.connect(byte(9+n), at(1), c)
			leave(p)
			time.Sleep(5 * time.Minute)
		}
		synctest.Wait()
		left := kinds(events(), EventPeerLeft)
		if len(left) != 4 {
			t.Errorf("%d of 4 are told: %v", len(left), left)
		}
		plainWords(t, left)
	})
}

// asksFor is the messages of a peer that wants n blocks.
func asksFor(c payload, n int) []byte {
	b := wire.AppendSimple(nil, wire.Interested)
	for i := range n {
		b = wire.AppendRequest(b, block.Ref{Piece: uint32(i), Length: block.Size})
	}
	return b
}
