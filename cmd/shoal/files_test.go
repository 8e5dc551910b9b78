package main

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal"
)

// What the files of a torrent do is told as it happens, and so is what was done
// to them while nobody looked.
func TestFilesAreToldOf(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	dir, state := t.TempDir(), t.TempDir()
	get := func(more ...string) *running {
		return start(t, append([]string{
			"get", s.torrent, "--dir", dir, "--state", state, "--no-dht",
			"--listen", "127.0.0.1:0", "--peer", addr,
		}, more...)...)
	}
	get().finish(exitDone, "complete")
	again := get()
	again.finish(exitDone, "complete")
	if e := again.await("checked", nil); number(t, e, "hashed") != 0 {
		t.Errorf("what was complete was hashed again: %v", e)
	}

	path := filepath.Join(dir, "files", "one.bin")
	edited, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	edited[0] ^= 1
	if err := os.WriteFile(path, edited, 0o666); err != nil {
		t.Fatal(err)
	}
	r := get()
	r.await("files", func(e map[string]any) bool { return e["text"] != "" })
	r.finish(exitDone, "complete")
	s.sameFiles(t, dir)

	// Something else stands in its place: the other files are fetched, and that one is told.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o777); err != nil {
		t.Fatal(err)
	}
	r = get("--wait", "0s")
	if e := r.finish(exitFailed, "error"); !strings.Contains(e["message"].(string), "one.bin: not a plain file but a folder") {
		t.Errorf("the end: %v", e)
	}

	// Gone altogether: whoever starts it again wants it again.
	if err := os.RemoveAll(filepath.Join(dir, "files")); err != nil {
		t.Fatal(err)
	}
	get().finish(exitDone, "complete")
	s.sameFiles(t, dir)
}

// What holds a torrent up is told, and when it is over that is told, too.
func TestHeldIsTold(t *testing.T) {
	s := newShare(t)
	r := &running{t: t, name: "get", news: make(chan struct{})}
	out := &output{json: true, now: time.Now, out: r, errs: &r.stderr}
	e, err := shoal.New(shoal.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), DHT: shoal.DHTConfig{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	meta, err := os.ReadFile(s.torrent)
	if err != nil {
		t.Fatal(err)
	}
	tor, err := e.Add(shoal.AddOptions{Metainfo: meta, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{out: out}
	w.event(tor, shoal.Event{Kind: shoal.EventStalled, Text: "write files/one.bin: no space left on device"})
	if e := r.await("held", nil); !strings.Contains(e["text"].(string), "no space left") {
		t.Errorf("told: %v", e)
	}
	w.event(tor, shoal.Event{Kind: shoal.EventResumed})
	r.await("goes-on", nil)
}
