package engine

import (
	"bytes"
	"context"
	"crypto/sha1"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"shoal/internal/netio"
	"shoal/metainfo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// content is a torrent with its bytes.
type content struct {
	meta  *metainfo.Torrent
	files map[string][]byte // by path below the folder
}

// makeContent makes a torrent of files with these sizes, filled from a seed.
func makeContent(t testing.TB, name string, pieceLength int64, sizes ...int64) content {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, uint64(pieceLength)))
	c := content{files: map[string][]byte{}}
	var files []metainfo.NewFile
	for i, n := range sizes {
		files = append(files, metainfo.NewFile{Path: []string{"part", string(rune('a' + i))}, Length: n})
	}
	draft, err := metainfo.NewDraft(name, files, pieceLength)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, f := range draft.Files() {
		data := make([]byte, f.Length)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		c.files[filepath.Join(append([]string{name}, f.Path...)...)] = data
		all = append(all, data...)
	}
	var hashes []byte
	for len(all) > 0 {
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

// write puts the content into a folder.
func (c content) write(t testing.TB, dir string) {
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
func (c content) same(t testing.TB, dir string) {
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

func loopback(t testing.TB, cfg Config) *Engine {
	t.Helper()
	cfg.Network = netio.New(netio.Policy{LoopbackOnly: true})
	cfg.Listen = netip.MustParseAddrPort("127.0.0.1:0")
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return e
}

func add(t testing.TB, e *Engine, spec Spec) *Torrent {
	t.Helper()
	tor, err := e.Add(spec)
	if err != nil {
		t.Fatal(err)
	}
	return tor
}

func wait(t testing.TB, tor *Torrent) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := tor.Wait(ctx); err != nil {
		t.Fatalf("wait: %v; state: %+v", err, tor.Stats())
	}
}

// The main job at its smallest: one seed, one download, over real sockets and
// files, with an odd end and an empty file.
func TestDownloadFromASeed(t *testing.T) {
	c := makeContent(t, "photos", 64<<10, 1_000_003, 0, 77, 200_000)
	from, to := t.TempDir(), t.TempDir()
	c.write(t, from)

	seed := loopback(t, Config{})
	s := add(t, seed, Spec{Meta: c.meta, Dir: from})
	wait(t, s)

	leech := loopback(t, Config{})
	l := add(t, leech, Spec{Meta: c.meta, Dir: to, Peers: []netip.AddrPort{seed.Addr()}})
	wait(t, l)
	c.same(t, to)
	if st := l.Stats(); st.State != Seeding || st.Swarm.Verified != c.meta.Info.Length || st.Swarm.Wasted != 0 {
		t.Errorf("after the download: %+v", st)
	}
}
