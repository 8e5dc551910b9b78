//go:build unix

package engine

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/decide/swarm/picker"
	"shoal/internal/files/content"
	"shoal/internal/files/storage"
)

// One file that the file system does not keep does not stop the others: they are fetched,
// what was left out is told once, and the next run with that file skipped is complete.
func TestOneFileNotKept(t *testing.T) {
	const name = "failing/part/b"
	for what, fails := range map[string]func(c crashfs.Call) error{
		"no right to make it": on("create", name, syscall.EACCES),
		"forbidden":           on("create", name, syscall.EPERM),
		"name too long":       on("create", name, syscall.ENAMETOOLONG),
		"name refused":        on("create", name, syscall.EINVAL),
		"wrong bytes in it":   on("create", name, syscall.EILSEQ),
		"name never looked up": func(c crashfs.Call) error {
			if strings.HasSuffix(c.Name, name) {
				return syscall.ENAMETOOLONG
			}
			return nil
		},
		"too large":           on("write", name, syscall.EFBIG),
		"a circle of links":   on("create", name, syscall.ELOOP),
		"a folder in its way": nil,
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.crashing(false)
				k.c = makeContent(t, "failing", 16<<10, 100_000, 70_000, 0, 90_000)
				w.seed(k.seed, k.c)
				if fails == nil {
					k.fs.Folder("home/" + name)
				}
				k.fs.FailWhen(fails)
				e, l := k.start(nil)
				sub := l.Subscribe()
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				err := l.Wait(ctx)
				if !errors.Is(err, content.ErrNotKept) || !strings.Contains(err.Error(), name) {
					t.Fatalf("wait: %v; %+v", err, l.Stats())
				}
				told := 0
				for len(sub.C) > 0 {
					ev := <-sub.C
					if ev.Kind == EventFiles && strings.HasPrefix(ev.Text, name+" is left out, the other files are fetched: ") {
						told++
					}
					if ev.Kind == EventStalled {
						t.Errorf("held: %s", ev.Text)
					}
				}
				sub.Close()
				if told != 1 {
					t.Errorf("told %d times", told)
				}
				k.othersHold(t, name)
				e.Close(t.Context())

				e, l = k.start(nil)
				_ = l.Checked(t.Context())
				if err := l.SetPriorities([]uint8{picker.Normal, picker.Skip, picker.Normal, picker.Normal}); err != nil {
					t.Fatal(err)
				}
				wait(t, l)
				if s := l.Stats(); s.Swarm.Downloaded > 40_000 { // a piece on each side
					t.Errorf("with the file skipped %d bytes were fetched again", s.Swarm.Downloaded)
				}
				k.othersHold(t, name)
				e.Close(t.Context())
			})
		})
	}
}

// on fails one call of one file.
func on(op, name string, errno error) func(crashfs.Call) error {
	return func(c crashfs.Call) error {
		if c.Op == op && (strings.HasSuffix(c.Name, name) || strings.HasSuffix(c.Name, name+".shoal-new")) {
			return errno
		}
		return nil
	}
}

// othersHold checks all files of the content but one.
func (k *crashing) othersHold(t *testing.T, but string) {
	t.Helper()
	k.fs.FailWhen(nil)
	d := k.fs.Folder("home")
	for _, e := range storage.Entries(k.c.meta.Info) {
		if e.Path == but {
			continue
		}
		b := make([]byte, e.Length)
		h, err := d.Open(e.Path, storage.Read)
		if err == nil && e.Length > 0 {
			_, err = h.ReadV([][]byte{b}, 0)
		}
		if err != nil || !slices.Equal(b, k.c.files[e.Path]) && !slices.Equal(b, k.c.files[path.Base(e.Path)]) {
			t.Errorf("%s: %v", e.Path, err)
		}
	}
}

// Where no file can be made the torrent waits, and says why.
func TestNoFileKept(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.crashing(false)
		k.fs.FailWhen(func(c crashfs.Call) error {
			if c.Op == "create" && strings.HasPrefix(c.Name, "home") {
				return syscall.EACCES
			}
			return nil
		})
		_, l := k.start(nil)
		time.Sleep(20 * time.Second)
		if s := l.Stats(); s.State != Stalled || storage.KindOf(s.Err) != storage.NoPermission {
			t.Errorf("%v, %v", s.State, s.Err)
		}
		k.fs.FailWhen(nil)
		wait(t, l)
		k.holds("home", nil, "once it is allowed")
	})
}
