package engine

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/value/block"
	"shoal/internal/value/why"
)

// One port serves every torrent of an engine, in both directions at once.
func TestSeveralTorrentsBehindOnePort(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		var all []payload
		for _, name := range []string{"one", "two", "three", "four"} {
			all = append(all, makeContent(t, name, 32<<10, 200_000, 0, 17))
		}
		a, b := w.engine(1, Config{}), w.engine(2, Config{})
		for i, c := range all {
			from, to := a, b
			if i%2 == 1 {
				from, to = b, a
			}
			w.seed(from, c)
			l, fsys := w.leech(to, c, from.Addr())
			wait(t, l)
			defer c.in(t, fsys)
		}
		if n := len(a.Torrents()); n != len(all) {
			t.Errorf("%d torrents on the list, want %d", n, len(all))
		}
		for i, tor := range a.Torrents() {
			if tor.InfoHash() != all[i].meta.InfoHash {
				t.Errorf("torrent %d is not the one that was added as such", i)
			}
		}
	})
}

// A torrent that is complete serves on: a third peer downloads from the second,
// which never saw the seed again.
func TestDownloadBecomesASeed(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "relay", 64<<10, 500_000)
		first := w.engine(1, Config{})
		w.seed(first, c)
		second := w.engine(2, Config{})
		l, _ := w.leech(second, c, first.Addr())
		wait(t, l)
		if err := first.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		third := w.engine(3, Config{})
		last, fsys := w.leech(third, c, second.Addr())
		wait(t, last)
		c.in(t, fsys)
		if st := last.Stats(); st.State != Seeding || st.Swarm.Downloaded != int64(len(c.data)) || st.Swarm.Wasted != 0 {
			t.Errorf("after the download: %+v", st)
		}
	})
}

// Peers of one swarm trade: all four get everything although only one began
// with it, and it did not send everything to each.
func TestSwarmOfFour(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "trade", 16<<10, 2<<20)
		var addrs []netip.AddrPort
		for n := range byte(4) {
			addrs = append(addrs, at(n+1))
			// A slow uplink at the seed, so that others get to give.
			w.net.SetLink(hostAddr(1), hostAddr(n+1), slow)
		}
		s := w.seed(w.engine(1, Config{}), c)
		var done []func()
		for n := range byte(3) {
			l, fsys := w.leech(w.engine(n+2, Config{}), c, addrs...)
			done = append(done, func() { wait(t, l); c.in(t, fsys) })
		}
		for _, f := range done {
			f()
		}
		if up := s.Stats().Swarm.Uploaded; up > 5*int64(len(c.data))/2 {
			t.Errorf("the seed sent %d bytes of %d: the others did not trade", up, len(c.data))
		}
	})
}

// What is on disk is used: only what is missing is fetched, and what is damaged
// is fetched again.
func TestResume(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "resume", 32<<10, 10*32<<10)
		seed := w.engine(1, Config{})
		w.seed(seed, c)

		fsys := c.memory(t, 0, 1, 2, 5, 9)
		damaged := slices.Clone(c.piece(2))
		damaged[12345] ^= 1
		c.put(t, fsys, 2, damaged)

		leech := w.engine(2, Config{})
		l := add(t, leech, Spec{Meta: c.meta, Storage: c.on(t, fsys), Peers: []netip.AddrPort{seed.Addr()}})
		if err := l.Checked(t.Context()); err != nil {
			t.Fatal(err)
		}
		wait(t, l)
		c.in(t, fsys)
		if got, want := l.Stats().Swarm.Downloaded, int64(6*32<<10); got != want {
			t.Errorf("%d bytes were downloaded, %d were missing", got, want)
		}
	})
}

// Real files: one is longer than the torrent says, and keeps its foreign bytes; one is
// cut short; one is missing. None is truncated.
func TestFilesOnDisk(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "files", 16<<10, 40_000, 0, 50_000, 33_333)
		seed := w.engine(1, Config{})
		w.seed(seed, c)

		dir := t.TempDir()
		c.write(t, dir)
		long, short, gone := filepath.Join(dir, "files", "part", "a"), filepath.Join(dir, "files", "part", "c"), filepath.Join(dir, "files", "part", "d")
		foreign := []byte("this belongs to somebody else")
		f, err := os.OpenFile(long, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.Write(foreign)
			f.Close()
		}
		if err == nil {
			err = os.Truncate(short, 20_000)
		}
		if err == nil {
			err = os.Remove(gone)
		}
		if err != nil {
			t.Fatal(err)
		}

		leech := w.engine(2, Config{})
		l := add(t, leech, Spec{Meta: c.meta, Dir: dir, Peers: []netip.AddrPort{seed.Addr()}})
		wait(t, l)
		l.Stop(t.Context())
		if n := leech.files.OpenFiles(); n != 0 {
			t.Errorf("%d files are open after Stop", n)
		}
		c.files[filepath.Join("files", "part", "a")] = append(c.files[filepath.Join("files", "part", "a")], foreign...)
		c.same(t, dir)
	})
}

// Somebody who sends garbage is banned, and the download completes from who does not.
func TestLiarIsBanned(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "honest", 64<<10, 640_000)
		liar := w.lie(66, c, func(ref block.Ref, data []byte) { data[0] ^= 0xff })
		leech := w.engine(2, Config{})
		l, fsys := w.leech(leech, c, liar)
		events := watch(t, l)
		for i := 0; len(kinds(events(), EventBanned)) == 0; i++ {
			if i == 60 {
				t.Fatalf("not banned after a minute: %+v", l.Stats())
			}
			time.Sleep(time.Second)
		}

		// The whole address stays out, by whatever way it comes.
		p := w.connect(66, leech.Addr(), c)
		p.ended()

		// Somebody else brings what the liar did not.
		seed := w.engine(1, Config{})
		add(t, seed, Spec{Meta: c.meta, Storage: c.on(t, c.memory(t)), Peers: []netip.AddrPort{leech.Addr()}})
		wait(t, l)
		c.in(t, fsys)
		if b := kinds(events(), EventBanned); len(b) != 1 || b[0].Peer.Addr() != liar.Addr() {
			t.Errorf("banned: %+v, want only %v", b, liar)
		}
	})
}

// One bad block among many senders: the good copy tells who lied.
func TestLiarAmongOthers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "mixed", 256<<10, 3<<20)
		liar := w.lie(66, c, func(ref block.Ref, data []byte) { data[len(data)-1] ^= 1 })
		peers := []netip.AddrPort{liar}
		for n := byte(10); n < 13; n++ {
			w.seed(w.engine(n, Config{}), c)
			peers = append(peers, at(n))
		}
		log := &notes{}
		l, fsys := w.leech(w.engine(2, Config{Trace: log.add}), c, peers...)
		events := watch(t, l)
		wait(t, l)
		c.in(t, fsys)
		for _, e := range kinds(events(), EventBanned) {
			if e.Peer.Addr() != liar.Addr() {
				t.Errorf("%v is banned: %s", e.Peer, e.Text)
			}
		}
		if failed := len(kinds(events(), EventPieceFailed)); failed == 0 {
			t.Error("no piece failed: the liar was not asked for anything")
		} else if n := log.count("ban", netip.AddrPort{}, why.None); n != 1 {
			t.Errorf("%d pieces failed, and the liar was banned %d times", failed, n)
		}
	})
}

// A snapshot does not change once it was given.
func TestSnapshotsAreImmutable(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "snapshot", 16<<10, 2<<20)
		seed := w.engine(1, Config{})
		w.seed(seed, c)
		w.net.SetLink(hostAddr(1), hostAddr(2), slow)
		l, _ := w.leech(w.engine(2, Config{}), c, seed.Addr())
		type kept struct {
			now  *Stats
			then Stats
			m    []byte
		}
		var all []kept
		states := map[State]bool{}
		for {
			s := l.Stats()
			all = append(all, kept{s, *s, slices.Clone(s.Map)})
			states[s.State] = true
			if s.State == Seeding {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		for i, k := range all {
			if !reflect.DeepEqual(*k.now, k.then) || !slices.Equal(k.now.Map, k.m) {
				t.Errorf("snapshot %d changed: %+v, was %+v", i, *k.now, k.then)
			}
			if i > 0 && k.then.Swarm.Have < all[i-1].then.Swarm.Have {
				t.Errorf("snapshot %d has %d pieces, the one before had %d", i, k.then.Swarm.Have, all[i-1].then.Swarm.Have)
			}
		}
		if !states[Downloading] || len(all) < 10 {
			t.Errorf("%d snapshots, states %v: the download was not seen", len(all), states)
		}
	})
}

// What happened is told in an order that makes sense, and the last word arrives
// even at a listener that never reads in between.
func TestEvents(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "events", 16<<10, 400*16<<10)
		seed := w.engine(1, Config{})
		w.seed(seed, c)
		// One piece is there, and takes a second to be checked: time to subscribe.
		st := hooked(c.on(t, c.memory(t, 0)), func() error { time.Sleep(time.Second); return nil }, nil)
		l := add(t, w.engine(2, Config{}), Spec{Meta: c.meta, Storage: st, Peers: []netip.AddrPort{seed.Addr()}})
		lazy := l.Subscribe()
		events := watch(t, l)
		wait(t, l)
		l.Stop(t.Context())
		synctest.Wait()

		all := events()
		var order []EventKind
		for _, e := range all {
			if e.Kind != EventPieceVerified {
				order = append(order, e.Kind)
			}
		}
		// The seed is left when both are complete; whether that is told before or
		// after the completion depends on who closes first.
		want := [][]EventKind{
			{EventChecked, EventPeerJoined, EventPeerLeft, EventComplete, EventStopped},
			{EventChecked, EventPeerJoined, EventComplete, EventPeerLeft, EventStopped},
		}
		if !slices.Equal(order, want[0]) && !slices.Equal(order, want[1]) {
			t.Errorf("events %v", order)
		}
		if n := len(kinds(all, EventPieceVerified)); n != 399 {
			t.Errorf("%d pieces were told", n)
		}
		for _, e := range kinds(all, EventPeerJoined, EventPeerLeft) {
			if e.Peer != seed.Addr() {
				t.Errorf("a peer at %v joined or left", e.Peer)
			}
		}

		var last Event
		n := 0
		for e := range lazy.C {
			last = e
			n++
		}
		if last.Kind != EventStopped || n != eventBuffer {
			t.Errorf("the lazy listener got %d events, the last is %+v", n, last)
		}
		after := l.Subscribe()
		if _, more := <-after.C; more {
			t.Error("a torrent that has stopped has something to tell")
		}
		lazy.Close()
		after.Close()
	})
}

// A slow disk and few buffers: the peers wait, nothing is lost.
func TestBackPressure(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "pressure", 128<<10, 2<<20)
		var peers []netip.AddrPort
		for n := byte(1); n <= 3; n++ {
			w.seed(w.engine(n, Config{}), c)
			peers = append(peers, at(n))
		}
		e := w.engine(9, Config{Buffers: 6 * block.Size, Workers: 1})
		fsys := c.memory(t, 3)
		l := add(t, e, Spec{Meta: c.meta, Peers: peers, Storage: hooked(c.on(t, fsys), nil, func() error {
			time.Sleep(300 * time.Millisecond)
			return nil
		})})
		for l.Stats().State != Seeding {
			time.Sleep(50 * time.Millisecond)
			if n := e.disks.BuffersInUse(); n > 6 {
				t.Fatalf("%d buffers are in use, 6 are allowed", n)
			}
			if at := l.Stats(); time.Since(e.origin) > 10*time.Minute {
				t.Fatalf("stuck: %+v", at)
			}
		}
		wait(t, l)
		c.in(t, fsys)
	})
}

// A torrent of empty files is complete once they exist.
func TestNothingToDownload(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		dir := t.TempDir()
		c := makeContent(t, "empty", 16<<10, 0, 0)
		l := add(t, w.engine(1, Config{}), Spec{Meta: c.meta, Dir: dir})
		wait(t, l)
		c.same(t, dir)
		if st := l.Stats(); st.State != Seeding {
			t.Errorf("state %+v", st)
		}
	})
}

// SeedOnly asks for nothing, and serves what is there.
func TestSeedOnly(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "partial", 16<<10, 10*16<<10)
		whole := w.engine(1, Config{})
		w.seed(whole, c)
		e := w.engine(2, Config{})
		part := add(t, e, Spec{
			Meta: c.meta, SeedOnly: true, Peers: []netip.AddrPort{whole.Addr()},
			Storage: c.on(t, c.memory(t, 4, 5, 6)),
		})
		l, _ := w.leech(w.engine(3, Config{}), c, e.Addr())
		time.Sleep(time.Minute)
		if st := part.Stats(); st.State != Incomplete || st.Swarm.Downloaded != 0 || st.Swarm.Have != 3 {
			t.Errorf("the partial seed: %+v", st)
		}
		if st := l.Stats(); st.State != Downloading || st.Swarm.Have != 3 {
			t.Errorf("who downloads from it: %+v", st)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := part.Wait(ctx); err != context.DeadlineExceeded {
			t.Errorf("wait for a partial seed: %v", err)
		}
	})
}
