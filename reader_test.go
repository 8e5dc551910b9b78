package shoal_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"shoal"
)

// twoEngines gives a torrent of several files that one engine seeds and another one
// fetches, with the bytes of each file by its path.
func twoEngines(t *testing.T, film int, opt shoal.AddOptions) (*shoal.Torrent, map[string][]byte) {
	t.Helper()
	from := t.TempDir()
	files := map[string][]byte{"film/a.mkv": nil, "film/extras/b.txt": nil, "film/extras/empty": nil, "film/z.nfo": nil}
	rng := rand.NewChaCha8([32]byte{1})
	for name, n := range map[string]int{"film/a.mkv": film, "film/extras/b.txt": film / 13, "film/z.nfo": 5} {
		files[name] = make([]byte, n)
		rng.Read(files[name])
	}
	for name, b := range files {
		full := filepath.Join(from, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(full), 0o777), os.WriteFile(full, b, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	made, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: filepath.Join(from, "film"), PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	engine := func() *shoal.Engine {
		e, err := shoal.New(shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close(t.Context()) })
		return e
	}
	opt.Metainfo, opt.Dir = made.Metainfo, t.TempDir()
	seed := engine()
	if _, err := seed.Add(shoal.AddOptions{Metainfo: made.Metainfo, Dir: from}); err != nil {
		t.Fatal(err)
	}
	opt.Peers = []netip.AddrPort{seed.Addr()}
	tor, err := engine().Add(opt)
	if err != nil {
		t.Fatal(err)
	}
	return tor, files
}

// The files of a torrent that is being fetched are a file system like any other.
func TestFS(t *testing.T) {
	tor, files := twoEngines(t, 40_000, shoal.AddOptions{})
	var names []string
	for name := range files {
		names = append(names, name)
	}
	fsys := tor.FS(t.Context())
	if err := fstest.TestFS(fsys, names...); err != nil {
		t.Error(err)
	}
	for name, want := range files {
		if got, err := fs.ReadFile(fsys, name); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// http.FileServerFS over it answers requests for ranges, whatever is there by then.
func TestRangesOverHTTP(t *testing.T) {
	tor, files := twoEngines(t, 900_000, shoal.AddOptions{})
	h := http.FileServerFS(tor.FS(t.Context()))
	film := files["film/a.mkv"]
	for _, c := range []struct {
		ask        string
		code       int
		start, end int
	}{
		{"bytes=800000-800099", 206, 800_000, 800_100},
		{"bytes=-7", 206, len(film) - 7, len(film)},
		{"bytes=0-", 206, 0, len(film)},
		{"", 200, 0, len(film)},
		{"bytes=900000-", 416, 0, 0},
	} {
		r := httptest.NewRequest("GET", "/film/a.mkv", nil)
		if c.ask != "" {
			r.Header.Set("Range", c.ask)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.code || w.Code < 300 && !bytes.Equal(w.Body.Bytes(), film[c.start:c.end]) {
			t.Errorf("%q: %d with %d bytes", c.ask, w.Code, w.Body.Len())
		}
	}
}

// A reader seeks and reads as a file does.
func TestReader(t *testing.T) {
	tor, files := twoEngines(t, 900_000, shoal.AddOptions{})
	r, err := tor.Open(t.Context(), "film/a.mkv")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	film := files["film/a.mkv"]
	for _, at := range []struct {
		offset int64
		whence int
		want   int64
	}{{-100, io.SeekEnd, 899_900}, {10, io.SeekStart, 10}, {5, io.SeekCurrent, 115}} {
		if got, err := r.Seek(at.offset, at.whence); got != at.want || err != nil {
			t.Fatalf("seek %+v: %d, %v", at, got, err)
		}
		buf := make([]byte, 100)
		if _, err := io.ReadFull(r, buf); err != nil || !bytes.Equal(buf, film[at.want:at.want+100]) {
			t.Errorf("after seek %+v: %v", at, err)
		}
	}
	if _, err := r.Seek(-1, io.SeekStart); err == nil {
		t.Error("a seek before the start is taken")
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	if n, err := io.Copy(sum, r); n != r.Size() || err != nil || !bytes.Equal(sum.Sum(nil), sha(film)) {
		t.Errorf("all of it: %d bytes, %v", n, err)
	}
	if _, err := tor.Open(t.Context(), "film/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is none: %v", err)
	}
}

func sha(b []byte) []byte { s := sha256.Sum256(b); return s[:] }

// What is skipped is not fetched and does not come to be; it can be wanted later.
func TestPriorities(t *testing.T) {
	tor, files := twoEngines(t, 900_000, shoal.AddOptions{Priority: func(f shoal.File) shoal.Priority {
		if f.Path == "film/a.mkv" {
			return shoal.PrioritySkip
		}
		return shoal.PriorityHigh
	}})
	if err := tor.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	film := filepath.Join(tor.Dir(), "film", "a.mkv")
	if _, err := os.Stat(film); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is skipped is there: %v", err)
	}
	if s := tor.Stats(); s.Downloaded > 200_000 {
		t.Errorf("%d bytes were fetched", s.Downloaded)
	}
	if err := tor.SetPriorities(func(shoal.File) shoal.Priority { return "urgent" }); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("a priority that is none: %v", err)
	}
	if err := tor.SetPriorities(func(shoal.File) shoal.Priority { return "" }); err != nil {
		t.Fatal(err)
	}
	if got, err := fs.ReadFile(tor.FS(t.Context()), "film/a.mkv"); err != nil || !bytes.Equal(got, files["film/a.mkv"]) {
		t.Errorf("wanted after all: %d bytes, %v", len(got), err)
	}
	for _, f := range tor.Files() {
		if f.Priority != shoal.PriorityNormal || f.Path == "film/a.mkv" && f.Verified != f.Length {
			t.Errorf("%+v", f)
		}
	}
}
