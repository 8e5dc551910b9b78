//go:build unix

package engine

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/storage"
)

// puts writes a file durably, as it was there before.
func (k *crashing) puts(dir, name string, data []byte) {
	k.t.Helper()
	d := k.fs.Folder(dir)
	at := ""
	for part := range strings.SplitSeq(name, "/") {
		if at != "" {
			_ = d.Mkdir(at)
			at += "/"
		}
		at += part
	}
	h, err := d.Open(name, storage.Create)
	if err != nil {
		k.t.Fatal(err)
	}
	if _, err := h.WriteV([][]byte{data}, 0); err != nil {
		k.t.Fatal(err)
	}
	if err := h.Sync(); err != nil {
		k.t.Fatal(err)
	}
	for i, c := range name {
		if c == '/' {
			k.must(d.SyncDir(name[:i]))
		}
	}
	k.must(d.SyncDir("."))
}

func (k *crashing) reads(path string) string {
	k.t.Helper()
	h, err := k.fs.Folder(".").Open(path, storage.Read)
	if err != nil {
		return err.Error()
	}
	info, err := h.Stat()
	k.must(err)
	b := make([]byte, info.Size())
	if _, err := h.ReadV([][]byte{b}, 0); err != nil {
		return err.Error()
	}
	return string(b)
}

// A stop at every call to the file system, and a crash in every way, while files of the user
// are kept: their bytes are whole under the one name or the other, the hard link's other name
// has its own, and the torrent is complete in the end.
func TestKeepingStopped(t *testing.T) {
	t.Parallel()
	const foreign, linked = "crash/part/b", "crash/part/d"
	for _, mode := range crashfs.Modes() {
		stopped := true
		for n := 1 + int(mode); stopped; n += keepStep(n) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.crashing(true)
				letter := string(lie(20_000))
				k.puts("home", foreign, []byte(letter))
				half := slices.Clone(k.c.files[linked])
				clear(half[len(half)-5000:])
				k.puts("home", linked, half)
				k.fs.Folder("elsewhere").Mkdir("crash")
				k.fs.Folder("elsewhere").Mkdir("crash/part")
				k.must(k.fs.Folder("elsewhere").Link(k.fs.Folder("home"), linked))
				for _, dir := range []string{".", "crash", "crash/part"} {
					k.must(k.fs.Folder("elsewhere").SyncDir(dir))
				}
				when := fmt.Sprintf("stopped at call %d, %v", n, mode)
				look := func(when string) {
					t.Helper()
					kept := 0
					for _, name := range k.list("home") {
						if k.reads(name) == letter {
							kept++
						}
					}
					if kept != 1 {
						t.Errorf("%s: the user's file is there %d times: %v", when, kept, k.list("home"))
					}
					if got := k.reads("elsewhere/" + linked); got != string(half) {
						t.Errorf("%s: the other name has other bytes now", when)
					}
				}
				e, l := k.start(nil)
				events := watch(t, l)
				k.fs.StopAt(n)
				for range 100 {
					if k.fs.Stopped() || len(kinds(events(), EventComplete)) > 0 {
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				stopped = k.fs.Stopped()
				k.end(e, mode, n)
				look(when)

				e, l = k.start(nil)
				wait(t, l)
				synctest.Wait()
				if err := e.Close(t.Context()); err != nil {
					t.Errorf("%s: close: %v", when, err)
				}
				look(when + ", and complete")
				if got := k.reads("home/" + foreign); got != string(k.c.files[foreign]) {
					t.Errorf("%s: %s is not the torrent's", when, foreign)
				}
				if got := k.reads("home/" + linked); got != string(k.c.files[linked]) {
					t.Errorf("%s: %s is not the torrent's", when, linked)
				}
				// Nothing else is left but what was torn by the crash.
				for _, name := range k.list("home") {
					if strings.HasSuffix(name, ".shoal-new") {
						t.Errorf("%s: left behind: %s", when, name)
					}
				}
			})
			if t.Failed() {
				return
			}
		}
	}
}

// keepStep is the distance to the next call to stop at: more of the first ones, in which files
// are kept; the ways to crash begin at different ones.
func keepStep(n int) int {
	switch {
	case *sweep:
		return 1
	case n < 120:
		return 4
	}
	return n / 2
}
