//go:build unix

package engine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/files/content"
)

// relink moves a part of a torrent's files elsewhere, and puts a link in its place.
func relink(t *testing.T, dir, name, to string, relative bool) {
	t.Helper()
	full := filepath.Join(dir, name)
	if err := os.Rename(full, to); err != nil {
		t.Fatal(err)
	}
	text := to
	if relative {
		var err error
		if text, err = filepath.Rel(filepath.Dir(full), to); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(text, full); err != nil {
		t.Fatal(err)
	}
}

func isLink(t *testing.T, name string) {
	t.Helper()
	if info, err := os.Lstat(name); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("%s is not a link any more: %v, %v", name, info, err)
	}
}

// Data behind links of the user is verified, completed, seeded and moved: the links stay.
func TestLinksOfTheUser(t *testing.T) {
	for _, c := range []struct {
		name     string
		link     string
		relative bool
	}{
		{"a file", "linked/part/b", false},
		{"a file, relative", "linked/part/b", true},
		{"a folder on the way", "linked/part", false},
		{"the top folder", "linked", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(makeContent(t, "linked", 16<<10, 90_000, 160_000, 50_000))
				k.download()
				out := filepath.Join(t.TempDir(), "out")
				relink(t, k.dir, c.link, out, c.relative)
				// A piece is missing behind the link.
				far := filepath.Join(k.dir, "linked/part/b")
				data, err := os.ReadFile(far)
				if err != nil {
					t.Fatal(err)
				}
				data[len(data)/2] ^= 1
				if err := os.WriteFile(far, data, 0o666); err != nil {
					t.Fatal(err)
				}

				v, err := content.Verify(t.Context(), content.VerifySpec{Meta: k.c.meta, Dir: k.dir})
				if err != nil || v.Good.Count()+1 != k.c.meta.Info.NumPieces() {
					t.Fatalf("verify: %+v, %v", v, err)
				}
				_, l := k.run(2, nil)
				events := watch(t, l)
				wait(t, l)
				if s := l.Stats(); s.State != Seeding || s.Swarm.Downloaded > 16<<10 {
					t.Errorf("%+v", s)
				}
				k.c.same(t, k.dir)
				isLink(t, filepath.Join(k.dir, c.link))

				to := t.TempDir()
				if err := l.Move(t.Context(), to, nil); err != nil {
					t.Fatal(err)
				}
				k.c.same(t, to)
				isLink(t, filepath.Join(to, c.link))
				if left, _ := os.ReadDir(k.dir); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
				if _, err := os.Stat(out); err != nil {
					t.Errorf("what the link leads to: %v", err)
				}
				synctest.Wait()
				for _, e := range kinds(events(), EventFiles) {
					if strings.Contains(e.Text, "symbolic") {
						t.Errorf("told: %s", e.Text)
					}
				}
			})
		})
	}
}

// A link to a volume that is not there is named, and nothing is made where it leads. One
// that comes while the torrent runs is not followed, and what it leads to stays as it is.
func TestLinksThatLeadNowhere(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(makeContent(t, "linked", 16<<10, 90_000, 160_000, 50_000))
		k.download()
		out := filepath.Join(t.TempDir(), "out")
		relink(t, k.dir, "linked/part/b", out, false)
		if err := os.Remove(out); err != nil {
			t.Fatal(err)
		}
		e, l := k.run(2, nil)
		events := watch(t, l)
		checkedNow(t, l)
		time.Sleep(time.Minute)
		if s := l.Stats(); s.Swarm.Have == s.Swarm.Pieces {
			t.Errorf("with a dangling link: %+v", s)
		}
		told := ""
		for _, e := range kinds(events(), EventFiles, EventStalled) {
			told += e.Text + "\n"
		}
		if !strings.Contains(told, "out is not there: mount its volume, or remove the link") {
			t.Errorf("told: %s", told)
		}
		if _, err := os.Stat(out); err == nil {
			t.Error("it was made where the link leads")
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		// The user does what the message says.
		if err := os.Remove(filepath.Join(k.dir, "linked/part/b")); err != nil {
			t.Fatal(err)
		}
		_, l = k.run(3, nil)
		events = watch(t, l)
		wait(t, l)
		k.c.same(t, k.dir)

		// It runs, and somebody puts a link in the place of a file.
		full := filepath.Join(k.dir, "linked/part/b")
		private := filepath.Join(t.TempDir(), "private")
		if err := os.WriteFile(private, []byte(strings.Repeat("private", 40_000)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(full); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(private, full); err != nil {
			t.Fatal(err)
		}
		_, _ = l.Verify(t.Context(), nil)
		time.Sleep(time.Minute)
		told = ""
		for _, e := range kinds(events(), EventFiles, EventStalled) {
			told += e.Text + "\n"
		}
		if !strings.Contains(told, "start the torrent again") {
			t.Errorf("told: %s", told)
		}
		if b, err := os.ReadFile(private); err != nil || string(b) != strings.Repeat("private", 40_000) {
			t.Error("what a planted link leads to was changed")
		}
	})
}

// A check names what is not a plain file, counts it as missing, waits for no pipe, and looks
// at the other files all the same.
func TestVerifyNamesWhatIsNoFile(t *testing.T) {
	for name, plant := range map[string]func(full string) error{
		"dangling": func(full string) error { return os.Symlink(full+" gone", full) },
		"circle":   func(full string) error { return os.Symlink(full, full) },
		"pipe":     func(full string) error { return syscall.Mkfifo(full, 0o644) },
		"link to a pipe": func(full string) error {
			return errors.Join(syscall.Mkfifo(full+" pipe", 0o644), os.Symlink(full+" pipe", full))
		},
		"folder":         func(full string) error { return os.Mkdir(full, 0o755) },
		"link to folder": func(full string) error { return os.Symlink("/", full) },
		"link to device": func(full string) error { return os.Symlink("/dev/null", full) },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(makeContent(t, "linked", 16<<10, 90_000, 160_000, 50_000))
				k.download()
				full := filepath.Join(k.dir, "linked/part/b")
				if err := errors.Join(os.Remove(full), plant(full)); err != nil {
					t.Fatal(err)
				}
				v, err := content.Verify(t.Context(), content.VerifySpec{Meta: k.c.meta, Dir: k.dir, StateDir: k.state})
				if err != nil {
					t.Fatal(err)
				}
				if v.Good.Count() < 5 || len(v.Notes) != 1 || !strings.HasPrefix(v.Notes[0], "linked/part/b") {
					t.Errorf("%d pieces, notes %q", v.Good.Count(), v.Notes)
				}
			})
		})
	}
}

// A seed is renamed while what was found of it is still to be claimed: neither waits for the
// other.
func TestRenameBeforeClaims(t *testing.T) {
	for range 20 {
		bubble(t, func(t *testing.T, w *world) {
			k := w.kept(makeContent(t, "claims", 16<<10, 90_000))
			k.download()
			k.state = t.TempDir() // of which nobody knows anything
			_, l := k.run(2, func(s *Spec) { s.SeedOnly = true })
			if err := l.Checked(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := l.Rename(t.Context(), Names{0: "claims/other"}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
