package engine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// What becomes of the files of a seed that runs is noticed within ten seconds, although nobody
// reads them: with files that are open, and with files that were never opened, since the journal
// vouches for them.
func TestFilesTouchedWhileShared(t *testing.T) {
	t.Parallel()
	const file = "touched/part/b"
	replace := func(t *testing.T, name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(name+".new", data, 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(name+".new", name); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		touch func(t *testing.T, name string, data []byte)
		whole bool   // it is shared all the same
		told  string // in an event; empty: nothing is
	}{
		"removed": {touch: func(t *testing.T, name string, _ []byte) {
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}, told: "was removed"},
		"moved away": {touch: func(t *testing.T, name string, _ []byte) {
			if err := os.Rename(name, name+".away"); err != nil {
				t.Fatal(err)
			}
		}, told: "was removed"},
		"another in its place": {touch: func(t *testing.T, name string, data []byte) {
			other := slices.Clone(data)
			other[7] ^= 1
			replace(t, name, other)
		}, told: "not as shoal left it"},
		"the same bytes in its place": {touch: replace, whole: true, told: "not as shoal left it"},
		"cut": {touch: func(t *testing.T, name string, data []byte) {
			if err := os.Truncate(name, int64(len(data)/2)); err != nil {
				t.Fatal(err)
			}
		}, told: "not as shoal left it"},
		"a copy with its time": {touch: func(t *testing.T, name string, data []byte) {
			info, err := os.Stat(name)
			if err != nil {
				t.Fatal(err)
			}
			replace(t, name, data)
			if err := os.Chtimes(name, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}, whole: true},
		"let alone": {touch: func(*testing.T, string, []byte) {}, whole: true},
	} {
		for _, fresh := range []bool{true, false} {
			t.Run(name+map[bool]string{true: ", open", false: ", not open"}[fresh], func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					k := w.kept(makeContent(t, "touched", 16<<10, 50_000, 160_000, 70_000))
					k.download()
					if fresh {
						if err := os.RemoveAll(k.state); err != nil {
							t.Fatal(err)
						}
					}
					_, l := k.run(2, func(s *Spec) { s.SeedOnly = true })
					events := watch(t, l)
					if s := checkedNow(t, l); s.State != Seeding {
						t.Fatalf("at first: %+v", s)
					}
					time.Sleep(3 * time.Second)
					c.touch(t, filepath.Join(k.dir, file), k.c.files[file])
					time.Sleep(10 * time.Second)
					synctest.Wait()
					if s := l.Stats(); (s.State == Seeding) != c.whole {
						t.Errorf("ten seconds later: %v, %v", s.State, s.Err)
					}
					told := false
					for _, e := range kinds(events(), EventFiles) {
						told = told || c.told == "" || strings.Contains(e.Text, c.told)
					}
					if told != (c.told != "") {
						t.Errorf("told: %+v", events())
					}
				})
			})
		}
	}
}
