package catalogue_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/crashfs"
	"shoal/internal/files/catalogue"
	"shoal/internal/value/infohash"
)

// promise is what may be found after a stop: of each torrent what was durable, or what
// was put since.
type promise struct {
	fs       *crashfs.FS
	c        *catalogue.Catalogue
	now      map[infohash.Hash]catalogue.Entry
	order    []infohash.Hash
	choices  map[infohash.Hash][]string // allowed; "" for none
	states   map[infohash.Hash][]catalogue.State
	settings []string

	patient bool // goes on after an error
}

func newPromise(f *crashfs.FS) *promise {
	return &promise{
		fs: f, now: map[infohash.Hash]catalogue.Entry{}, choices: map[infohash.Hash][]string{},
		states: map[infohash.Hash][]catalogue.State{}, settings: []string{""},
	}
}

func choices(e catalogue.Entry) string {
	e.State = catalogue.State{}
	return describe(e)
}

// note notes what a torrent is now, and may be after a stop.
func (p *promise) note(h infohash.Hash, e *catalogue.Entry) {
	if len(p.choices[h]) == 0 {
		p.choices[h] = []string{""}
	}
	if e == nil {
		delete(p.now, h)
		p.order = slices.DeleteFunc(p.order, func(o infohash.Hash) bool { return o == h })
		p.choices[h] = append(p.choices[h], "")
		return
	}
	if _, ok := p.now[h]; !ok {
		p.order = append(p.order, h)
	}
	p.now[h] = *e
	p.choices[h] = append(p.choices[h], choices(*e))
	p.states[h] = append(p.states[h], e.State)
}

// flush flushes; then only what is now may be found.
func (p *promise) flush() error {
	if err := p.c.Flush(background); err != nil {
		return err
	}
	for h := range p.choices {
		p.choices[h], p.states[h] = []string{""}, nil
		if e, ok := p.now[h]; ok {
			p.choices[h], p.states[h] = []string{choices(e)}, []catalogue.State{e.State}
		}
	}
	p.settings = p.settings[len(p.settings)-1:]
	return nil
}

// run is a process that does a little of everything. The first error ends it, or,
// when it is patient, is gone past.
func (p *promise) run(t *testing.T) (err error) {
	c, _, err := catalogue.Open(p.fs.Folder(folder))
	if err != nil {
		return err
	}
	p.c = c
	c.SetWriters(1, 1500) // in order, and Put writes too
	put := func(n int, dir string) func() error {
		return func() error {
			e := entry(t, n)
			e.Dir = dir
			if _, ok := p.now[e.InfoHash]; ok {
				e.State = p.now[e.InfoHash].State
			}
			err := c.Put(e)
			if err == nil {
				p.note(e.InfoHash, &e)
			}
			return err
		}
	}
	change := func(n int, s catalogue.State, dir string) func() error {
		return func() error {
			h := entry(t, n).InfoHash
			e, ok := p.now[h]
			if !ok {
				return nil // it was not put
			}
			e.State = s
			var err error
			if dir == "" {
				err = c.SetState(h, s)
			} else {
				e.Dir = dir
				err = c.Update(h, func(ch *catalogue.Choices, st *catalogue.State) { ch.Dir, *st = dir, s })
			}
			if err == nil {
				p.note(h, &e)
			}
			return err
		}
	}
	set := func(v string) func() error {
		return func() error {
			p.settings = append(p.settings, v)
			return c.SetSettings(catalogue.Settings{"v": v})
		}
	}
	remove := func(n int) func() error {
		return func() error {
			h := entry(t, n).InfoHash
			if _, ok := p.now[h]; !ok {
				return nil
			}
			p.note(h, nil)
			return c.Remove(h)
		}
	}
	for _, step := range []func() error{
		put(0, "/a"), p.flush,
		put(1, "/b"), put(2, "/c"), put(3, "/d"), set("one"), p.flush,
		change(1, catalogue.State{Uploaded: 5000, Stopped: true}, ""), p.flush,
		change(2, catalogue.State{Downloaded: 6000}, "/moved"), change(0, catalogue.State{Uploaded: 1}, ""), p.flush,
		remove(1), put(4, "/e"), p.flush,
		put(1, "/again"), set("two"), put(0, "/a2"), p.flush,
		remove(3), put(3, "/once more"), change(4, catalogue.State{Stopped: true}, ""),
		p.flush,
	} {
		if serr := step(); serr != nil {
			if err = serr; !p.patient {
				return err
			}
		}
	}
	return err
}

// verify opens the catalogue and compares.
func (p *promise) verify(t *testing.T, when string) {
	t.Helper()
	c, lo, err := catalogue.Open(p.fs.Folder(folder))
	if err != nil {
		t.Fatalf("%s: open: %v", when, err)
	}
	for _, pr := range lo.Problems {
		t.Errorf("%s: a stop is taken for damage: %v", when, pr)
	}
	found := map[infohash.Hash]catalogue.Entry{}
	for _, e := range lo.Entries {
		found[e.InfoHash] = e
	}
	for h, allowed := range p.choices {
		e, ok := found[h]
		is := ""
		if ok {
			is = choices(e)
		}
		if !slices.Contains(allowed, is) {
			t.Errorf("%s: found %q, want one of\n%s", when, is, strings.Join(allowed, "\n"))
		}
		if ok && !slices.Contains(p.states[h], e.State) {
			t.Errorf("%s: %v has %+v, want one of %+v", when, h, e.State, p.states[h])
		}
		delete(found, h)
	}
	if len(found) > 0 {
		t.Errorf("%s: there are torrents that were never put: %v", when, found)
	}
	if s := c.Settings()["v"]; !slices.Contains(p.settings, s) {
		t.Errorf("%s: settings are %q, want one of %q", when, s, p.settings)
	}
	if t.Failed() {
		t.FailNow()
	}
	p.c = c
}

// The process, or the system, stops at every call in turn. Every torrent is then
// what it was at the last flush or what it was made since; and what is done then is
// durable.
func TestCrashAtEveryCall(t *testing.T) {
	for _, mode := range crashfs.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			seeds := uint64(1)
			if mode == crashfs.Torn {
				seeds = 4
			}
			for n, stopped := 1, true; stopped; n++ {
				for seed := range seeds {
					f := crashfs.New(nil)
					p := newPromise(f)
					f.StopAt(n)
					err := p.run(t)
					if stopped = f.Stopped(); !stopped && err != nil {
						t.Fatalf("without a stop: %v", err)
					}
					when := fmt.Sprintf("stopped at call %d, seed %d", n, seed)
					f.Crash(mode, rand.New(rand.NewPCG(seed, 7)))
					p.verify(t, when)
					e := entry(t, 9)
					must(t, p.c.Put(e))
					must(t, p.c.Close(background))
					p.note(e.InfoHash, &e)
					p.choices[e.InfoHash] = p.choices[e.InfoHash][1:]
					f.Crash(crashfs.Lost, nil)
					p.verify(t, when+", and once more")
					for _, name := range names(t, f) {
						if strings.HasSuffix(name, ".new") || strings.HasSuffix(name, ".damaged") {
							t.Fatalf("%s: %s is left", when, name)
						}
					}
				}
				if !stopped {
					t.Logf("stopped at each of %d calls", n-1)
				}
			}
		})
	}
}

// Every call fails once, and from then on until it ends. The rest is as good as can be,
// and a flush after that brings all of it; a loss of power then takes nothing.
func TestFailAtEveryCall(t *testing.T) {
	for _, forever := range []bool{false, true} {
		for _, kind := range []error{syscall.ENOSPC, syscall.EIO} {
			t.Run(fmt.Sprintf("%v, forever %v", kind, forever), func(t *testing.T) {
				t.Parallel()
				for n, failed := 2, true; failed; n++ { // the first is List
					f := crashfs.New(nil)
					p := newPromise(f)
					p.patient, failed = true, false
					f.FailWhen(func(c crashfs.Call) error {
						if c.N == n || forever && c.N > n {
							failed = true
							return kind
						}
						return nil
					})
					err := p.run(t)
					if failed && err == nil && n > 3 && forever {
						t.Fatalf("call %d failed and was not told", n)
					}
					if err != nil && !errors.Is(err, kind) {
						t.Fatalf("call %d fails with %v: %v", n, kind, err)
					}
					f.FailWhen(nil)
					must(t, p.flush())
					want := p.order
					f.Crash(crashfs.Lost, nil)
					p.verify(t, fmt.Sprintf("call %d failed", n))
					_ = p.c.Close(background)
					_, entries := open(t, f.Folder(folder))
					var order []infohash.Hash
					for _, e := range entries {
						order = append(order, e.InfoHash)
					}
					if !slices.Equal(order, want) {
						t.Fatalf("call %d failed: order %v, want %v", n, order, want)
					}
				}
			})
		}
	}
}

// Opening a folder with damage in each file stops, or fails, at every call. The next
// start finds all that can be found, and what was damaged is still there.
func TestStopWhileMending(t *testing.T) {
	whole, want := three(t)
	damaged := map[string][]byte{}
	for name, b := range whole {
		damaged[name] = bytes.Clone(b)
		damaged[name][len(b)/2] ^= 4
	}
	lost := entry(t, 1).InfoHash.String() + ".entry"
	clear(damaged[lost][len(damaged[lost])-60:]) // this one can't be corrected
	left := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return strings.HasPrefix(s, strings.TrimSuffix(lost, ".entry")) })
	check := func(f *crashfs.FS, when string) {
		t.Helper()
		c, lo := openDamaged(t, f.Folder(folder))
		if got := describeAll(lo.Entries); !slices.Equal(got, left) || c.Settings()["limit"] != "7" {
			t.Fatalf("%s: %v, got\n%s", when, lo.Problems, strings.Join(got, "\n"))
		}
		must(t, c.Close(background))
		all := files(t, f)
		for name, b := range damaged {
			kept := false
			for other, content := range all {
				kept = kept || strings.HasPrefix(other, name) && bytes.Equal(content, b)
			}
			if !kept {
				t.Fatalf("%s: what was damaged of %s is gone: %v", when, name, names(t, f))
			}
		}
		f.Crash(crashfs.Lost, nil)
		if _, entries := open(t, f.Folder(folder)); !slices.Equal(describeAll(entries), left) {
			t.Fatalf("%s: the start after that: %v", when, describeAll(entries))
		}
	}
	for _, mode := range crashfs.Modes() {
		for n, stopped := 1, true; stopped; n++ {
			f := fill(t, damaged)
			f.StopAt(n)
			if c, _, err := catalogue.Open(f.Folder(folder)); err == nil {
				c.SetWriters(1, 0)
			}
			stopped = f.Stopped()
			f.Crash(mode, rand.New(rand.NewPCG(uint64(n), 1)))
			check(f, fmt.Sprintf("%v at call %d", mode, n))
		}
	}
	for _, forever := range []bool{false, true} {
		for n, failed := 1, true; failed; n++ {
			f := fill(t, damaged)
			failed = false
			f.FailWhen(func(c crashfs.Call) error {
				if c.N == n || forever && c.N > n {
					failed = true
					return syscall.EIO
				}
				return nil
			})
			if c, _, err := catalogue.Open(f.Folder(folder)); err == nil && n%2 == 0 {
				f.FailWhen(nil)
				must(t, c.Close(background))
			}
			f.Crash(crashfs.Lost, nil)
			check(f, fmt.Sprintf("call %d failed, forever %v", n, forever))
		}
	}
}
