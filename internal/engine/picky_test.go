package engine

import (
	"io/fs"
	"net/netip"
	"path"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// A picky folder is one of a file system that refuses names, or takes names that differ in
// case for one.
type picky struct {
	storage.FS
	refuses func(elem string) bool
	fold    bool
}

func (p *picky) name(name string) (string, error) {
	if name == "." {
		return name, nil
	}
	at := ""
	for _, e := range strings.Split(name, "/") {
		if p.refuses != nil && p.refuses(e) {
			return "", &fs.PathError{Op: "open", Path: name, Err: syscall.EINVAL}
		}
		next := path.Join(at, e)
		if p.fold {
			if list, _, err := p.FS.(storage.Lister).List(cmpOr(at, "."), 1000); err == nil {
				for _, d := range list {
					if strings.EqualFold(d.Name(), e) {
						next = path.Join(at, d.Name())
					}
				}
			}
		}
		at = next
	}
	return at, nil
}

func cmpOr(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

func (p *picky) Open(name string, mode storage.Mode) (storage.Handle, error) {
	name, err := p.name(name)
	if err != nil {
		return nil, err
	}
	return p.FS.Open(name, mode)
}

func (p *picky) Mkdir(name string) error {
	name, err := p.name(name)
	if err != nil {
		return err
	}
	return p.FS.Mkdir(name)
}

func (p *picky) Lstat(name string) (fs.FileInfo, error) {
	at, err := p.name(name)
	if err != nil {
		return nil, &fs.PathError{Op: "lstat", Path: name, Err: fs.ErrNotExist} // as vfat does
	}
	return p.FS.Lstat(at)
}

func (p *picky) SyncDir(name string) error {
	name, err := p.name(name)
	if err != nil {
		return err
	}
	return p.FS.SyncDir(name)
}

func (p *picky) Rename(from, to string) error {
	from, err := p.name(from)
	if err != nil {
		return err
	}
	if p.refuses != nil && slices.ContainsFunc(strings.Split(to, "/"), p.refuses) {
		return &fs.PathError{Op: "rename", Path: to, Err: syscall.EINVAL}
	}
	return p.FS.(storage.Mover).Rename(from, to)
}

func (p *picky) Remove(name string) error {
	name, err := p.name(name)
	if err != nil {
		return err
	}
	return p.FS.(storage.Mover).Remove(name)
}

func (p *picky) List(name string, most int) ([]fs.DirEntry, bool, error) {
	name, err := p.name(name)
	if err != nil {
		return nil, false, err
	}
	return p.FS.(storage.Lister).List(name, most)
}

// Names that the file system does not take are rewritten, told once, and kept apart; the
// others stay.
func TestNamesTheFileSystemRefuses(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("names are safe everywhere here")
	}
	long := strings.Repeat("ü", 100) + ".txt" // 204 bytes
	for what, c := range map[string]struct {
		refuses func(string) bool
		fold    bool
		name    string
		files   []string
		want    []string
	}{
		"vfat": {
			func(e string) bool { return strings.ContainsAny(e, `:?*<>|"\`) }, true, "Re: x",
			[]string{"a:b", "a_b", "A:B", "CON", "ok "},
			[]string{"Re_ x/a_b", "Re_ x/a_b (2)", "Re_ x/A_B (3)", "Re_ x/CON", "Re_ x/ok "},
		},
		"case alone": {
			nil, true, "x", []string{"a", "A", "D/e", "d/f", "D/E"}, []string{"x/a", "x/A (2)", "x/D/e", "x/D/f", "x/D/E (2)"},
		},
		"short names": {
			func(e string) bool { return len(e) > 143 }, false, "x", []string{long, "a:b"}, []string{"x/" + strings.Repeat("ü", 68) + ".txt", "x/a:b"},
		},
		"nothing": {nil, false, "x", []string{"a:b", "A:B", "CON"}, []string{"x/a:b", "x/A:B", "x/CON"}},
	} {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(named(t, "", c.name, c.files...))
				for n := byte(3); n < 5; n++ {
					e := k.engine(n, Config{StateDir: k.state})
					e.files.OpenFoldersWith(func(dir string) (storage.FS, error) {
						folder, err := storage.OpenFolder(dir)
						return &picky{FS: folder, refuses: c.refuses, fold: c.fold}, err
					})
					g := add(t, e, Spec{Meta: k.c.meta, Dir: k.dir, Peers: []netip.AddrPort{k.seed.Addr()}})
					sub := g.Subscribe()
					wait(t, g)
					synctest.Wait()
					told := 0
					for len(sub.C) > 0 {
						if ev := <-sub.C; ev.Kind == EventFiles {
							told++
						}
					}
					sub.Close()
					if first := n == 3; told > 0 && !first || told > 1 || first && what != "nothing" && told != 1 {
						t.Errorf("%d events in run %d", told, n)
					}
					var got []string
					for i := range k.c.meta.Info.Files {
						got = append(got, g.Path(i))
					}
					if !slices.Equal(got, c.want) {
						t.Errorf("paths %q, want %q", got, c.want)
					}
					want := payload{files: map[string][]byte{}}
					for i, name := range c.want {
						want.files[name] = k.c.data[i*namedSize : (i+1)*namedSize]
					}
					want.only(t, k.dir)
					if st := g.Stats(); n == 4 && (st.Swarm.Downloaded != 0 || st.Hashed != 0) {
						t.Errorf("again: %+v", st)
					}
					if err := e.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// Two torrents whose names differ only in case are two where the file system tells them apart.
func TestTorrentsThatDifferInCase(t *testing.T) {
	for _, fold := range []bool{false, true} {
		bubble(t, func(t *testing.T, w *world) {
			a, b := named(t, "", "Album", "one", "two"), named(t, "", "ALBUM", "one", "two", "three")
			seed, dir := w.engine(100, Config{}), t.TempDir()
			w.seed(seed, a)
			w.seed(seed, b)
			e := w.engine(1, Config{StateDir: t.TempDir()})
			if fold {
				e.files.OpenFoldersWith(func(dir string) (storage.FS, error) {
					folder, err := storage.OpenFolder(dir)
					return &picky{FS: folder, fold: true}, err
				})
			} else if runtime.GOOS != "linux" {
				return
			}
			peers := []netip.AddrPort{seed.Addr()}
			x := add(t, e, Spec{Meta: a.meta, Dir: dir, Peers: peers})
			wait(t, x)
			y := add(t, e, Spec{Meta: b.meta, Dir: dir, Peers: peers})
			if s := checkedNow(t, y); fold {
				if s.State != Stalled || storage.KindOf(s.Err) != storage.Unsafe {
					t.Errorf("the second: %+v", s)
				}
				a.same(t, dir)
				return
			}
			wait(t, y)
			a.same(t, dir)
			b.same(t, dir)
		})
	}
}

// A journal of an earlier shoal, which rewrote names everywhere and noted no name for that,
// is worth what it was: nothing is hashed or fetched.
func TestJournalOfRewrittenNames(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("names are rewritten here")
	}
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(named(t, "", "Re: x", "a:b.mkv", "plain.mkv"))
		k.c.lay(t, k.dir, []string{"Re_ x/a_b.mkv", "Re_ x/plain.mkv"})
		e := k.engine(2, Config{StateDir: k.state})
		state, err := e.disks.Journals().For(k.dir)
		if err != nil {
			t.Fatal(err)
		}
		lay := resume.LayoutOf(k.c.meta.InfoHash, k.c.meta.Info)
		for i, f := range k.c.meta.Info.Files {
			lay.Files[i].Path = path.Join(f.SafePath...)
		}
		folder, err := storage.OpenFolder(k.dir)
		if err != nil {
			t.Fatal(err)
		}
		files, err := storage.OpenIn(folder, lay.Files[:2], k.c.meta.Info, storage.NewPool(0))
		if err != nil {
			t.Fatal(err)
		}
		j, _, err := resume.Open(state, lay, resume.Config{Dir: k.dir, Boot: e.disks.Journals().Boot()})
		if err != nil {
			t.Fatal(err)
		}
		seen, err := resume.Look(files.Folder(), lay.Files)
		if err == nil {
			err = resume.NewGuard(files, files.Folder(), j, resume.Volume{}).Adopt(t.Context(), seen, every(k.c.meta.Info.NumPieces()))
		}
		if err == nil {
			err = files.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		g := add(t, e, Spec{Meta: k.c.meta, Dir: k.dir})
		if s := checkedNow(t, g); s.State != Seeding || s.Hashed != 0 || g.Path(0) != "Re_ x/a_b.mkv" || g.Path(1) != "Re_ x/plain.mkv" {
			t.Errorf("%+v; paths %q and %q", s, g.Path(0), g.Path(1))
		}
	})
}

// every returns a set of n pieces that has them all.
func every(n uint32) *bitfield.Bitfield {
	set := bitfield.New(n)
	set.SetAll()
	return set
}
