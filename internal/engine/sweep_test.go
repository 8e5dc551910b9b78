package engine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"shoal/internal/files/journals"
	"shoal/internal/files/resume"
	"shoal/metainfo"
)

// Journals that nobody has used for long go when their folder is gone, and in the end in
// any case; never those of torrents that run or are remembered, or are being written.
func TestSweep(t *testing.T) {
	state := t.TempDir()
	here, away := t.TempDir(), filepath.Join(t.TempDir(), "away")
	mkdir(t, away)
	const day = 24 * time.Hour
	const half, two = 180*day + day, 2*365*day + day
	cases := []struct {
		name string
		dir  string
		age  time.Duration
		stay bool
	}{
		{"used lately, the folder is gone", away, 180*day - day, true},
		{"half a year, the folder is there", here, half, true},
		{"half a year, the folder is gone", away, half, false},
		{"two years, the folder is there", here, two, false},
		{"two years, and it runs", here, two, true},
		{"two years, and it is remembered as stopped", here, two, true},
		{"two years, and it is being written", here, two, true},
		{"two years, and damaged", here, two, false},
		{"half a year, damaged, the folder is gone", away, half, true}, // who knows
	}
	cfg := Config{StateDir: state, Remember: true}
	e := loopback(t, cfg)
	var all []payload
	journal := func(i int) string {
		lay := resume.LayoutOf(all[i].meta.InfoHash, all[i].meta.Info)
		return filepath.Join(journals.Dir(state, cases[i].dir), lay.FileName())
	}
	for i, c := range cases {
		all = append(all, makeContent(t, c.name, 16<<10, 40_000))
		all[i].write(t, c.dir)
		l := add(t, e, Spec{Meta: all[i].meta, Dir: c.dir})
		wait(t, l)
		switch c.name {
		case "two years, and it runs":
		case "two years, and it is remembered as stopped":
			l.Stop(t.Context())
		default:
			l.Stop(t.Context())
			if err := e.library.librarian.cat.Remove(all[i].meta.InfoHash); err != nil {
				t.Fatal(err)
			}
		}
	}
	now := time.Now()
	for i, c := range cases {
		if c.name == "two years, and damaged" || c.name == "half a year, damaged, the folder is gone" {
			if err := os.WriteFile(journal(i), []byte("spam"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chtimes(journal(i), now.Add(-c.age), now.Add(-c.age)); err != nil {
			t.Fatal(err)
		}
		if c.name == "two years, and it is being written" {
			f, err := resume.OpenFolder(journals.Dir(state, c.dir))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			release, err := resume.Lock(f, all[i].meta.InfoHash)
			if err != nil {
				t.Fatal(err)
			}
			defer release()
		}
	}
	if err := os.RemoveAll(away); err != nil {
		t.Fatal(err)
	}
	if err := e.disks.Journals().Sweep(t.Context(), now, e.inUse); err != nil {
		t.Fatal(err)
	}
	for i, c := range cases {
		if _, err := os.Stat(journal(i)); (err == nil) != c.stay {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, c := range all {
		if cases[slices.IndexFunc(all, func(x payload) bool { return x.meta == c.meta })].dir == here {
			c.same(t, here)
		}
	}
}

// A start looks for such journals once in a while, and opening a torrent marks its own.
func TestSweptOnceInAWhile(t *testing.T) {
	state, dir := t.TempDir(), t.TempDir()
	var metas []*metainfo.Torrent
	journal := func(i int) string {
		lay := resume.LayoutOf(metas[i].InfoHash, metas[i].Info)
		return filepath.Join(journals.Dir(state, dir), lay.FileName())
	}
	run := func(which ...int) {
		t.Helper()
		e := loopback(t, Config{StateDir: state})
		for _, i := range which {
			wait(t, add(t, e, Spec{Meta: metas[i], Dir: dir}))
		}
		e.disks.Journals().SweepSoon(t.Context(), e.inUse) // Close does not wait for the one of the start
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"marked", "old"} {
		c := makeContent(t, name, 16<<10, 40_000)
		c.write(t, dir)
		metas = append(metas, c.meta)
	}
	run(0, 1)
	age := func(name string, by time.Duration) {
		t.Helper()
		at := time.Now().Add(-by)
		if err := os.Chtimes(name, at, at); err != nil {
			t.Fatal(err)
		}
	}
	age(journal(0), 2*365*24*time.Hour-time.Hour)
	age(journal(1), 2*365*24*time.Hour+time.Hour)
	run(0)
	if info, err := os.Stat(journal(0)); err != nil || time.Since(info.ModTime()) > time.Hour {
		t.Errorf("it is not marked: %v", err)
	}
	if _, err := os.Stat(journal(1)); err != nil {
		t.Errorf("it was looked for again so soon: %v", err)
	}
	age(filepath.Join(state, "journals", "swept"), 7*24*time.Hour+time.Hour)
	run()
	if _, err := os.Stat(journal(1)); err == nil {
		t.Error("the old one is still there")
	}
	if _, err := os.Stat(journal(0)); err != nil {
		t.Error(err)
	}
}
