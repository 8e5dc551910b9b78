package erase

import (
	"context"
	"crypto/sha1"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shoal/internal/files/journals"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
	"shoal/metainfo"
)

const pieceLength = 16 << 10

// world is a torrent, a folder with its files, and a folder of state.
type world struct {
	t    *testing.T
	dir  string
	spec Spec
	data map[string][]byte // by path in the folder
}

// lay makes a torrent of these files, whose lengths are given, and writes them.
func lay(t *testing.T, files ...metainfo.NewFile) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir(), data: map[string][]byte{}}
	for i := range files {
		b := make([]byte, files[i].Length)
		for k := range b {
			b[k] = byte(i+1) + byte(k%251)
		}
		w.data[strings.Join(append([]string{"album"}, files[i].Path...), "/")] = b
	}
	draft, err := metainfo.NewDraft("album", files, pieceLength)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, f := range draft.Files() { // in the order of the span
		all = append(all, w.data["album/"+strings.Join(f.Path, "/")]...)
	}
	var hashes []byte
	for off := 0; off < len(all); off += pieceLength {
		sum := sha1.Sum(all[off:min(off+pieceLength, len(all))])
		hashes = append(hashes, sum[:]...)
	}
	info, err := draft.Info(hashes)
	if err != nil {
		t.Fatal(err)
	}
	w.spec = Spec{
		Meta: &metainfo.Torrent{Info: info, InfoHash: info.Hash}, Dir: w.dir, StateDir: t.TempDir(),
	}
	for name, b := range w.data {
		w.write(name, b)
	}
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, filepath.FromSlash(name)) }

func (w *world) write(name string, b []byte) {
	w.t.Helper()
	w.must(os.MkdirAll(filepath.Dir(w.path(name)), 0o777))
	w.must(os.WriteFile(w.path(name), b, 0o666))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// note writes the journal that an engine leaves: the files as they lie now in dir, with these
// pieces; all of them for none.
func (w *world) note(dir string, names resume.Names, pieces ...uint32) {
	w.t.Helper()
	state, err := w.journal(dir)
	w.must(err)
	defer state.Close()
	j, _, err := resume.Open(state, resume.LayoutOf(w.spec.Meta.InfoHash, w.spec.Meta.Info), resume.Config{Dir: dir, Boot: resume.ThisBoot(), Names: names})
	w.must(err)
	have := bitfield.New(w.spec.Meta.Info.NumPieces())
	for _, p := range pieces {
		have.Set(p)
	}
	if pieces == nil {
		have.SetAll()
	}
	folder, err := storage.OpenFolder(dir)
	w.must(err)
	files, err := storage.OpenIn(folder, j.Layout().Files[:len(w.spec.Meta.Info.Files)], w.spec.Meta.Info, storage.NewPool(0))
	w.must(err)
	defer files.Close()
	seen, err := resume.Look(folder, j.Layout().Files)
	w.must(err)
	g := resume.NewGuard(files, folder, j, resume.VolumeAt(dir))
	w.must(g.Adopt(w.t.Context(), seen, have))
	w.must(j.Close(w.t.Context(), func(context.Context) error { return nil }))
}

func (w *world) journal(dir string) (resume.FS, error) {
	at := journals.Dir(w.spec.StateDir, dir)
	if err := os.MkdirAll(at, 0o700); err != nil {
		return nil, err
	}
	return resume.OpenFolder(at)
}

// remove removes the files, and compares what is left in the folder, and what was said of that:
// the reason must have these words.
func (w *world) remove(left map[string]string, stays ...string) Result {
	w.t.Helper()
	res, err := Remove(w.t.Context(), w.spec)
	w.must(err)
	w.said(res, left)
	w.stays(stays...)
	return res
}

func (w *world) said(res Result, left map[string]string) {
	w.t.Helper()
	for _, l := range res.Left {
		rel, err := filepath.Rel(w.dir, l.Path)
		w.must(err)
		want, ok := left[filepath.ToSlash(rel)]
		if !ok || !strings.Contains(l.Why, want) {
			w.t.Errorf("left %s since %q (%v), want it since %q", l.Path, l.Why, l.Err, want)
		}
		delete(left, filepath.ToSlash(rel))
	}
	for name, why := range left {
		w.t.Errorf("nothing was said of %s, want %q", name, why)
	}
}

func (w *world) stays(want ...string) {
	w.t.Helper()
	var got []string
	w.must(filepath.WalkDir(w.dir, func(p string, _ fs.DirEntry, err error) error {
		if rel, _ := filepath.Rel(w.dir, p); rel != "." {
			got = append(got, filepath.ToSlash(rel))
		}
		return err
	}))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		w.t.Errorf("the folder has %q, want %q", got, want)
	}
}

func file(length int64, path ...string) metainfo.NewFile {
	return metainfo.NewFile{Path: path, Length: length}
}

// three is a torrent whose files share pieces.
func three(t *testing.T) *world {
	return lay(t, file(40000, "a"), file(100, "b"), file(50000, "sub", "c"))
}

// What an engine has noted goes without a byte being read, and the folders with it.
func TestNotedFilesGo(t *testing.T) {
	w := three(t)
	w.note(w.dir, nil)
	res := w.remove(nil)
	if len(res.Removed) != 3 || res.Freed != 90100 {
		t.Errorf("%+v", res)
	}
}

// Without a journal the pieces say whose the files are.
func TestHashedFilesGo(t *testing.T) {
	w := three(t)
	w.spec.StateDir = ""
	w.remove(nil)
}

// A foreign file in the place of one stays, also where the journal knows the other.
func TestForeignFileStays(t *testing.T) {
	w := three(t)
	w.note(w.dir, nil)
	w.must(os.Remove(w.path("album/sub/c")))
	w.write("album/sub/c", []byte(strings.Repeat("of the user ", 1000)))
	w.remove(map[string]string{"album/sub/c": "no piece"}, "album", "album/sub", "album/sub/c")
}

// A file that its user changed stays, and so does one with bytes behind its end.
func TestChangedFileStays(t *testing.T) {
	w := three(t)
	w.note(w.dir, nil)
	changed := slices.Clone(w.data["album/a"])
	copy(changed, "a tag")
	w.write("album/a", changed)
	w.write("album/sub/c", append(slices.Clone(w.data["album/sub/c"]), "a trailer"...))
	w.remove(map[string]string{"album/a": "was changed", "album/sub/c": "9 bytes longer"},
		"album", "album/a", "album/sub", "album/sub/c")
}

// Files of the user beside those of the torrent stay, and the folders that they are in.
func TestOtherFilesStay(t *testing.T) {
	w := three(t)
	w.note(w.dir, nil)
	w.write("album/sub/cover.jpg", []byte("a picture"))
	w.write("notes.txt", []byte("notes"))
	w.remove(nil, "album", "album/sub", "album/sub/cover.jpg", "notes.txt")
}

// A name that goes takes nothing from the other names of a file.
func TestHardLinkKeepsItsBytes(t *testing.T) {
	w := three(t)
	w.must(os.Link(w.path("album/a"), w.path("mine")))
	w.note(w.dir, nil)
	w.remove(nil, "mine")
	if b, err := os.ReadFile(w.path("mine")); err != nil || !slices.Equal(b, w.data["album/a"]) {
		t.Errorf("the other name holds %d bytes, %v", len(b), err)
	}
}

// A file that another torrent has, too, stays: also where its folder has another path.
func TestSharedFileStays(t *testing.T) {
	w := three(t)
	w.note(w.dir, nil)
	w.spec.Others = []Other{
		{Name: "collection", Dir: filepath.Dir(w.dir), Paths: []string{filepath.Base(w.dir) + "/Album/A"}},
		{Name: "elsewhere", Dir: t.TempDir(), Paths: []string{"album/b"}},
	}
	w.remove(map[string]string{"album/a": "collection has it"}, "album", "album/a")
}

// Nothing goes through a link, nor does a link.
func TestLinksStay(t *testing.T) {
	w := three(t)
	target := filepath.Join(t.TempDir(), "target")
	w.must(os.Rename(w.path("album/a"), target))
	if err := os.Symlink(target, w.path("album/a")); err != nil {
		t.Skip("this system makes no links: ", err)
	}
	behind := t.TempDir()
	w.must(os.Rename(w.path("album/sub/c"), filepath.Join(behind, "c")))
	w.must(os.Remove(w.path("album/sub")))
	w.must(os.Symlink(behind, w.path("album/sub")))
	w.remove(map[string]string{"album/a": "symbolic link", "album/sub/c": "behind a symbolic link: album/sub", "album/b": "no piece"}, // b shares its only piece with them
		"album", "album/a", "album/b", "album/sub")
	for _, name := range []string{target, filepath.Join(behind, "c")} {
		if _, err := os.Stat(name); err != nil {
			t.Errorf("what a link leads to: %v", err)
		}
	}
}

// A link inside the folder leads nowhere else either: the os would follow it.
func TestLinkInsideStays(t *testing.T) {
	w := three(t)
	w.must(os.Rename(w.path("album/sub"), w.path("elsewhere")))
	if err := os.Symlink("../elsewhere", w.path("album/sub")); err != nil {
		t.Skip("this system makes no links: ", err)
	}
	w.remove(map[string]string{"album/sub/c": "behind a symbolic link"}, "album", "album/sub", "elsewhere", "elsewhere/c")
}

// Incomplete files are in another folder, under other names; both folders stay.
func TestIncompleteFolder(t *testing.T) {
	w := three(t)
	aside := t.TempDir()
	w.must(os.Rename(w.path("album"), filepath.Join(aside, "album")))
	w.must(os.Rename(filepath.Join(aside, "album", "a"), filepath.Join(aside, "album", "a.part")))
	state, err := w.journal(w.dir)
	w.must(err)
	w.must(resume.WriteAside(state, w.spec.Meta.InfoHash, resume.Aside{Suffix: ".part", Dir: aside}))
	w.must(state.Close())
	w.remove(nil)
	if _, err := os.Stat(filepath.Join(aside, "album")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what was in the other folder: %v", err)
	}
	if _, err := os.Stat(aside); err != nil {
		t.Error(err)
	}
}

// The volume of incomplete files may be away: that is told, and the rest goes.
func TestIncompleteFolderMissing(t *testing.T) {
	w := three(t)
	w.note(w.dir, nil)
	w.spec.IncompleteDir = filepath.Join(w.dir, "away")
	w.remove(map[string]string{"away": "not mounted"})
}

// Renamed files are found by their names, and what has the old names stays.
func TestRenamedFiles(t *testing.T) {
	for _, journal := range []bool{true, false} {
		w := three(t)
		w.must(os.Rename(w.path("album/a"), w.path("album/first")))
		names := resume.Names{0: "album/first"}
		if journal {
			w.note(w.dir, names)
		} else {
			w.spec.Names = names
		}
		w.write("album/a", []byte("another"))
		w.remove(nil, "album", "album/a")
	}
}

// Where the volume is away nothing is looked at, and the error says so.
func TestMissingVolume(t *testing.T) {
	w := three(t)
	w.spec.Dir = filepath.Join(w.dir, "volume")
	if res, err := Remove(t.Context(), w.spec); !errors.Is(err, ErrNoFolder) || len(res.Removed)+len(res.Left) > 0 {
		t.Errorf("%+v, %v", res, err)
	}
	w.stays("album", "album/a", "album/b", "album/sub", "album/sub/c")
}

// Half downloaded files have holes, and those that are reserved nothing else.
func TestHalfDownloaded(t *testing.T) {
	for _, journal := range []bool{true, false} {
		w := three(t)
		half := slices.Clone(w.data["album/a"])
		clear(half[pieceLength:])
		w.write("album/a", half)
		w.must(os.Remove(w.path("album/b")))
		w.write("album/sub/c", make([]byte, 50000))
		w.write(storage.PartName(w.spec.Meta.Info), make([]byte, 100))
		if journal {
			w.note(w.dir, nil, 0)
			w.remove(nil)
			continue
		}
		w.remove(map[string]string{"album/sub/c": "no piece"}, "album", "album/sub", "album/sub/c")
	}
}

// readOnly is a folder in which nothing can be removed.
type readOnly struct {
	storage.FS
	storage.Mover
}

func (readOnly) Remove(name string) error {
	return &fs.PathError{Op: "remove", Path: name, Err: fs.ErrPermission}
}

// In a folder that can't be written to everything stays, and each file says why.
func TestReadOnlyFolder(t *testing.T) {
	w := three(t)
	w.note(w.dir, nil)
	w.spec.open = func(dir string) (storage.FS, error) {
		folder, err := storage.OpenFolder(dir)
		return readOnly{folder, folder.(storage.Mover)}, err
	}
	res := w.remove(map[string]string{"album/a": "can't be removed", "album/b": "can't be removed", "album/sub/c": "can't be removed"},
		"album", "album/a", "album/b", "album/sub", "album/sub/c")
	if !errors.Is(res.Left[0].Err, fs.ErrPermission) {
		t.Errorf("%+v", res)
	}
}

// After a stop half-way the journal still vouches for the rest.
func TestStopHalfWay(t *testing.T) {
	w := three(t)
	w.note(w.dir, nil)
	w.must(os.Remove(w.path("album/a"))) // and then the power went
	w.must(os.Remove(w.path("album/sub/c")))
	if res := w.remove(nil); len(res.Removed) != 1 {
		t.Errorf("%+v", res)
	}
	w.remove(nil) // and once more
}

// A context that ends leaves what was not reached.
func TestContextEnds(t *testing.T) {
	w := three(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Remove(ctx, w.spec); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	w.stays("album", "album/a", "album/b", "album/sub", "album/sub/c")
}

// A torrent that another process writes is not touched.
func TestInUse(t *testing.T) {
	w := three(t)
	w.note(w.dir, nil)
	state, err := w.journal(w.dir)
	w.must(err)
	defer state.Close()
	release, err := resume.Lock(state, w.spec.Meta.InfoHash)
	w.must(err)
	defer release()
	if _, err := Remove(t.Context(), w.spec); !errors.Is(err, resume.ErrInUse) {
		t.Error(err)
	}
	w.stays("album", "album/a", "album/b", "album/sub", "album/sub/c")
}

// A folder or a pipe in the place of a file stays, and so does a file in the place of a folder.
func TestNoPlainFileStays(t *testing.T) {
	w := three(t)
	w.note(w.dir, nil)
	w.must(os.Remove(w.path("album/b")))
	w.must(os.Mkdir(w.path("album/b"), 0o777))
	w.must(os.RemoveAll(w.path("album/sub")))
	w.write("album/sub", []byte("a file"))
	w.remove(map[string]string{"album/b": "a folder"}, "album", "album/b", "album/sub")
}
