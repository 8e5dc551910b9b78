package engine

import (
	"net/netip"
	"testing"
	"time"

	"shoal/internal/format/wire"
)

func six(n byte) netip.Addr { return netip.AddrFrom16([16]byte{0xfd, 15: n}) }

// at starts an engine on a host that has these addresses, and listens on all of them.
func (w *world) at(cfg Config, addrs ...netip.AddrPort) *Engine {
	w.t.Helper()
	var own []netip.Addr
	for _, a := range addrs {
		own = append(own, a.Addr())
	}
	cfg.Network, cfg.Listen, cfg.ListenAlso = w.net.Host(own[0], own[1:]...), addrs[0], addrs[1:]
	e, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := e.Close(w.t.Context()); err != nil {
			w.t.Errorf("close: %v", err)
		}
		e.clean(w.t)
	})
	return e
}

// An engine that listens on both families is found in both DHTs, each with the port that
// it has there, and serves peers of both.
func TestBothFamilies(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "both", 16<<10, 200_000)
		four := netip.AddrPortFrom(hostAddr(1), 6881)
		way := []string{four.String(), netip.AddrPortFrom(six(1), 7881).String()}
		seed := w.at(Config{DHT: &DHTConfig{}}, four, netip.AddrPortFrom(six(1), 7881))
		if got := seed.Addrs(); len(got) != 2 || got[0] != four || got[1].Port() != 7881 || seed.Addr() != four {
			t.Errorf("it listens on %v", got)
		}
		w.seed(seed, c)
		for i, e := range []*Engine{
			w.at(Config{DHT: &DHTConfig{Nodes: way}}, netip.AddrPortFrom(hostAddr(2), 6881)),
			w.at(Config{DHT: &DHTConfig{Nodes: way}}, netip.AddrPortFrom(six(3), 6881)),
		} {
			x, fx := w.leech(e, c)
			waitFor(t, x, 5*time.Minute)
			c.in(t, fx)
			if s := x.Stats(); s.DHT < 1 {
				t.Errorf("engine %d: %d nodes", i, s.DHT)
			}
		}
		for _, n := range seed.Node().Sides() {
			if n.Good != 1 {
				t.Errorf("the seed knows %d nodes in one of the DHTs", n.Good)
			}
		}
	})
}

// A peer is told the ports of its own family: the one we listen at, and that of our node in
// the DHT of that family.
func TestPortsOfTheFamily(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "ports", 16<<10, 50_000)
		e := w.at(Config{DHT: &DHTConfig{}}, netip.AddrPortFrom(hostAddr(1), 6881), netip.AddrPortFrom(six(1), 7881))
		w.seed(e, c)
		for i, from := range []netip.Addr{hostAddr(2), six(2)} {
			want := e.Addrs()[i]
			nc, err := w.net.Host(from).Dial(t.Context(), want)
			if err != nil {
				t.Fatal(err)
			}
			h := wire.Handshake{InfoHash: c.meta.InfoHash, PeerID: peerID(from.String())}
			h.Reserved = h.Reserved.WithExtensions().WithDHT()
			p := w.shake(nc, h)
			told := map[string]uint16{}
			for {
				nc.SetReadDeadline(time.Now().Add(time.Second))
				m, _, err := p.next()
				if err != nil {
					break
				}
				switch m.ID {
				case wire.Port:
					told["dht"] = m.Port
				case wire.Extended:
					var x wire.Extensions
					if err := x.Update(m.Body); err == nil && x.Port != 0 {
						told["p"] = x.Port
					}
				}
			}
			if told["dht"] != want.Port() || told["p"] != want.Port() {
				t.Errorf("over %v it tells %v", want, told)
			}
			nc.Close()
		}
	})
}

// Peers of a family that is not listened on are dialled, and are told no port: nobody would
// be reached there.
func TestNoPortOfAFamilyNotListenedOn(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "one-way", 16<<10, 50_000)
		log := &notes{}
		seed := w.at(Config{Trace: log.add}, netip.AddrPortFrom(six(1), 6881))
		w.seed(seed, c)
		host := w.net.Host(hostAddr(2), six(2))
		e, err := New(Config{Network: host, Listen: at(2)})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close(t.Context())
		x, fx := w.leech(e, c, seed.Addr())
		waitFor(t, x, time.Minute)
		c.in(t, fx)
		time.Sleep(5 * time.Second) // for the snapshot
		if st := seed.Torrents()[0].Stats(); st.Swarm.Known != 0 {
			t.Errorf("the seed knows %d addresses of peers, none of which is listened at", st.Swarm.Known)
		}
	})
}

// Where one of the addresses can't be had none stays open.
func TestAnAddressIsTaken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		host := w.net.Host(hostAddr(1), six(1))
		taken, err := host.ListenPacket(netip.AddrPortFrom(six(1), 6881))
		if err != nil {
			t.Fatal(err)
		}
		cfg := Config{Network: host, Listen: netip.AddrPortFrom(hostAddr(1), 6881), ListenAlso: []netip.AddrPort{netip.AddrPortFrom(six(1), 6881)}, DHT: &DHTConfig{}}
		if _, err := New(cfg); err == nil {
			t.Fatal("it was opened")
		}
		taken.Close()
		e, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		e.Close(t.Context())
	})
}

// A second address of a family takes connections like the first; the DHT has one socket a
// family.
func TestSecondAddressOfAFamily(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "second", 16<<10, 50_000)
		one, two := netip.AddrPortFrom(hostAddr(1), 6881), netip.AddrPortFrom(hostAddr(11), 7000)
		seed := w.at(Config{DHT: &DHTConfig{}}, one, two)
		w.seed(seed, c)
		for i, door := range seed.Addrs() {
			x, fx := w.leech(w.engine(byte(2+i), Config{}), c, door)
			waitFor(t, x, time.Minute)
			c.in(t, fx)
		}
		if n := len(seed.Node().Sides()); n != 1 || seed.dhtPort(false) != 6881 || seed.dhtPort(true) != 0 {
			t.Errorf("%d nodes, at port %d", n, seed.dhtPort(false))
		}
	})
}
