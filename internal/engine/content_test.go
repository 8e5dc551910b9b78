package engine

import (
	"bytes"
	"crypto/sha1"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// content is a torrent with its bytes.
type payload struct {
	meta  *metainfo.Torrent
	files map[string][]byte // by path below the folder
	data  []byte            // all of it
}

// makeContent makes a torrent of files with these sizes, filled from a seed.
func makeContent(t testing.TB, name string, pieceLength int64, sizes ...int64) payload {
	t.Helper()
	c := payload{files: map[string][]byte{}}
	var files []metainfo.NewFile
	for i, n := range sizes {
		files = append(files, metainfo.NewFile{Path: []string{"part", string(rune('a' + i))}, Length: n})
	}
	draft, err := metainfo.NewDraft(name, files, pieceLength)
	if err != nil {
		t.Fatal(err)
	}
	var key [32]byte
	copy(key[:], name)
	rng := rand.NewChaCha8(key)
	for _, f := range draft.Files() {
		data := make([]byte, f.Length)
		_, _ = rng.Read(data) // never fails
		c.files[filepath.Join(append([]string{name}, f.Path...)...)] = data
		c.data = append(c.data, data...)
	}
	var hashes []byte
	for all := c.data; len(all) > 0; {
		n := min(int64(len(all)), pieceLength)
		sum := sha1.Sum(all[:n])
		hashes = append(hashes, sum[:]...)
		all = all[n:]
	}
	info, err := draft.Info(hashes)
	if err != nil {
		t.Fatal(err)
	}
	c.meta = &metainfo.Torrent{Info: info, InfoHash: info.Hash}
	return c
}

// private gives the same content as a torrent that keeps to its trackers.
func (c payload) private(t testing.TB) payload {
	t.Helper()
	info := *c.meta.Info
	info.Private = true
	c.meta = &metainfo.Torrent{Info: &info, InfoHash: info.Hash}
	return c
}

// withTracker gives the same content as a torrent that names a tracker.
func (c payload) withTracker(url string) payload {
	meta := *c.meta
	meta.Announce = url
	c.meta = &meta
	return c
}

// piece gives the bytes of a piece.
func (c payload) piece(i uint32) []byte {
	g := c.meta.Info.Geometry()
	at := g.Offset(i, 0)
	return c.data[at : at+int64(g.PieceSize(i))]
}

// write puts the content into a folder.
func (c payload) write(t testing.TB, dir string) {
	t.Helper()
	for path, data := range c.files {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// same fails the test unless a folder holds the content.
func (c payload) same(t testing.TB, dir string) {
	t.Helper()
	for path, data := range c.files {
		got, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Error(err)
		} else if !bytes.Equal(got, data) {
			t.Errorf("%s differs", path)
		}
	}
}

// on opens the torrent's storage on a file system.
func (c payload) on(t testing.TB, fsys storage.FS) storage.Storage {
	t.Helper()
	st, err := storage.New(storage.Entries(c.meta.Info), storage.Config{FS: fsys, Pool: storage.NewPool(0)})
	if err != nil {
		t.Fatal(err)
	}
	return st
}

// memory gives a file system in memory that holds these pieces; all of them
// when none are named.
func (c payload) memory(t testing.TB, pieces ...uint32) storage.FS {
	t.Helper()
	fsys := storage.NewMemFS()
	if len(pieces) == 0 { // with one write: a file that grows piece by piece is copied again and again
		st := c.on(t, fsys)
		defer st.Close()
		if err := st.WriteV([][]byte{c.data}, 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range pieces {
		c.put(t, fsys, i, c.piece(i))
	}
	return fsys
}

// put writes bytes in the place of a piece.
func (c payload) put(t testing.TB, fsys storage.FS, piece uint32, data []byte) {
	t.Helper()
	st := c.on(t, fsys)
	defer st.Close()
	if err := st.WriteV([][]byte{data}, c.meta.Info.Geometry().Offset(piece, 0)); err != nil {
		t.Fatal(err)
	}
}

// in fails the test unless a file system holds the content.
func (c payload) in(t testing.TB, fsys storage.FS) {
	t.Helper()
	st := c.on(t, fsys)
	defer st.Close()
	got := make([]byte, len(c.data))
	if err := st.ReadV([][]byte{got}, 0); err != nil {
		t.Error(err)
	} else if !bytes.Equal(got, c.data) {
		t.Error("the bytes differ")
	}
}
