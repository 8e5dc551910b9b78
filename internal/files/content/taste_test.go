package content

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/files/storage"
)

// meddled is a folder in which somebody is quick: what onMkdir and onOpen make is there as soon
// as the name is.
type meddled struct {
	storage.FS
	onMkdir func(name string) error
	onOpen  func(name string)
}

func (m *meddled) Mkdir(name string) error {
	if m.onMkdir != nil {
		if err := m.onMkdir(name); err != nil {
			return err
		}
	}
	return m.FS.Mkdir(name)
}

func (m *meddled) Open(name string, mode storage.Mode) (storage.Handle, error) {
	h, err := m.FS.Open(name, mode)
	if err == nil && m.onOpen != nil {
		m.onOpen(name)
	}
	return h, err
}

func (m *meddled) Rename(from, to string) error { return m.FS.(storage.Mover).Rename(from, to) }
func (m *meddled) Remove(name string) error     { return m.FS.(storage.Mover).Remove(name) }
func (m *meddled) List(name string, most int) ([]fs.DirEntry, bool, error) {
	return m.FS.(storage.Lister).List(name, most)
}

// The names that a folder takes are tried in a new folder: what was there before, or is put in
// between, is neither believed nor removed.
func TestTasteMeddled(t *testing.T) {
	hash := [20]byte{1}
	for what, prepare := range map[string]func(t *testing.T, dir string, m *meddled) (kept []string){
		"nobody": func(*testing.T, string, *meddled) []string { return nil },
		"a folder of the old name, with files of the user": func(t *testing.T, dir string, _ *meddled) (kept []string) {
			probe := "." + "01" + strings.Repeat("00", 19) + ".shoal-probe"
			if err := os.Mkdir(filepath.Join(dir, probe), 0o700); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"probe", "Case", "cASE", "x:x"} {
				at := filepath.Join(probe, name)
				kept = append(kept, at)
				if err := os.WriteFile(filepath.Join(dir, at), []byte("mine"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return kept
		},
		"the name is a link": func(t *testing.T, dir string, m *meddled) []string {
			if err := errors.Join(os.Mkdir(filepath.Join(dir, "other"), 0o700), os.WriteFile(filepath.Join(dir, "other", "probe"), nil, 0o600)); err != nil {
				t.Fatal(err)
			}
			first := true
			m.onMkdir = func(name string) error {
				if !first {
					return nil
				}
				first = false
				return os.Symlink("other", filepath.Join(dir, name))
			}
			return []string{"other/probe", ".*.shoal-probe"}
		},
		"a file comes into it": func(t *testing.T, dir string, m *meddled) []string {
			m.onOpen = func(name string) {
				at := filepath.Join(dir, filepath.Dir(name), "mine")
				if err := os.WriteFile(at, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return []string{"*/mine"}
		},
		"a file is replaced": func(t *testing.T, dir string, m *meddled) []string {
			m.onOpen = func(name string) {
				if filepath.Base(name) != "probe" {
					return
				}
				at := filepath.Join(dir, name)
				if err := errors.Join(os.Rename(at, at+".was"), os.WriteFile(at, nil, 0o600)); err != nil {
					t.Fatal(err)
				}
			}
			return []string{"*/probe"}
		},
		"no name is free": func(_ *testing.T, _ string, m *meddled) []string {
			m.onMkdir = func(string) error { return &fs.PathError{Op: "mkdir", Err: syscall.EEXIST} }
			return nil
		},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			folder, err := storage.OpenFolder(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer folder.Close()
			m := &meddled{FS: folder}
			kept := prepare(t, dir, m)
			ask := newTaste(m, hash)
			if takes := ask.name("a:b"); takes != (filepath.Separator == '/') {
				t.Errorf("takes a colon: %v", takes)
			}
			if m.onMkdir == nil && ask.folds() && foldsNot(t) {
				t.Error("it folds case")
			}
			ask.close()
			for _, name := range kept {
				if found, _ := filepath.Glob(filepath.Join(dir, name)); len(found) == 0 {
					found, _ = filepath.Glob(filepath.Join(dir, ".*", filepath.Base(name)))
					if len(found) == 0 {
						t.Errorf("%s is gone", name)
					}
				}
			}
			left := onDisk(t, dir)
			left = slices.DeleteFunc(left, func(name string) bool {
				return filepath.Base(name) == "probe.was" // renamed by somebody: not ours any more
			})
			if want := len(kept); len(left) != want {
				t.Errorf("there are %q, want %d", left, want)
			}
		})
	}
}

// foldsNot reports whether the folder for tests tells cases apart.
func foldsNot(t *testing.T) bool {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Case"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := os.Lstat(filepath.Join(dir, "cASE"))
	return err != nil
}

// onDisk returns the files below a folder.
func onDisk(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}
