package engine

import (
	"errors"
	"math"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/decide/room"
	"shoal/internal/decide/swarm/picker"
	"shoal/internal/files/storage"
)

// roomy is what a volume says that has this much left.
func roomy(volume uint64, free int64) storage.Space {
	return storage.Space{Volume: volume, Free: free, Total: 1 << 40}
}

// with starts a process, and adds the torrent with a changed spec.
func (k *crashing) with(change func(*Spec)) *Torrent {
	k.t.Helper()
	e := k.process()
	spec := Spec{Meta: k.c.meta, Dir: "/home", Peers: []netip.AddrPort{k.seed.Addr()}}
	change(&spec)
	return add(k.t, e, spec)
}

// A volume that is too small is told before the first byte. Where the torrent needs the room it
// writes nothing, and goes on by itself when there is some.
func TestTooLittleRoom(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.crashing(false) // 100,000 bytes
		k.fs.SetSpace("home", roomy(1, 99_999))
		l := k.with(func(s *Spec) { s.NeedRoom = true })
		checkedNow(t, l)
		time.Sleep(time.Minute)
		s := l.Stats()
		var short *room.Shortage
		if s.State != Stalled || !errors.As(s.Err, &short) || short.Need != 100_000 || short.Free != 99_999 || short.Others != 0 || short.Dir != "/home" {
			t.Fatalf("%v: %v, %+v", s.State, s.Err, short)
		}
		if got := k.list("home"); len(got) > 0 || s.Swarm.Downloaded > 0 {
			t.Fatalf("%d bytes came, and these were made: %v", s.Swarm.Downloaded, got)
		}
		k.fs.SetSpace("home", roomy(1, 100_000))
		wait(t, l)
		synctest.Wait()
		if l.Short() != nil {
			t.Errorf("complete, and %v", l.Short())
		}
	})
}

// Without that it is told, and begins: there may be room when it is needed. What is told ends
// when there is.
func TestTooLittleRoomIsTold(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.crashing(false)
		k.fs.SetSpace("home", roomy(1, 10_000))
		k.fs.FailWhen(func(c crashfs.Call) error { return nil })
		w.net.SetLink(hostAddr(100), hostAddr(1), slow)
		l := k.with(func(s *Spec) {})
		sub := l.Subscribe()
		checkedNow(t, l)
		told := 0
		for len(sub.C) > 0 {
			if ev := <-sub.C; ev.Kind == EventSpace {
				told++
				if short, ok := errors.AsType[*room.Shortage](ev.Err); !ok || short.Need != 100_000 || !strings.Contains(ev.Text, "97.7 KiB are needed, and 9.8 KiB are free") {
					t.Errorf("told: %q, %v", ev.Text, ev.Err)
				}
			}
		}
		if told != 1 || l.Short() == nil {
			t.Errorf("told %d times; %v", told, l.Short())
		}
		k.fs.SetSpace("home", roomy(1, 1<<30))
		time.Sleep(2 * 5 * time.Second)
		if l.Short() != nil {
			t.Errorf("there is room, and %v", l.Short())
		}
		wait(t, l)
	})
}

// What is counted: only what is still to be written, on the volume that it goes to, together
// with what others still write there.
func TestRoomIsCounted(t *testing.T) {
	half := func(s *Spec) { // without the second file
		s.Priorities = []uint8{picker.Normal, picker.Skip, picker.Normal, picker.Normal}
	}
	for what, c := range map[string]struct {
		spaces map[string]storage.Space
		change func(*Spec)
		before func(k *crashing)
		need   int64 // 0: it fits
	}{
		"exactly enough":                 {spaces: map[string]storage.Space{"home": roomy(1, 100_000)}},
		"nobody knows":                   {},
		"0 of 0":                         {spaces: map[string]storage.Space{"home": {Volume: 1}}},
		"more free than there is":        {spaces: map[string]storage.Space{"home": {Volume: 1, Free: 5, Total: 3}}},
		"beyond everything":              {spaces: map[string]storage.Space{"home": {Volume: 1, Free: math.MaxInt64, Total: math.MaxInt64}}},
		"a file left out":                {spaces: map[string]storage.Space{"home": roomy(1, 70_000)}, change: half},
		"a file left out, and too small": {spaces: map[string]storage.Space{"home": roomy(1, 49_999)}, change: half, need: 50_000},
		"no files left":                  {spaces: map[string]storage.Space{"home": {Volume: 1, Free: 1 << 30, Total: 1 << 40, Files: 10, FreeFiles: 5}}, need: 100_000},
		"files left":                     {spaces: map[string]storage.Space{"home": {Volume: 1, Free: 1 << 30, Total: 1 << 40, Files: 10, FreeFiles: 6}}},
		"moved to a small volume when complete": {
			spaces: map[string]storage.Space{"aside": roomy(1, 1<<30), "home": roomy(2, 1000)},
			change: func(s *Spec) { s.Paths = &Paths{IncompleteDir: "/aside"} }, need: 100_000,
		},
		"written on a small volume": {
			spaces: map[string]storage.Space{"aside": roomy(1, 1000), "home": roomy(2, 1<<30)},
			change: func(s *Spec) { s.Paths = &Paths{IncompleteDir: "/aside"} }, need: 100_000,
		},
		"moved on one volume": {
			spaces: map[string]storage.Space{"aside": roomy(1, 100_000), "home": roomy(1, 100_000)},
			change: func(s *Spec) { s.Paths = &Paths{IncompleteDir: "/aside"} },
		},
		"complete, and the volume is full": {
			spaces: map[string]storage.Space{"home": roomy(1, 0)},
			before: func(k *crashing) {
				e, l := k.start(nil)
				wait(k.t, l)
				e.Close(k.t.Context())
			},
		},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.crashing(false)
				if c.before != nil {
					c.before(k)
				}
				for dir, s := range c.spaces {
					k.fs.SetSpace(dir, s)
				}
				l := k.with(func(s *Spec) {
					s.NeedRoom = true
					if c.change != nil {
						c.change(s)
					}
				})
				s := checkedNow(t, l)
				short, _ := errors.AsType[*room.Shortage](s.Err)
				switch {
				case c.need == 0 && short != nil:
					t.Errorf("%v", s.Err)
				case c.need == 0:
					wait(t, l)
				case short == nil:
					t.Errorf("it fits: %v, %v", s.State, s.Err)
				case short.Need < c.need || short.Need > c.need+2<<14: // pieces at the edges go to the part file
					t.Errorf("%+v, want %d", short, c.need)
				}
			})
		})
	}
}

// Two that fit one by one do not fit together; when the first is complete the volume has less
// room, and the second needs no more than before.
func TestRoomWithOthers(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.crashing(false)
		other := makeContent(t, "other", 16<<10, 300_000)
		w.seed(k.seed, other)
		w.net.SetLink(hostAddr(100), hostAddr(1), slow)
		k.fs.SetSpace("home", roomy(1, 350_000))
		e := k.process()
		first := add(t, e, Spec{Meta: other.meta, Dir: "/home", NeedRoom: true, Peers: []netip.AddrPort{k.seed.Addr()}})
		if s := checkedNow(t, first); s.State != Downloading {
			t.Fatalf("the first: %v, %v", s.State, s.Err)
		}
		second := add(t, e, Spec{Meta: k.c.meta, Dir: "/home", NeedRoom: true, Peers: []netip.AddrPort{k.seed.Addr()}})
		s := checkedNow(t, second)
		short, ok := errors.AsType[*room.Shortage](s.Err)
		if !ok || short.Need != 100_000 || short.Others <= 250_000 || short.Others > 300_000 {
			t.Fatalf("the second: %v, %v", s.State, s.Err)
		}
		wait(t, first)
		k.fs.SetSpace("home", roomy(1, 50_000))
		time.Sleep(time.Minute)
		if short, ok = errors.AsType[*room.Shortage](second.Stats().Err); !ok || short.Others != 0 {
			t.Fatalf("the second alone: %v", second.Stats().Err)
		}
		k.fs.SetSpace("home", roomy(1, 100_000))
		wait(t, second)
	})
}
