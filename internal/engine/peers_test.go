package engine

import (
	"io"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/net/peerconn"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/why"
)

// Nobody is told what is not here: not a byte comes back, and the connection
// is closed.
func TestUnknownTorrent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		e := w.engine(1, Config{})
		w.seed(e, makeContent(t, "known", 16<<10, 5000))
		nc, err := w.net.Host(hostAddr(2)).Dial(t.Context(), e.Addr())
		if err != nil {
			t.Fatal(err)
		}
		nc.Write(wire.AppendHandshake(nil, wire.Handshake{PeerID: peerID("stranger")}))
		start := time.Now()
		b, err := io.ReadAll(nc)
		if len(b) != 0 || time.Since(start) > time.Second {
			t.Errorf("%d bytes came back (%v) after %v", len(b), err, time.Since(start))
		}
		nc.Close()
	})
}

// An idle connection is kept alive before others cut it, and cut when it
// stays silent.
func TestKeepAliveAndSilence(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "quiet", 16<<10, 50_000)
		e := w.engine(1, Config{})
		s := w.seed(e, c)
		p := w.connect(2, e.Addr(), c)
		start := time.Now()
		if m, _, err := p.next(); err != nil || m.ID != wire.Bitfield {
			t.Fatalf("first came %v, %v", m.ID, err)
		}
		for i := 1; i <= 2; i++ {
			m, _, err := p.next()
			after := time.Since(start).Round(time.Second)
			if err != nil || m.ID != wire.KeepAlive || after != time.Duration(i)*75*time.Second {
				t.Errorf("after %v came %v, %v", after, m.ID, err)
			}
		}
		p.ended()
		if after := time.Since(start).Round(time.Second); after != 3*time.Minute {
			t.Errorf("the silent peer was cut after %v", after)
		}
		synctest.Wait()
		if n := s.Stats().Swarm.Peers; n != 0 {
			t.Errorf("%d peers are counted", n)
		}

		// One that speaks now and then stays.
		p = w.connect(3, e.Addr(), c)
		for range 20 {
			time.Sleep(100 * time.Second)
			p.send(wire.AppendKeepAlive(nil))
		}
		p.nc.Close()
	})
}

// Only slow handshakes are lost: the oldest gives way to a newcomer, and one that drips is
// cut after ten seconds in all, however busily.
func TestSlowHandshakesEnd(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "door", 16<<10, 50_000)
		e := w.engine(1, Config{Handshakes: 3})
		w.seed(e, c)
		start := time.Now()
		var slow []net.Conn
		for n := range byte(3) {
			nc, err := w.net.Host(hostAddr(100+n)).Dial(t.Context(), e.Addr())
			if err != nil {
				t.Fatal(err)
			}
			nc.Write([]byte{19})
			slow = append(slow, nc)
		}
		time.Sleep(time.Second)
		in := w.connect(99, e.Addr(), c)
		in.until(wire.Bitfield)
		if d := time.Since(start); d > 1100*time.Millisecond {
			t.Errorf("a newcomer was answered after %v", d)
		}
		in.nc.Close()
		var ends []time.Duration
		for _, nc := range slow {
			io.ReadAll(nc)
			nc.Close()
			ends = append(ends, time.Since(start).Round(time.Second))
		}
		if want := []time.Duration{time.Second, 10 * time.Second, 10 * time.Second}; !slices.Equal(ends, want) {
			t.Errorf("slow handshakes ended after %v", ends)
		}
		p := w.connect(2, e.Addr(), c)
		p.until(wire.Bitfield)
		p.nc.Close()
	})
}

// A message that may not be ends the connection, and nothing else.
func TestNonsenseEndsTheConnection(t *testing.T) {
	for name, bytes := range map[string][]byte{
		"too long":              {0xff, 0xff, 0xff, 0xff, 7},
		"have of no piece":      wire.AppendHave(nil, 1000),
		"bitfield too short":    {0, 0, 0, 1, 5},
		"spare bits":            {0, 0, 0, 2, 5, 0xff},
		"request out of range":  wire.AppendRequest(nil, block.Ref{Piece: 3, Begin: 16000, Length: 16000}),
		"request of 128 KiB":    wire.AppendRequest(nil, block.Ref{Piece: 0, Begin: 0, Length: 128 << 10}),
		"piece that is not one": wire.AppendPieceHeader(nil, block.Ref{Piece: 0, Begin: 1, Length: 100}),
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				c := makeContent(t, "nonsense", 16<<10, 50_000)
				e := w.engine(1, Config{})
				s := w.seed(e, c)
				good := w.connect(2, e.Addr(), c)
				events := watch(t, s)
				bad := w.connect(3, e.Addr(), c)
				bad.send(bytes)
				bad.ended()
				synctest.Wait()
				left := kinds(events(), EventPeerLeft)
				if len(left) != 1 || left[0].Peer.Addr() != hostAddr(3) || left[0].Text == "" {
					t.Errorf("who left: %+v", left)
				}
				good.send(wire.AppendSimple(nil, wire.Interested))
				good.until(wire.Unchoke)
				good.nc.Close()
			})
		})
	}
}

// Interest, unchoke, requests, blocks: the other side of a download, by hand. What
// is not known is skipped.
func TestServing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "serve", 32<<10, 90_000)
		e := w.engine(1, Config{})
		s := w.seed(e, c)
		p := w.connect(2, e.Addr(), c)
		if m, _ := p.until(wire.Bitfield); len(m.Body) != 1 || m.Body[0] != 0b11100000 {
			t.Errorf("bitfield % x", m.Body)
		}
		p.send([]byte{0, 0, 0, 3, 99, 1, 2}) // an id that nobody knows
		p.send(wire.AppendSimple(nil, wire.Interested))
		p.until(wire.Unchoke)
		g := c.meta.Info.Geometry()
		var refs []block.Ref
		for i := range g.Pieces {
			for j := range g.Blocks(i) {
				refs = append(refs, g.Block(i, j))
				p.send(wire.AppendRequest(nil, refs[len(refs)-1]))
			}
		}
		for _, r := range refs {
			m, data := p.until(wire.Piece)
			if want := string(c.piece(r.Piece)[r.Begin:][:r.Length]); m.Ref() != r || string(data) != want {
				t.Errorf("asked for %v, got %v", r, m.Ref())
			}
		}
		p.nc.Close()
		time.Sleep(time.Second)
		if up := s.Stats().Swarm.Uploaded; up != int64(len(c.data)) {
			t.Errorf("%d bytes of %d are counted", up, len(c.data))
		}
	})
}

// Somebody who asks and asks and never reads is cut, and holds nothing up.
func TestPeerThatDoesNotRead(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "deaf", 64<<10, 1<<20)
		e := w.engine(1, Config{})
		s := w.seed(e, c)
		deaf := w.connect(2, e.Addr(), c)
		deaf.send(wire.AppendSimple(nil, wire.Interested))
		deaf.until(wire.Unchoke)
		for i := range c.meta.Info.NumPieces() {
			for j := range uint32(4) {
				deaf.send(wire.AppendRequest(nil, block.Ref{Piece: i, Begin: j * block.Size, Length: block.Size}))
			}
		}
		events := watch(t, s)
		l, fsys := w.leech(w.engine(3, Config{}), c, e.Addr())
		wait(t, l)
		c.in(t, fsys)
		for range 4 {
			time.Sleep(time.Minute)
			deaf.nc.Write(wire.AppendKeepAlive(nil)) // it still talks
		}
		gone := slices.ContainsFunc(kinds(events(), EventPeerLeft), func(e Event) bool { return e.Peer.Addr() == hostAddr(2) })
		if !gone {
			t.Error("the deaf peer is still there")
		}
		deaf.nc.Close()
	})
}

// Our own address is found out by the peer id, on both ends, and not dialled again.
func TestSelfConnection(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "self", 16<<10, 50_000)
		log := &notes{}
		e := w.engine(1, Config{Trace: log.add})
		tr := w.tracker(200, func(query) string { return compact(e.Addr()) })
		l, _ := w.leech(e, c.withTracker(tr.url))
		time.Sleep(2 * time.Hour)
		if n := log.count("dial", e.Addr(), why.None); n != 1 {
			t.Errorf("it was dialled %d times", n)
		}
		if n := log.count("close", netip.AddrPort{}, why.SelfConnect); n != 2 {
			t.Errorf("%d ends were closed, want both", n)
		}
		if n := l.Stats().Swarm.Peers; n != 0 {
			t.Errorf("%d peers", n)
		}
		if n := len(tr.queries()); n < 2 {
			t.Errorf("%d announces: it was not named again", n)
		}
	})
}

// BEP 3: who has another peer id than the tracker promised is severed. With the
// right one all is well.
func TestPromisedPeerID(t *testing.T) {
	for name, right := range map[string]bool{"kept": true, "broken": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				c := makeContent(t, "promise", 16<<10, 50_000)
				seed := w.engine(1, Config{})
				s := w.seed(seed, c)
				id := s.PeerID()
				if !right {
					id = peerID("somebody else")
				}
				log := &notes{}
				tr := w.tracker(200, func(query) string { return dictionary(seed.Addr(), id) })
				l, fsys := w.leech(w.engine(2, Config{Trace: log.add}), c.withTracker(tr.url))
				if right {
					wait(t, l)
					c.in(t, fsys)
					return
				}
				time.Sleep(10 * time.Minute)
				if st := l.Stats(); st.Swarm.Have != 0 || st.Swarm.Peers != 0 {
					t.Errorf("it was not severed: %+v", st)
				}
				if log.count("close", seed.Addr(), why.WrongPeerID) == 0 {
					t.Error("no connection was closed for its peer id")
				}
			})
		})
	}
}

// Two engines that dial each other at the same moment end up with one connection.
func TestDuplicatesCollapse(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "both", 16<<10, 200_000)
		a, b := w.engine(1, Config{}), w.engine(2, Config{})
		x := add(t, a, Spec{Meta: c.meta, Storage: c.on(t, c.memory(t, 0, 1)), Peers: []netip.AddrPort{b.Addr()}})
		y := add(t, b, Spec{Meta: c.meta, Storage: c.on(t, c.memory(t, 2, 3)), Peers: []netip.AddrPort{a.Addr()}})
		time.Sleep(30 * time.Second)
		for _, tor := range []*Torrent{x, y} {
			if st := tor.Stats(); st.Swarm.Peers != 1 || st.Swarm.Have != 4 {
				t.Errorf("%d peers, %d pieces; want 1 and 4", st.Swarm.Peers, st.Swarm.Have)
			}
		}
	})
}

// Dials to addresses that never answer end, few at a time, and keep nobody out.
func TestDialsToNowhere(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "nowhere", 16<<10, 50_000)
		seed := w.engine(1, Config{})
		w.seed(seed, c)
		var peers []netip.AddrPort
		for n := range byte(40) {
			peers = append(peers, at(100+n))
		}
		e := w.engine(2, Config{HalfOpen: 4})
		l, _ := w.leech(e, c, append(peers, seed.Addr())...)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			for l.Stats().State != Seeding && time.Since(e.origin) < time.Hour {
				time.Sleep(time.Second)
				if n := len(e.dialSlots); n > 4 {
					t.Errorf("%d half-open connections, 4 are allowed", n)
				}
			}
		}()
		waitFor(t, l, 10*time.Minute)
		<-ended
	})
}

// Nothing that arrives while a torrent stops is forgotten: every connection is
// answered with an end. A forgotten one would leave its peer reading for ever,
// which is a deadlock in the bubble.
func TestStopUnderFire(t *testing.T) {
	for round := range 20 {
		bubble(t, func(t *testing.T, w *world) {
			w.net.SetLink(hostAddr(1), hostAddr(2), zero)
			c := makeContent(t, "fire", 16<<10, 50_000)
			e := w.engine(1, Config{})
			s := w.seed(e, c)
			done := make(chan struct{})
			for i := range 100 {
				go func() {
					defer func() { done <- struct{}{} }()
					nc, err := w.net.Host(hostAddr(2)).Dial(t.Context(), e.Addr())
					if err != nil {
						return
					}
					defer nc.Close()
					id := peerID("fire")
					id[19] = byte(i)
					if _, err := peerconn.Dial(nc, wire.Handshake{InfoHash: c.meta.InfoHash, PeerID: id}); err == nil {
						nc.Write(wire.AppendSimple(wire.AppendBitfield(nil, bitfield.New(4)), wire.Interested))
						io.Copy(io.Discard, nc)
					}
				}()
			}
			for range round {
				<-done
			}
			go func() { s.SetSlots(round) }()
			s.Stop(t.Context())
			for range 100 - round {
				<-done
			}
		})
	}
}

// Who brought the last block hears that it arrived before two seeds part, also over a
// slow line. And one who does not listen to last words holds nobody up for long.
func TestLastWords(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.net.SetLink(hostAddr(1), hostAddr(2), slow)
		c := makeContent(t, "last words", 16<<10, 10_000)
		e := w.engine(1, Config{})
		l, fsys := w.leech(e, c)
		if err := l.Checked(t.Context()); err != nil {
			t.Fatal(err)
		}
		all := bitfield.New(1)
		all.SetAll()
		p := w.connect(2, e.Addr(), c)
		p.send(wire.AppendSimple(wire.AppendBitfield(nil, all), wire.Unchoke))
		m, _ := p.until(wire.Request)
		p.send(append(wire.AppendPieceHeader(nil, m.Ref()), c.data...))
		if m, _ := p.until(wire.Have); m.Piece != 0 {
			t.Errorf("have %d", m.Piece)
		}
		p.ended()
		wait(t, l)
		c.in(t, fsys)
	})
}
