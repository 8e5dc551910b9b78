package catalogue_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"shoal/internal/crashfs"
	"shoal/internal/files/catalogue"
	"shoal/internal/files/resume"
	"shoal/internal/value/infohash"
)

// All that was put is there after the next start, as it was and in its order, and so
// are the settings. What is not flushed is not.
func TestKeeps(t *testing.T) {
	f := crashfs.New(nil)
	c, entries := open(t, f.Folder(folder))
	if len(entries) != 0 || c.Len() != 0 {
		t.Fatalf("%d torrents in an empty folder", len(entries))
	}
	var want []string
	for n := range 10 {
		e := entry(t, n)
		must(t, c.Put(e))
		want = append(want, describe(e))
	}
	must(t, c.SetSettings(catalogue.Settings{"download limit": "100", "upload limit": ""}))
	must(t, c.Flush(background))
	must(t, c.Put(entry(t, 11)))
	if n := c.Len(); n != 11 {
		t.Errorf("%d torrents, want 11", n)
	}
	f.Crash(crashfs.Lost, nil)
	c, entries = open(t, f.Folder(folder))
	if got := describeAll(entries); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if s := c.Settings(); len(s) != 2 || s["download limit"] != "100" {
		t.Errorf("settings %v", s)
	}
	must(t, c.Close(background))
	must(t, c.Close(background))
	if err := c.Put(entry(t, 0)); !errors.Is(err, catalogue.ErrClosed) {
		t.Errorf("put after close: %v", err)
	}
	if err := c.Flush(background); !errors.Is(err, catalogue.ErrClosed) {
		t.Errorf("flush after close: %v", err)
	}
}

// One torrent is given as all of them are at a start, before and after it is written.
func TestGet(t *testing.T) {
	f := crashfs.New(nil)
	c, _ := open(t, f.Folder(folder))
	for n := range 3 {
		must(t, c.Put(entry(t, n)))
	}
	for range 2 {
		must(t, c.SetState(entry(t, 1).InfoHash, catalogue.State{Uploaded: 77}))
		want := entry(t, 1)
		want.State = catalogue.State{Uploaded: 77}
		got, err := c.Get(want.InfoHash)
		must(t, err)
		if describe(got) != describe(want) || got.Torrent == nil || got.Torrent.InfoHash != want.InfoHash {
			t.Errorf("got\n%s\nwant\n%s", describe(got), describe(want))
		}
		must(t, c.Flush(background))
	}
	must(t, c.Move(entry(t, 2).InfoHash, 0))
	must(t, c.Remove(entry(t, 1).InfoHash))
	if _, err := c.Get(entry(t, 1).InfoHash); !errors.Is(err, catalogue.ErrUnknown) {
		t.Errorf("get what is removed: %v", err)
	}
	if got := c.Order(); len(got) != 2 || got[0] != entry(t, 2).InfoHash || got[1] != entry(t, 0).InfoHash {
		t.Errorf("the order is %v", got)
	}
	must(t, c.Close(background))
	if _, err := c.Get(entry(t, 0).InfoHash); !errors.Is(err, catalogue.ErrClosed) {
		t.Errorf("get after close: %v", err)
	}
}

// Totals, and which torrents are stopped, cost the two lists and no entry, however
// many change.
func TestStateIsOneWrite(t *testing.T) {
	f := crashfs.New(nil)
	c, _ := open(t, f.Folder(folder))
	for n := range 50 {
		must(t, c.Put(entry(t, n)))
	}
	must(t, c.Flush(background))
	f.StopAt(0)
	must(t, c.Flush(background))
	if n := f.Calls(); n != 0 {
		t.Errorf("%d calls for nothing", n)
	}
	for n := range 50 {
		must(t, c.SetState(entry(t, n).InfoHash, catalogue.State{Stopped: true, Uploaded: int64(1000 + n)}))
	}
	must(t, c.Flush(background))
	if n := f.Calls(); n != 2*(1+1+1+1)+1 { // create, write, sync, rename; and the folder
		t.Errorf("%d calls for the state of all", n)
	}
	f.Crash(crashfs.Lost, nil)
	_, entries := open(t, f.Folder(folder))
	for n, e := range entries {
		if e.State != (catalogue.State{Stopped: true, Uploaded: int64(1000 + n)}) {
			t.Errorf("torrent %d: %+v", n, e.State)
		}
	}
}

// What changes one way and another, through several starts.
func TestChanges(t *testing.T) {
	f := crashfs.New(nil)
	var c *catalogue.Catalogue
	var entries []catalogue.Entry
	again := func() {
		t.Helper()
		if c != nil {
			must(t, c.Close(background))
		}
		c, entries = open(t, f.Folder(folder))
	}
	order := func(want ...int) {
		t.Helper()
		again()
		var wants []infohash.Hash
		for _, n := range want {
			wants = append(wants, entry(t, n).InfoHash)
		}
		var got []infohash.Hash
		for _, e := range entries {
			got = append(got, e.InfoHash)
		}
		if !slices.Equal(got, wants) {
			t.Fatalf("order is\n%v, want\n%v", got, wants)
		}
	}
	hash := func(n int) infohash.Hash { return entry(t, n).InfoHash }
	again()
	for _, n := range []int{3, 1, 2} {
		must(t, c.Put(entry(t, n)))
	}
	order(3, 1, 2)
	must(t, c.Put(entry(t, 4)))
	must(t, c.Update(hash(3), func(ch *catalogue.Choices, _ *catalogue.State) { ch.Dir = "/moved" }))
	order(3, 1, 2, 4)
	if entries[0].Dir != "/moved" || entries[0].Suffix != ".part" {
		t.Errorf("updated: %+v", entries[0].Choices)
	}
	must(t, c.Move(hash(4), 0))
	order(4, 3, 1, 2)
	must(t, c.Move(hash(4), 2))
	order(3, 1, 4, 2)
	must(t, c.Move(hash(3), 99))
	order(1, 4, 2, 3)
	must(t, c.Move(hash(2), -1))
	order(2, 1, 4, 3)
	must(t, c.Put(entry(t, 5)))
	must(t, c.Move(hash(5), 1))
	must(t, c.Put(entry(t, 6)))
	order(2, 5, 1, 4, 3, 6)

	must(t, c.SetState(hash(5), catalogue.State{Uploaded: 5555}))
	must(t, c.Remove(hash(5)))
	order(2, 1, 4, 3, 6)
	for _, err := range []error{
		c.Remove(hash(5)), c.Move(hash(5), 0), c.SetState(hash(5), catalogue.State{}),
		c.Update(hash(5), func(*catalogue.Choices, *catalogue.State) { t.Error("called") }),
	} {
		if !errors.Is(err, catalogue.ErrUnknown) {
			t.Errorf("of one that was removed: %v", err)
		}
	}
	e := entry(t, 5)
	e.State = catalogue.State{Uploaded: -1, Downloaded: 3}
	must(t, c.Put(e))
	order(2, 1, 4, 3, 6, 5)
	if s := entries[5].State; s != (catalogue.State{Downloaded: 3}) {
		t.Errorf("added again, it has %+v", s)
	}
	if s, ok := c.State(hash(5)); !ok || s.Downloaded != 3 {
		t.Errorf("state %+v, %v", s, ok)
	}
	// Removed, put again, removed: with no flush in between.
	must(t, c.Remove(hash(5)))
	must(t, c.Put(entry(t, 5)))
	must(t, c.Remove(hash(5)))
	order(2, 1, 4, 3, 6)
	must(t, c.Put(entry(t, 5)))
	// Removed before it was ever written.
	must(t, c.Put(entry(t, 7)))
	must(t, c.Remove(hash(7)))
	order(2, 1, 4, 3, 6, 5)
}

// Metainfo is what its info-hash says, or is not taken.
func TestMetainfo(t *testing.T) {
	c, _ := open(t, crashfs.New(nil).Folder(folder))
	e, other := entry(t, 1), entry(t, 2)
	e.InfoHash = other.InfoHash
	if err := c.Put(e); !errors.Is(err, catalogue.ErrMetainfo) {
		t.Errorf("that of another: %v", err)
	}
	e.Metainfo = []byte("de")
	if err := c.Put(e); !errors.Is(err, catalogue.ErrMetainfo) {
		t.Errorf("none: %v", err)
	}
}

// With no folder nothing is kept, and all calls go well.
func TestNoFolder(t *testing.T) {
	c, lo, err := catalogue.Open(nil)
	must(t, err)
	if len(lo.Entries)+len(lo.Problems) != 0 {
		t.Error("there is something in no folder")
	}
	e := entry(t, 1)
	must(t, c.Put(e))
	must(t, c.Update(e.InfoHash, func(_ *catalogue.Choices, s *catalogue.State) { s.Uploaded = 7 }))
	must(t, c.Flush(background))
	if s, ok := c.State(e.InfoHash); !ok || s.Uploaded != 7 {
		t.Errorf("state %+v, %v", s, ok)
	}
	must(t, c.Remove(e.InfoHash))
	must(t, c.Close(background))
}

// A context that has ended stops a flush; the next one writes it all.
func TestFlushEnds(t *testing.T) {
	f := crashfs.New(nil)
	c, _ := open(t, f.Folder(folder))
	ctx, cancel := context.WithCancel(background)
	cancel()
	must(t, c.Put(entry(t, 1)))
	must(t, c.SetSettings(catalogue.Settings{"a": "b"}))
	if err := c.Flush(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("flush: %v", err)
	}
	must(t, c.Flush(background))
	f.Crash(crashfs.Lost, nil)
	c, entries := open(t, f.Folder(folder))
	if len(entries) != 1 || c.Settings()["a"] != "b" {
		t.Errorf("%d torrents, settings %v", len(entries), c.Settings())
	}
}

// Over a real folder; only one process has it.
func TestFolder(t *testing.T) {
	fsys, err := resume.OpenFolder(t.TempDir())
	must(t, err)
	t.Cleanup(func() { fsys.Close() })
	c, _ := open(t, fsys)
	if _, locks := fsys.(resume.Locker); locks {
		if _, _, err := catalogue.Open(fsys); !errors.Is(err, catalogue.ErrInUse) {
			t.Errorf("opened again: %v", err)
		}
	}
	c.SetWriters(4, 3000) // so that Put writes
	var want []string
	for n := range 40 {
		e := entry(t, n)
		must(t, c.Put(e))
		want = append(want, describe(e))
	}
	must(t, c.Close(background))
	c, entries := open(t, fsys)
	defer c.Close(background)
	if got := describeAll(entries); !slices.Equal(got, want) {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
}

// What a torrent costs in memory while it does nothing.
func TestMemory(t *testing.T) {
	const torrents = 2000
	f := crashfs.New(nil)
	c, _ := open(t, f.Folder(folder))
	for n := range torrents {
		must(t, c.Put(entry(t, n)))
	}
	must(t, c.Close(background))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	c, _ = open(t, f.Folder(folder))
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / torrents
	t.Logf("%d bytes a torrent", each)
	if each > 200 {
		t.Errorf("%d bytes are kept of a torrent, want at most 200", each)
	}
	runtime.KeepAlive(c)
}

// Operations in any order, with starts in between, against a model.
func TestModel(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 0))
		f := crashfs.New(nil)
		c, _ := open(t, f.Folder(folder))
		c.SetWriters(1+rng.IntN(3), rng.IntN(4000))
		var model []catalogue.Entry
		settings := catalogue.Settings{}
		find := func(h infohash.Hash) int {
			return slices.IndexFunc(model, func(e catalogue.Entry) bool { return e.InfoHash == h })
		}
		for step := range 150 {
			e := entry(t, rng.IntN(12))
			i := find(e.InfoHash)
			var err error
			switch op := rng.IntN(10); {
			case op < 3:
				e.Dir += string(rune('a' + rng.IntN(26)))
				e.Uploaded = rng.Int64N(1 << 40)
				if err = c.Put(e); i < 0 {
					model, i = append(model, e), len(model)
				}
				model[i] = e
			case op == 3:
				settings["key"] = string(rune('a' + rng.IntN(26)))
				err = c.SetSettings(settings)
			case op == 4:
				err = c.Flush(background)
			case op == 5:
				if rng.IntN(2) == 0 {
					err = c.Close(background)
				} else {
					err = c.Flush(background)
					f.Crash(crashfs.Lost, nil)
				}
				must(t, err)
				var entries []catalogue.Entry
				c, entries = open(t, f.Folder(folder))
				if got, want := describeAll(entries), describeAll(model); !slices.Equal(got, want) {
					t.Fatalf("seed %d, step %d: got\n%s\nwant\n%s", seed, step, strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				if got := c.Settings()["key"]; got != settings["key"] {
					t.Fatalf("seed %d, step %d: settings %q, want %q", seed, step, got, settings["key"])
				}
			case i < 0:
				continue
			case op == 6:
				err = c.Remove(e.InfoHash)
				model = slices.Delete(model, i, i+1)
			case op == 7:
				to := rng.IntN(len(model))
				err = c.Move(e.InfoHash, to)
				m := model[i]
				model = slices.Insert(slices.Delete(model, i, i+1), to, m)
			case op == 8:
				model[i].State = catalogue.State{Stopped: rng.IntN(2) == 0, Uploaded: rng.Int64N(100)}
				err = c.SetState(e.InfoHash, model[i].State)
			default:
				up := rng.Int64N(100)
				err = c.Update(e.InfoHash, func(ch *catalogue.Choices, s *catalogue.State) {
					if describe(catalogue.Entry{InfoHash: e.InfoHash, Metainfo: e.Metainfo, Choices: *ch, State: *s}) != describe(model[i]) {
						t.Errorf("seed %d, step %d: update is given %+v %+v", seed, step, *ch, *s)
					}
					ch.Renamed, s.Uploaded = nil, up
				})
				model[i].Renamed, model[i].Uploaded = nil, up
			}
			if err != nil {
				t.Fatalf("seed %d, step %d: %v", seed, step, err)
			}
			if c.Len() != len(model) {
				t.Fatalf("seed %d, step %d: %d torrents, want %d", seed, step, c.Len(), len(model))
			}
		}
	}
}
