package engine

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"shoal/internal/net/netio"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func loopback(t testing.TB, cfg Config) *Engine {
	t.Helper()
	cfg.Network = netio.New(netio.Policy{LoopbackOnly: true})
	cfg.Listen = netip.MustParseAddrPort("127.0.0.1:0")
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

func add(t testing.TB, e *Engine, spec Spec) *Torrent {
	t.Helper()
	tor, err := e.Add(spec)
	if err != nil {
		t.Fatal(err)
	}
	return tor
}

func wait(t testing.TB, tor *Torrent) {
	t.Helper()
	waitFor(t, tor, time.Minute)
}

func waitFor(t testing.TB, tor *Torrent, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	if err := tor.Wait(ctx); err != nil {
		t.Fatalf("wait: %v; state: %+v", err, tor.Stats())
	}
}

// The main job at its smallest: one seed, one download, over real sockets and
// files, with an odd end and an empty file.
func TestDownloadFromASeed(t *testing.T) {
	c := makeContent(t, "photos", 64<<10, 1_000_003, 0, 77, 200_000)
	from, to := t.TempDir(), t.TempDir()
	c.write(t, from)

	seed := loopback(t, Config{})
	s := add(t, seed, Spec{Meta: c.meta, Dir: from})
	wait(t, s)

	leech := loopback(t, Config{})
	l := add(t, leech, Spec{Meta: c.meta, Dir: to, Peers: []netip.AddrPort{seed.Addr()}})
	wait(t, l)
	c.same(t, to)
	if st := l.Stats(); st.State != Seeding || st.Swarm.Verified != c.meta.Info.Length || st.Swarm.Wasted != 0 {
		t.Errorf("after the download: %+v", st)
	}
}
