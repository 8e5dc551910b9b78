package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

// From a link, an info-hash and a URL to the files, to the .torrent file, and to a seed.
func TestSources(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	raw, err := os.ReadFile(s.torrent)
	if err != nil {
		t.Fatal(err)
	}
	m, err := metainfo.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	link := "magnet:?xt=urn:btih:" + strings.ToUpper(m.InfoHash.String()) + "&dn=a+link&x.pe=" + addr
	alone := []string{"--no-dht", "--listen", "127.0.0.1:0", "--state", "none"}

	// The files, and then seeding them to one who has the info-hash alone.
	second := t.TempDir()
	r := start(t, append([]string{"get", link, "--dir", second, "--seed"}, alone...)...)
	if e := r.await("looking", nil); e["name"] != "a link" {
		t.Errorf("it looks for %v", e["name"])
	}
	if e := r.await("torrent", nil); e["name"] != m.Info.Name {
		t.Errorf("it is %v", e["name"])
	}
	r.await("complete", nil)
	s.sameFiles(t, second)
	from := r.await("listening", nil)["addr"].(string)
	third := t.TempDir()
	start(t, append([]string{"get", m.InfoHash.String(), "--dir", third, "--peer", from}, alone...)...).finish(ui.ExitDone, "complete")
	s.sameFiles(t, third)

	// The .torrent file alone; an existing one that is another is not written over.
	file := filepath.Join(t.TempDir(), "new.torrent")
	e := start(t, append([]string{"get", link, "--metadata-only", "-o", file}, alone...)...).finish(ui.ExitDone, "complete")
	if got, err := os.ReadFile(file); err != nil || e["path"] != file {
		t.Errorf("%v, %v", e, err)
	} else if again, err := metainfo.Parse(got); err != nil || again.InfoHash != m.InfoHash {
		t.Errorf("another torrent: %v", err)
	}
	if err := os.WriteFile(file, []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	start(t, append([]string{"get", s.torrent, "--metadata-only", "-o", file}, alone...)...).finish(ui.ExitFailed, "error")

	// A seed that has its metadata from another one.
	seed := start(t, append([]string{"seed", link, "--dir", third}, alone...)...)
	if e := seed.await("up", nil); e["complete"] != 1.0 {
		t.Errorf("up with %v", e)
	}
	seed.signals <- syscall.SIGTERM
	seed.finish(ui.ExitDone, "complete")

	// By a URL.
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/a.torrent" {
			http.NotFound(rw, r)
			return
		}
		rw.Write(raw)
	}))
	defer server.Close()
	fourth := t.TempDir()
	start(t, append([]string{"get", server.URL + "/a.torrent", "--dir", fourth, "--peer", from}, alone...)...).finish(ui.ExitDone, "complete")
	s.sameFiles(t, fourth)
	start(t, append([]string{"get", server.URL + "/b.torrent"}, alone...)...).finish(ui.ExitSource, "error")

	// Nobody is there: Ctrl-C ends the wait, and says what may help.
	r2 := start(t, append([]string{"get", "magnet:?xt=urn:btih:" + strings.Repeat("ab", 20), "--dir", fourth}, alone...)...)
	r2.await("looking", nil)
	r2.signals <- os.Interrupt
	r2.finish(ui.ExitInterrupted, "error")

	r.signals <- os.Interrupt
	r.finish(ui.ExitInterrupted, "error")
}
