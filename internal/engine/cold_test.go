package engine

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/wire"
)

// What was fetched is given back to the system's cache once it is durable, unless a
// peer who lacks it is there, somebody reads the torrent, or all is to be kept.
func TestColdPiecesAreUncached(t *testing.T) {
	for _, c := range []struct {
		name   string
		keep   bool
		lacks  bool // a peer with nothing is connected
		reader bool
		cold   bool
	}{
		{name: "one seed", cold: true},
		{name: "a peer lacks all", lacks: true},
		{name: "a reader is open", reader: true},
		{name: "everything is kept", keep: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(makeContent(t, "large", 64<<10, 2<<20, 100, 1<<20))
				e := w.engine(1, Config{StateDir: k.state, KeepCached: c.keep})
				l := add(t, e, Spec{Meta: k.c.meta, Dir: k.dir})
				checkedNow(t, l)
				if c.lacks {
					p := w.connect(7, e.Addr(), k.c)
					defer p.nc.Close()
					go func() {
						for {
							if _, _, err := p.next(); err != nil {
								return
							}
						}
					}()
					p.send(wire.AppendSimple(nil, wire.Interested))
				}
				if c.reader {
					r := l.NewReader(0, 1)
					defer r.Close()
				}
				time.Sleep(time.Second)
				w.join(l, k.seed)
				wait(t, l)
				synctest.Wait()
				got := e.files.Counters().Snapshot().Uncached
				switch all := l.geom().Total; {
				case !c.cold && got != 0:
					t.Errorf("%d bytes were given up", got)
				case c.cold && (got > all || got < all-int64(l.geom().PieceLength)-100):
					t.Errorf("%d bytes of %d were given up", got, all)
				}
			})
		})
	}
}

// join tells a torrent of a peer, as a tracker would.
func (w *world) join(l *Torrent, other *Engine) {
	l.do(&found{src: peerbook.Tracker, addrs: []netip.AddrPort{other.Addr()}})
}
