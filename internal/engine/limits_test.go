package engine

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"shoal/internal/decide/quota"
)

// fetched gives the bytes that each torrent has received in d.
func fetched(d time.Duration, torrents ...*Torrent) (total int64, each []int64) {
	before := make([]int64, len(torrents))
	for i, t := range torrents {
		before[i] = t.Stats().Swarm.Downloaded
	}
	time.Sleep(d)
	for i, t := range torrents {
		each = append(each, t.Stats().Swarm.Downloaded-before[i])
		total += each[i]
	}
	return total, each
}

// near reports an amount that is not as wanted: within so many percent.
func near(t testing.TB, what string, got, want int64, percent int64) {
	t.Helper()
	if got < want*(100-percent)/100 || got > want*(100+percent)/100 {
		t.Errorf("%s: %d bytes, want %d", what, got, want)
	}
}

const kib = 1 << 10

// A limit on what is sent is that of all torrents together. They share it equally,
// however many peers each has, and what one may not use goes to the others. It can be
// changed at any time.
func TestUploadLimit(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		seed := w.engine(1, Config{Limits: Limits{Up: 256 * kib}})
		var torrents, leeches []*Torrent
		for i, peers := range []int{1, 3} {
			// Small enough that the seed does not super-seed: these peers pass nothing on.
			c := makeContent(t, fmt.Sprintf("shared %d", i), 256*kib, 14<<20)
			torrents = append(torrents, w.seed(seed, c))
			for range peers {
				// They have the seed alone: none has room to take the others in.
				e := w.engine(byte(10+len(leeches)), Config{MaxPeers: 1, Slots: NoSlots})
				l, _ := w.leech(e, c, seed.Addr())
				leeches = append(leeches, l)
			}
		}
		time.Sleep(20 * time.Second)
		total, each := fetched(30*time.Second, leeches...)
		near(t, "all", total, 30*256*kib, 2)
		near(t, "the peer of the first torrent", each[0], 30*128*kib, 5)
		for _, n := range each[1:] {
			near(t, "one of three peers", n, 10*128*kib, 20) // by blocks, of which each has few
		}

		torrents[0].SetLimits(Limits{Up: 32 * kib})
		time.Sleep(10 * time.Second)
		total, each = fetched(30*time.Second, leeches...)
		near(t, "all, with a limited torrent", total, 30*256*kib, 2)
		near(t, "the limited torrent", each[0], 30*32*kib, 5)

		seed.SetLimits(Limits{Up: 1024 * kib, PeerUp: 64 * kib})
		torrents[0].SetLimits(Limits{})
		time.Sleep(10 * time.Second)
		total, _ = fetched(30*time.Second, leeches...)
		near(t, "all, each peer limited", total, 30*4*64*kib, 3)

		seed.SetLimits(Limits{})
		for _, l := range leeches {
			wait(t, l)
		}
	})
}

// A limit on what is received holds back whoever sends, and changes at any time.
func TestDownloadLimit(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "taken slowly", 256*kib, 32<<20)
		var seeds []netip.AddrPort
		for n := range byte(3) {
			w.seed(w.engine(n+1, Config{}), c)
			seeds = append(seeds, at(n+1))
		}
		e := w.engine(9, Config{Limits: Limits{Down: 200 * kib}})
		l, _ := w.leech(e, c, seeds...)
		time.Sleep(10 * time.Second)
		total, _ := fetched(30*time.Second, l)
		near(t, "under the engine's limit", total, 30*200*kib, 2)
		l.SetLimits(Limits{Down: 50 * kib})
		time.Sleep(10 * time.Second)
		total, _ = fetched(30*time.Second, l)
		near(t, "under the torrent's limit", total, 30*50*kib, 3)
		e.SetLimits(Limits{PeerDown: 100 * kib})
		l.SetLimits(Limits{})
		time.Sleep(5 * time.Second)
		total, _ = fetched(10*time.Second, l)
		near(t, "under the limit of each peer", total, 10*300*kib, 4)
		e.SetLimits(Limits{})
		began := time.Now()
		wait(t, l)
		if d := time.Since(began); d > 10*time.Second {
			t.Errorf("without a limit the rest took %v", d)
		}
		if st := l.Stats().Swarm; st.Wasted != 0 {
			t.Errorf("%d bytes came in vain", st.Wasted)
		}
	})
}

// Under a low limit few peers are asked, so that each brings its blocks in time: what
// thirty of them would bring at once would come too late, and in vain.
func TestLowLimitWastesNothing(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{5 * kib, 20 * kib} {
		bubble(t, func(t *testing.T, w *world) {
			c := makeContent(t, "little by little", 64*kib, 300*limit+2<<20) // more than comes in five minutes
			var seeds []netip.AddrPort
			for n := range byte(30) {
				w.seed(w.engine(n+10, Config{}), c)
				seeds = append(seeds, at(n+10))
			}
			l, _ := w.leech(w.engine(9, Config{Limits: Limits{Down: limit}}), c, seeds...)
			total, _ := fetched(5*time.Minute, l)
			near(t, "in five minutes", total, 300*limit, 5)
			if s := l.Stats().Swarm; s.Wasted != 0 || s.Peers != 30 || s.Verified < total*9/10 {
				t.Errorf("of %d bytes %d came in vain, and %d are verified; %d peers", total, s.Wasted, s.Verified, s.Peers)
			}
		})
	}
}

// Where the peers that are asked bring less than may come, more are asked.
func TestLowLimitOfSlowPeers(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "slow ones", 64*kib, 16<<20)
		var seeds []netip.AddrPort
		for n := range byte(20) {
			w.seed(w.engine(n+10, Config{Limits: Limits{Up: 4 * kib}}), c)
			seeds = append(seeds, at(n+10))
		}
		l, _ := w.leech(w.engine(9, Config{Limits: Limits{Down: 48 * kib}}), c, seeds...)
		time.Sleep(2 * time.Minute)
		total, _ := fetched(2*time.Minute, l)
		near(t, "in two minutes", total, 120*48*kib, 10)
		if s := l.Stats().Swarm; 50*s.Wasted > s.Downloaded {
			t.Errorf("of %d bytes %d came in vain", s.Downloaded, s.Wasted)
		}
	})
}

// Torrents that share a low limit each have their part, and nothing comes in vain.
func TestLowLimitOfManyTorrents(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		e := w.engine(9, Config{Limits: Limits{Down: 64 * kib}})
		var all []*Torrent
		var seeds []*Engine
		for n := range byte(6) {
			seeds = append(seeds, w.engine(n+10, Config{}))
		}
		for i := range 8 {
			c := makeContent(t, fmt.Sprintf("one of eight %d", i), 64*kib, 4<<20) // of which 2.3 come in five minutes
			var addrs []netip.AddrPort
			for _, s := range seeds {
				w.seed(s, c)
				addrs = append(addrs, s.Addr())
			}
			l, _ := w.leech(e, c, addrs...)
			all = append(all, l)
		}
		total, each := fetched(5*time.Minute, all...)
		near(t, "all", total, 300*64*kib, 3)
		for i, l := range all {
			near(t, "one of eight", each[i], 300*8*kib, 10)
			if s := l.Stats().Swarm; s.Wasted > 0 {
				t.Errorf("torrent %d: of %d bytes %d came in vain", i, s.Downloaded, s.Wasted)
			}
		}
	})
}

// Peers of one's own network may be exempt.
func TestLocalPeersExempt(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "next door", 64*kib, 4<<20)
		seed := w.engine(1, Config{Limits: Limits{Up: 10 * kib}, LocalExempt: true})
		w.seed(seed, c)
		l, _ := w.leech(w.engine(2, Config{Limits: Limits{Down: 10 * kib}, LocalExempt: true}), c, seed.Addr())
		began := time.Now()
		wait(t, l)
		if d := time.Since(began); d > time.Minute {
			t.Errorf("a peer of the same network took %v", d)
		}
	})
}

// At the times of a plan other limits hold; by hand they do until the plan has something
// to say. The clock of this world begins on a Saturday at midnight.
func TestAlternativeLimits(t *testing.T) {
	t.Parallel()
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "by the clock", 256*kib, 64<<20)
		seed := w.engine(1, Config{Limits: Limits{Up: 256 * kib}})
		w.seed(seed, c)
		l, _ := w.leech(w.engine(2, Config{}), c, seed.Addr())
		is := func(want int64, alternative bool) {
			t.Helper()
			time.Sleep(5 * time.Second)
			got, alt := seed.Limits()
			if alt != alternative || got.Up != want {
				t.Errorf("at %v: %+v, alternative %v", time.Now(), got, alt)
			}
			total, _ := fetched(10*time.Second, l)
			near(t, time.Now().String(), total, 10*want, 4)
		}
		midnight := time.Now()
		until := func(d time.Duration) { time.Sleep(time.Until(midnight.Add(d))) }
		plan, err := quota.ParsePlan("sat 00:01-00:02")
		if err != nil {
			t.Fatal(err)
		}
		seed.SetAlternative(Limits{Up: 64 * kib}, plan)
		is(256*kib, false)
		until(time.Minute)
		is(64*kib, true)
		seed.UseAltLimits(false)
		is(256*kib, false)
		seed.UseAltLimits(true)
		is(64*kib, true)
		until(2 * time.Minute)
		is(256*kib, false)
		seed.UseAltLimits(true)
		seed.SetLimits(Limits{})
		is(64*kib, true)
		seed.UseAltLimits(false)
		wait(t, l)
	})
}

// A torrent under a limit stops at once.
func TestStopUnderLimit(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "stopped", 64*kib, 4<<20)
		seed := w.engine(1, Config{Limits: Limits{Up: 100}})
		w.seed(seed, c)
		l, _ := w.leech(w.engine(2, Config{Limits: Limits{Down: 100}}), c, seed.Addr())
		time.Sleep(time.Minute)
		began := time.Now()
		l.Stop(t.Context())
		seed.Close(t.Context())
		if d := time.Since(began); d > time.Second {
			t.Errorf("stopping took %v", d)
		}
	})
}

// BenchmarkLimit tells how well a limit of 2 MiB/s is kept over five seconds of real time,
// over sockets of this machine: by an upload limit, and by a download limit.
func BenchmarkLimit(b *testing.B) {
	const limit = 2 << 20
	for _, bench := range []struct {
		name       string
		seed, take Limits
	}{
		{"up", Limits{Up: limit}, Limits{}},
		{"down", Limits{}, Limits{Down: limit}},
	} {
		b.Run(bench.name, func(b *testing.B) {
			for b.Loop() {
				c := makeContent(b, "limit "+bench.name, 256*kib, 64<<20)
				dir := b.TempDir()
				c.write(b, dir)
				from, to := loopback(b, Config{Limits: bench.seed}), loopback(b, Config{Limits: bench.take})
				s := add(b, from, Spec{Meta: c.meta, Dir: dir})
				wait(b, s)
				t := add(b, to, Spec{Meta: c.meta, Dir: b.TempDir(), Peers: []netip.AddrPort{from.Addr()}})
				time.Sleep(2 * time.Second)
				before, began := bytesIn(t)
				time.Sleep(5 * time.Second)
				after, ended := bytesIn(t)
				per := float64(after-before) / ended.Sub(began).Seconds()
				b.ReportMetric(per/(1<<20), "MiB/s")
				b.ReportMetric(100*(per/limit-1), "%off")
				to.Close(b.Context())
				from.Close(b.Context())
			}
		})
	}
}

// bytesIn gives what a torrent has received, and when that was so.
func bytesIn(t *Torrent) (int64, time.Time) {
	for last := t.Stats().At; ; time.Sleep(time.Millisecond) {
		if s := t.Stats(); s.At != last {
			return s.Swarm.Downloaded, s.At
		}
	}
}
