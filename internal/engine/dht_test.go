package engine

import (
	"testing"
	"time"

	"shoal/internal/format/wire"
)

// Three engines that share nothing but one way into the DHT find each other there.
func TestFoundThroughTheDHT(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "trackerless", 16<<10, 400_000)
		meta := *c.meta
		meta.Nodes = []string{at(1).String()}
		c.meta = &meta
		w.seed(w.engine(1, Config{DHT: &DHTConfig{}}), c)
		x, fx := w.leech(w.engine(2, Config{DHT: &DHTConfig{}}), c)
		waitFor(t, x, 5*time.Minute)
		c.in(t, fx)
		// The third comes later, and finds both.
		y, fy := w.leech(w.engine(3, Config{DHT: &DHTConfig{Nodes: []string{at(2).String()}}}), c)
		waitFor(t, y, 5*time.Minute)
		c.in(t, fy)
		if s := y.Stats(); s.DHT < 2 {
			t.Errorf("%d nodes in the routing table", s.DHT)
		}
	})
}

// BEP 27: a private torrent keeps out of the DHT: it is not looked for, not
// announced, its nodes are not asked, and no PORT message goes out.
func TestPrivateKeepsOutOfTheDHT(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "private", 16<<10, 100_000).private(t)
		c.meta.Nodes = []string{at(1).String()}
		seed := w.engine(1, Config{DHT: &DHTConfig{}})
		s := w.seed(seed, c)
		log := &notes{}
		e := w.engine(2, Config{DHT: &DHTConfig{}, Trace: log.add})
		l, _ := w.leech(e, c)
		time.Sleep(30 * time.Minute)
		if st := l.Stats(); st.Swarm.Known != 0 || st.Swarm.Have != 0 || st.DHT != 0 {
			t.Errorf("a private torrent found something: %+v", st)
		}
		for _, r := range log.records {
			t.Errorf("unexpected: %s %s", r.Proto, r.What)
		}
		p := w.connect(3, seed.Addr(), c)
		if p.hs.Reserved.DHT() {
			t.Error("the handshake promises a DHT node")
		}
		for {
			p.nc.SetReadDeadline(time.Now().Add(time.Second))
			m, _, err := p.next()
			if err != nil {
				break
			}
			if m.ID == wire.Port {
				t.Error("a PORT message was sent")
			}
		}
		p.nc.Close()
		s.Stop(t.Context())
	})
}

// In a swarm of two one goes and another comes a moment later. The one that stayed still
// names the node that is gone; the newcomer does not wait for that one to be given up, which
// takes six seconds.
func TestNotHeldUpByWhoLeft(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "two", 16<<10, 100_000)
		w.seed(w.engine(1, Config{DHT: &DHTConfig{}}), c)
		way := &DHTConfig{Nodes: []string{at(1).String()}}
		first, err := New(Config{Network: w.net.Host(hostAddr(2)), Listen: at(2), DHT: way})
		if err != nil {
			t.Fatal(err)
		}
		x, _ := w.leech(first, c)
		waitFor(t, x, time.Minute)
		time.Sleep(time.Minute)
		if err := first.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		y, fy := w.leech(w.engine(3, Config{DHT: way}), c)
		waitFor(t, y, time.Minute)
		c.in(t, fy)
		if took := time.Since(began); took > 2*time.Second { // of the bubble's time
			t.Errorf("it took %v", took)
		}
	})
}

// A read-only node finds and is found by what it announces, and is in nobody's table (BEP 43).
func TestReadOnly(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "read-only", 16<<10, 100_000)
		first := w.engine(1, Config{DHT: &DHTConfig{}})
		w.seed(first, c)
		quiet := w.engine(2, Config{DHT: &DHTConfig{Nodes: []string{at(1).String()}, ReadOnly: true}})
		x, _ := w.leech(quiet, c)
		waitFor(t, x, time.Minute)
		time.Sleep(20 * time.Minute)
		if s := first.Node().Stats(); s.Nodes != 0 {
			t.Errorf("%d nodes are in the table of the other", s.Nodes)
		}
		if s := quiet.Node().Stats(); s.Good != 1 || s.Answers != 0 {
			t.Errorf("the read-only node: %+v", s)
		}
	})
}
