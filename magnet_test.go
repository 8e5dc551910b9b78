package shoal_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"shoal"
	"shoal/magnet"
	"shoal/metainfo"
)

// From a link to the files that it chooses, and to the .torrent file alone.
func TestMagnetLinks(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	for name, content := range map[string][]byte{"a": bytes.Repeat([]byte("a"), 50_000), "b": bytes.Repeat([]byte("b"), 90_000)} {
		if err := os.MkdirAll(filepath.Join(dir, "two"), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "two", name), content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	made, err := shoal.Create(ctx, shoal.CreateOptions{Path: filepath.Join(dir, "two"), PieceLength: 16 << 10})
	if err != nil {
		t.Fatal(err)
	}
	engine := func() *shoal.Engine {
		e, err := shoal.New(shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { e.Close(context.Background()) })
		return e
	}
	seeding := engine()
	seed, err := seeding.Add(shoal.AddOptions{Metainfo: made.Metainfo, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := seed.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	l, err := magnet.Parse(seed.MagnetLink())
	if err != nil || l.Name != "two" || l.Length != 140_000 || l.V1.String() != seed.InfoHash() {
		t.Fatalf("%+v, %v", l, err)
	}
	l.Peers = []string{seeding.Addr().String(), "a.name.example:1"}
	l.Select = []magnet.Range{{First: 1, Last: 1}}

	e := engine()
	only, err := e.AddMagnet(l.String(), shoal.AddOptions{MetadataOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := only.WaitMetadata(ctx); err != nil {
		t.Fatal(err)
	}
	file, err := only.Metainfo()
	if err != nil {
		t.Fatal(err)
	}
	if m, err := metainfo.Parse(file); err != nil || m.InfoHash != l.V1 {
		t.Errorf("another torrent: %v", err)
	}
	if err := only.Wait(ctx); err != nil || len(only.Files()) != 2 {
		t.Errorf("only its metadata was wanted: %v, %v", only.Files(), err)
	}
	if only.Name() != "two" || only.InfoHash() != seed.InfoHash() {
		t.Errorf("%s, %s", only.Name(), only.InfoHash())
	}
	only.Stop(ctx)

	to := t.TempDir()
	asked := false
	tor, err := e.AddMagnet(l.String(), shoal.AddOptions{Dir: to, OnMetadata: func(meta *metainfo.Torrent, _ *shoal.AddOptions) error {
		asked = meta.InfoHash == l.V1
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := tor.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(to, "two", "b")); err != nil || !asked {
		t.Errorf("the file that the link chooses is not there: %v; asked: %v", err, asked)
	}
	if _, err := os.Stat(filepath.Join(to, "two", "a")); err == nil {
		t.Error("a file is there that the link does not choose")
	}
	if s := tor.Stats().Metadata; s.Size == 0 || s.Have != s.Size {
		t.Errorf("%+v", s)
	}
	tor.Stop(ctx)

	l.Select = []magnet.Range{{First: 7, Last: 9}}
	if tor, err = e.AddMagnet(l.String(), shoal.AddOptions{Dir: to}); err != nil {
		t.Fatal(err)
	}
	if err := tor.WaitMetadata(ctx); !errors.Is(err, shoal.ErrConfig) {
		t.Errorf("files that are not there: %v", err)
	}
	for link, want := range map[string]error{
		"magnet:?dn=x": magnet.ErrHash,
		"magnet:?xt=urn:btmh:1220ed05dd4d068fc00dd22381f9261bf6a8598937b134adb1b29befe90b49a82e03": shoal.ErrV2,
	} {
		if _, err := e.AddMagnet(link, shoal.AddOptions{}); !errors.Is(err, want) {
			t.Errorf("%s: %v", link, err)
		}
	}
}

func TestFetchTorrent(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.Write([]byte("de")) }))
	defer server.Close()
	if b, err := shoal.FetchTorrent(t.Context(), server.URL+"/a.torrent", anyPort); err != nil || string(b) != "de" {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := shoal.FetchTorrent(t.Context(), "http://203.0.113.1/a.torrent", anyPort); err == nil {
		t.Error("an address of the internet is reached from the loopback")
	}
}
