package engine

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// What files are called, and where they are until they are complete, is remembered with the
// torrent: also where the journals are gone, and through a move.
func TestPathsAreRemembered(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		c := makeContent(t, "paths", 16<<10, 100_000, 50_000, 70_000)
		names := newNames("paths")
		aside := t.TempDir()
		spec := r.spec(c)
		spec.Paths = &Paths{IncompleteDir: aside, Suffix: ".part", Rename: Names{2: names[2]}}
		l := add(t, r.e, spec)
		checkedNow(t, l)
		if err := l.Rename(t.Context(), names); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if l.Dir() != aside {
			t.Errorf("it is in %s", l.Dir())
		}
		for n := range 2 {
			if n == 1 { // nothing but the catalogue knows
				r.close()
				if err := os.RemoveAll(filepath.Join(r.state, "journals")); err != nil {
					t.Fatal(err)
				}
			}
			r.again()
			l = r.one("paths").Torrent
			checkedNow(t, l)
			if l.Dir() != aside || l.Path(0) != names[0] || l.Path(1) != names[1] || l.content.Where().Suffix != ".part" {
				t.Errorf("run %d: it is in %s, and they are %v", n, l.Dir(), l.Named())
			}
		}
		w.seed(r.seed, c) // nobody had it until now
		time.Sleep(30 * time.Minute)
		wait(t, l)
		c.under(names).only(t, r.dir)
		if left := onDisk(t, aside); len(left) > 0 || l.Dir() != r.dir {
			t.Errorf("it is in %s; left behind: %v", l.Dir(), left)
		}
		r.again()
		l = r.one("paths").Torrent
		wait(t, l)
		if st := l.Stats(); st.Hashed != 0 || l.Dir() != r.dir || l.Path(2) != names[2] {
			t.Errorf("in the end: %+v in %s", st, l.Dir())
		}
	})
}
