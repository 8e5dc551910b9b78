package engine

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/files/storage"
	"shoal/internal/files/storage/storagetest"
	"shoal/internal/format/wire"
	"shoal/internal/net/netio"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// Close in the middle of a check: it ends within a read or two, and whoever waits
// is told.
func TestCloseWhileChecking(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "checking", 256<<10, 8<<20)
		e := w.engine(1, Config{Workers: 1})
		st := hooked(c.on(t, c.memory(t)), func() error { time.Sleep(time.Second); return nil }, nil)
		l := add(t, e, Spec{Meta: c.meta, Storage: st})
		time.Sleep(10500 * time.Millisecond)
		if s := l.Stats(); s.State != Checking || s.Checked == 0 || uint32(s.Checked) != s.Swarm.Have {
			t.Errorf("while checking: %+v", s)
		}
		start := time.Now()
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d > 2*time.Second {
			t.Errorf("closing took %v", d)
		}
		if err := l.Wait(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("wait: %v", err)
		}
		if err := l.Checked(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("checked: %v", err)
		}
		if s := l.Stats(); s.State != Stopped {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

// Close and Stop may be called again, and at the same time.
func TestEndIsIdempotent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "end", 16<<10, 200_000)
		seed := w.engine(1, Config{})
		s := w.seed(seed, c)
		e := w.engine(2, Config{})
		l, _ := w.leech(e, c, seed.Addr())
		time.Sleep(50 * time.Millisecond) // in the middle of it
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { l.Stop(t.Context()) })
			wg.Go(func() {
				if err := e.Close(t.Context()); err != nil {
					t.Errorf("close: %v", err)
				}
			})
			wg.Go(func() { s.Stop(t.Context()) })
		}
		wg.Wait()
		l.Stop(t.Context())
		if l.Stats().State != Stopped || s.Stats().State != Stopped {
			t.Errorf("states %v and %v", l.Stats().State, s.Stats().State)
		}
		if _, err := e.Add(Spec{Meta: c.meta, Storage: c.on(t, storage.NewMemFS())}); !errors.Is(err, ErrClosed) {
			t.Errorf("add to a closed engine: %v", err)
		}
		l.SetSlots(3) // too late, and harmless
	})
}

// Torrents that are added while the engine closes either join it in that or are refused.
func TestAddWhileClosing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var contents []payload
		for _, name := range strings.Split("abcdefghijklmnop", "") {
			contents = append(contents, makeContent(t, name, 16<<10, 30_000))
		}
		for range 10 {
			e, err := New(Config{Network: w.net.Host(hostAddr(9)), Listen: at(9)})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for _, c := range contents {
				wg.Go(func() {
					l, err := e.Add(Spec{Meta: c.meta, Storage: c.on(t, c.memory(t))})
					if err == nil {
						l.Stats()
						err = l.Wait(t.Context())
						if err == nil {
							<-l.life.stopped.C()
							return
						}
					}
					if !errors.Is(err, ErrClosed) && !errors.Is(err, ErrStopped) {
						t.Errorf("add: %v", err)
					}
				})
			}
			if err := e.Close(t.Context()); err != nil {
				t.Error(err)
			}
			wg.Wait()
			e.clean(t)
		}
	})
}

// The same torrent twice is refused; the first carries on.
func TestDuplicateTorrent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "twice", 16<<10, 50_000)
		e := w.engine(1, Config{})
		s := w.seed(e, c)
		for range 3 {
			if _, err := e.Add(Spec{Meta: c.meta, Storage: c.on(t, storage.NewMemFS())}); !errors.Is(err, ErrDuplicate) {
				t.Errorf("add again: %v", err)
			}
		}
		if _, err := e.Add(Spec{Meta: c.meta, Dir: t.TempDir() + "/not there"}); storage.KindOf(err) != storage.Missing {
			t.Errorf("add in a folder that is not there: %v", err)
		}
		if n := len(e.Torrents()); n != 1 || e.Torrents()[0] != s {
			t.Errorf("%d torrents on the list", n)
		}
		// Stopped, it may be added again.
		s.Stop(t.Context())
		w.seed(e, c)
	})
}

// A full disk holds the download up with a reason to choose by, and claims nothing
// that is not there; what is had is served. When there is room it goes on by itself,
// and nothing is fetched twice.
func TestNoSpace(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "full", 32<<10, 1<<20)
		seed := w.engine(1, Config{})
		w.seed(seed, c)
		e := w.engine(2, Config{})
		fsys := storage.NewMemFS()
		var writes atomic.Int32
		faulty := &storagetest.Faulty{FS: fsys, Fail: func(call storagetest.Call) error {
			if call.Op == "write" && writes.Add(1) > 7 {
				return syscall.ENOSPC
			}
			return nil
		}}
		l := add(t, e, Spec{Meta: c.meta, Storage: c.on(t, faulty), Peers: []netip.AddrPort{seed.Addr()}})
		events := watch(t, l)
		time.Sleep(time.Minute)
		synctest.Wait() // what is due at this very moment is done
		s := l.Stats()
		if s.State != Stalled || storage.KindOf(s.Err) != storage.NoSpace || s.Swarm.Have > 7 {
			t.Errorf("state %+v", s)
		}
		got := kinds(events(), EventStalled, EventComplete, EventError)
		if len(got) != 1 || got[0].Kind != EventStalled || storage.KindOf(got[0].Err) != storage.NoSpace || !errors.Is(got[0].Err, syscall.ENOSPC) {
			t.Errorf("events %+v", got)
		}
		if n := len(kinds(events(), EventPieceVerified)); n != int(s.Swarm.Have) {
			t.Errorf("%d pieces were told of, %d are had", n, s.Swarm.Have)
		}
		st := c.on(t, fsys)
		defer st.Close()
		for i, state := range s.Map {
			if state != 'v' {
				continue
			}
			piece := make([]byte, len(c.piece(uint32(i))))
			if _, err := st.ReadAt(piece, int64(i)*32<<10); err != nil || !slices.Equal(piece, c.piece(uint32(i))) {
				t.Errorf("piece %d is claimed and is not there (%v)", i, err)
			}
		}
		if n := writes.Load(); n > 30 {
			t.Errorf("%d writes were tried", n)
		}
		writes.Store(-1 << 30) // space was made
		wait(t, l)
		synctest.Wait() // it is complete a moment before it is told
		c.in(t, fsys)
		if s := l.Stats(); s.Swarm.Wasted > int64(s.Swarm.Size)/4 || s.State != Seeding || s.Err != nil {
			t.Errorf("at the end: %+v", s)
		}
		if got := kinds(events(), EventStalled, EventResumed, EventComplete); len(got) != 3 || got[1].Kind != EventResumed {
			t.Errorf("events %+v", got)
		}
	})
}

// What cannot be made durable is not complete.
func TestSyncFails(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "durable", 16<<10, 100_000)
		seed := w.engine(1, Config{})
		w.seed(seed, c)
		st := &storagetest.Hooked{
			Storage:    c.on(t, storage.NewMemFS()),
			BeforeSync: func() error { return &storage.Error{Op: "sync", Path: "x", Kind: storage.IO, Err: syscall.EIO} },
		}
		l := add(t, w.engine(2, Config{}), Spec{Meta: c.meta, Storage: st, Peers: []netip.AddrPort{seed.Addr()}})
		events := watch(t, l)
		if err := l.Wait(t.Context()); storage.KindOf(err) != storage.IO {
			t.Errorf("wait: %v", err)
		}
		synctest.Wait()
		if len(kinds(events(), EventComplete)) != 0 {
			t.Error("the completion was told")
		}
	})
}

// What can't be read while it is checked holds that torrent up, with its reason, and
// no longer than it lasts.
func TestCheckFails(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "broken", 16<<10, 100_000)
		bad := &storage.Error{Op: "read", Path: "x", Kind: storage.IO, Err: syscall.EIO}
		var mended atomic.Bool
		l := add(t, w.engine(1, Config{}), Spec{Meta: c.meta, Storage: hooked(c.on(t, c.memory(t)), func() error {
			time.Sleep(time.Second)
			if mended.Load() {
				return nil
			}
			return bad
		}, nil)})
		events := watch(t, l)
		if err := l.Checked(t.Context()); err != nil {
			t.Errorf("checked: %v", err)
		}
		synctest.Wait()
		if s := l.Stats(); s.State != Stalled || !errors.Is(s.Err, bad) {
			t.Errorf("state %+v", s)
		}
		mended.Store(true)
		wait(t, l)
		synctest.Wait()
		if all := kinds(events(), EventChecked, EventStalled, EventResumed, EventComplete, EventError); len(all) != 4 {
			t.Errorf("events %+v", all)
		}
	})
}

// A disk that fails under one torrent holds that one up; the others, of the same engine
// and with the same peer, are unharmed. When it reads again the torrent goes on.
func TestReadFailsWhileServing(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		bad, good := makeContent(t, "bad", 16<<10, 300_000), makeContent(t, "good", 16<<10, 300_000)
		e := w.engine(1, Config{})
		var broken atomic.Bool
		s := add(t, e, Spec{Meta: bad.meta, Storage: hooked(bad.on(t, bad.memory(t)), func() error {
			if broken.Load() {
				return &storage.Error{Op: "read", Path: "bad/part/a", Kind: storage.IO, Err: syscall.EIO}
			}
			return nil
		}, nil)})
		wait(t, s)
		other := w.seed(e, good)
		broken.Store(true)

		leech := w.engine(2, Config{})
		x, _ := w.leech(leech, bad, e.Addr())
		y, fsys := w.leech(leech, good, e.Addr())
		wait(t, y)
		good.in(t, fsys)
		time.Sleep(10 * time.Second)
		if st := s.Stats(); st.State != Stalled || storage.KindOf(st.Err) != storage.IO || !strings.Contains(st.Err.Error(), "bad/part/a") {
			t.Errorf("the torrent that cannot be read: %v, %v", st.State, st.Err)
		}
		if st := other.Stats(); st.State != Seeding {
			t.Errorf("the other one: %+v", st)
		}
		if st := x.Stats(); st.State != Downloading || st.Swarm.Have != 0 {
			t.Errorf("who asked for it: %+v", st)
		}
		broken.Store(false)
		wait(t, x)
	})
}

// A torrent that is stopped gives its place and its files up at once, while others
// of the engine go on; and it may be stopped before, during and after everything.
func TestStopAtAnyMoment(t *testing.T) {
	for _, after := range []time.Duration{0, 1, 10, 20, 30, 50, 100, 500, 3000} {
		bubble(t, func(t *testing.T, w *world) {
			c := makeContent(t, "moment", 32<<10, 500_000)
			seed := w.engine(1, Config{})
			w.seed(seed, c)
			w.net.SetLink(hostAddr(1), hostAddr(2), slow)
			dir := t.TempDir()
			e := w.engine(2, Config{})
			l := add(t, e, Spec{Meta: c.meta, Dir: dir, Peers: []netip.AddrPort{seed.Addr()}})
			time.Sleep(after * time.Millisecond)
			start := time.Now()
			l.Stop(t.Context())
			if d := time.Since(start); d != 0 {
				t.Errorf("after %d ms stopping took %v", after, d)
			}
			e.clean(t)
			if s := l.Stats(); s.State != Stopped || s.Swarm.Peers != 0 {
				t.Errorf("after %d ms: %+v", after, s)
			}
			l = add(t, e, Spec{Meta: c.meta, Dir: dir, Peers: []netip.AddrPort{seed.Addr()}})
			wait(t, l)
			c.same(t, dir)
		})
	}
}

// A context that ends makes Wait return, and nothing else.
func TestWaitIsNotStop(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		l, _ := w.leech(w.engine(1, Config{}), makeContent(t, "wait", 16<<10, 5000))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := l.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("wait: %v", err)
		}
		if s := l.Stats(); s.State != Downloading {
			t.Errorf("state %+v", s)
		}
	})
}

// A port that is taken is told of by name, and nothing is left of the attempt.
func TestPortIsTaken(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		w.engine(1, Config{DHT: &DHTConfig{}})
		for _, cfg := range []Config{{}, {DHT: &DHTConfig{}}} {
			cfg.Network, cfg.Listen = w.net.Host(hostAddr(1)), at(1)
			if _, err := New(cfg); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "10.0.0.1:6881") {
				t.Errorf("listen on a port that is taken: %v", err)
			}
		}
		cfg := Config{Network: w.net.Host(hostAddr(2)), Listen: at(2), DHT: &DHTConfig{Nodes: []string{"no port"}}}
		if _, err := New(cfg); err == nil {
			t.Error("a way into the DHT without a port is taken")
		}
		w.engine(2, Config{DHT: &DHTConfig{}}) // the port is free again
	})
}

// A download that is stopped while blocks pour in gives every one of them back,
// wherever it was on its way.
func TestStopInFullFlow(t *testing.T) {
	c := makeContent(t, "flow", 16<<10, 1<<20)
	for round := range 6 {
		bubble(t, func(t *testing.T, w *world) {
			var peers []netip.AddrPort
			for n := byte(10); n < 13; n++ {
				w.net.SetLink(hostAddr(n), hostAddr(1), zero)
				w.seed(w.engine(n, Config{}), c)
				peers = append(peers, at(n))
			}
			e := w.engine(1, Config{Buffers: int64(1+round) * 64 << 10})
			l, _ := w.leech(e, c, peers...)
			sub := l.Subscribe()
			for pieces := 0; pieces < 8*round; {
				if ev := <-sub.C; ev.Kind == EventPieceVerified {
					pieces++
				}
			}
			l.Stop(t.Context())
			e.clean(t)
		})
	}
}

// flaky is a network whose listeners fail a few times before they work.
type flaky struct {
	netio.Network
	left atomic.Int32
}

func (f *flaky) Listen(addr netip.AddrPort) (net.Listener, error) {
	l, err := f.Network.Listen(addr)
	return &flakyListener{l, f}, err
}

type flakyListener struct {
	net.Listener
	f *flaky
}

func (l *flakyListener) Accept() (net.Conn, error) {
	if l.f.left.Add(-1) >= 0 {
		return nil, syscall.EMFILE
	}
	return l.Listener.Accept()
}

// A system that has run out of file handles for a while is outlived.
func TestAcceptFailsForAWhile(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "handles", 16<<10, 5000)
		f := &flaky{Network: w.net.Host(hostAddr(1))}
		f.left.Store(30)
		e, err := New(Config{Network: f, Listen: at(1)})
		if err != nil {
			t.Fatal(err)
		}
		w.seed(e, c)
		p := w.connect(2, e.Addr(), c)
		p.until(wire.Bitfield)
		p.nc.Close()
		// And it can be closed while it lasts.
		f.left.Store(1 << 30)
		p = w.connect(2, e.Addr(), c) // wakes the listener once more
		time.Sleep(time.Second)
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
		p.ended()
	})
}

// A reader whose every batch is in the inbox waits for one of them, and the end must not
// wait for the reader first. The trace holds the loop up at the worst moment.
func TestStopWithBatchesWaiting(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "waiting", 16<<10, 100_000)
		e := w.engine(1, Config{Trace: func(r trace.Record) {
			if r.What == "close" && r.Why == why.Stopping {
				time.Sleep(time.Second)
			}
		}})
		l, _ := w.leech(e, c)
		if err := l.Checked(t.Context()); err != nil {
			t.Fatal(err)
		}
		p := w.connect(2, e.Addr(), c)
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				time.Sleep(10 * time.Millisecond)
				if _, err := p.nc.Write(wire.AppendHave(nil, 1)); err != nil {
					return
				}
			}
		})
		time.Sleep(time.Second)
		l.Stop(t.Context())
		wg.Wait()
		p.nc.Close()
	})
}
