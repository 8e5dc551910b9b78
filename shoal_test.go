package shoal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"shoal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestErrorsThatCallersChooseBy(t *testing.T) {
	ctx := t.Context()
	for _, cfg := range []shoal.Config{{Slots: -1}, {SuperSeed: "yes"}, {SeedChoking: "slowest"}, {MaxPeers: -1}, {BufferBytes: 1 << 20}, {LSD: "yes"}, {Workers: -2}} {
		if _, err := shoal.New(cfg); !errors.Is(err, shoal.ErrConfig) {
			t.Errorf("%+v: %v, want ErrConfig", cfg, err)
		}
	}
	dir, metainfo := shared()
	defer os.RemoveAll(dir)
	e, err := shoal.New(shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Add(shoal.AddOptions{Metainfo: []byte("d4:spam4:eggse"), Dir: dir}); !errors.Is(err, shoal.ErrNotTorrent) {
		t.Errorf("no torrent: %v, want ErrNotTorrent", err)
	}
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir}); !errors.Is(err, shoal.ErrDuplicate) {
		t.Errorf("the same torrent again: %v, want ErrDuplicate", err)
	}
	if err := tor.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if m := e.Memory(); m.Limit != 8<<20 || m.Devices != 1 || m.InUse != 0 || m.Checks == 0 {
		t.Errorf("memory: %+v", m)
	}
	tor.Stop(ctx)
	if got := len(e.Torrents()); got != 0 {
		t.Errorf("%d torrents are left after the only one was stopped", got)
	}

	// A torrent that is stopped before it is complete says so to whoever waits.
	empty := t.TempDir()
	tor, err = e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: empty})
	if err != nil {
		t.Fatal(err)
	}
	if s, err := tor.WaitChecked(ctx); err != nil || s.Have != 0 || s.State != shoal.StateDownloading {
		t.Errorf("in an empty folder: %+v, %v", s, err)
	}
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := tor.Wait(ctx); !errors.Is(err, shoal.ErrStopped) {
		t.Errorf("stopped while incomplete: %v, want ErrStopped", err)
	}
	if s := tor.Stats(); s.State != shoal.StateStopped {
		t.Errorf("state %s after the engine was closed", s.State)
	}
	if _, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir}); !errors.Is(err, shoal.ErrStopped) {
		t.Errorf("added to a closed engine: %v, want ErrStopped", err)
	}
}

// A download folder that is not there may be a volume that is not mounted:
// nothing is made in its place.
func TestMissingFolderIsNotMade(t *testing.T) {
	dir, metainfo := shared()
	defer os.RemoveAll(dir)
	e, err := shoal.New(shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	gone := filepath.Join(t.TempDir(), "volume")
	if _, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: gone}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("added in a folder that is not there: %v", err)
	}
	if _, err := os.Stat(gone); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder was made: %v", err)
	}
}

// The same files and options give the same torrent, links are left out, and
// names that are not safe come back under safe ones.
func TestCreateIsDeterministic(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "album")
	for path, text := range map[string]string{"b.txt": "two", "a/z.txt": "one", "empty": ""} {
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	first, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: dir, Trackers: []string{"http://tracker.example/announce"}})
	if err != nil {
		t.Fatal(err)
	}
	if first.Files != 3 || first.Size != 6 || first.Pieces != 1 || len(first.Warnings) != 0 {
		t.Errorf("created %+v", first)
	}
	if err := os.Symlink("b.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	second, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: dir, Trackers: []string{"http://tracker.example/announce"}})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Metainfo, second.Metainfo) {
		t.Errorf("the torrent changed with a link that is no part of it")
	}
	if len(second.Warnings) != 1 || !strings.Contains(second.Warnings[0], "link") {
		t.Errorf("the link is left out without a word: %q", second.Warnings)
	}
	if _, err := shoal.Create(t.Context(), shoal.CreateOptions{Path: filepath.Join(dir, "missing")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing path: %v", err)
	}
	r, err := shoal.Verify(t.Context(), shoal.VerifyOptions{Metainfo: first.Metainfo, Dir: filepath.Dir(dir)})
	if err != nil || !r.Complete {
		t.Errorf("verified right after creation: %+v, %v", r, err)
	}
	os.Remove(filepath.Join(dir, "empty"))
	if r, err = shoal.Verify(t.Context(), shoal.VerifyOptions{Metainfo: first.Metainfo, Dir: filepath.Dir(dir)}); err != nil || r.Complete {
		t.Errorf("complete although an empty file is missing: %+v, %v", r, err)
	}
}

// The trace has a line for each message, and every one that was sent has its
// reason.
func TestTraceHasReasons(t *testing.T) {
	dir, metainfo := shared()
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	seed, err := shoal.New(shoal.Config{Listen: anyPort})
	if err != nil {
		t.Fatal(err)
	}
	defer seed.Close(ctx)
	if _, err := seed.Add(shoal.AddOptions{Metainfo: metainfo, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	e, err := shoal.New(shoal.Config{Listen: anyPort, Trace: &out})
	if err != nil {
		t.Fatal(err)
	}
	tor, err := e.Add(shoal.AddOptions{Metainfo: metainfo, Dir: t.TempDir(), Peers: []netip.AddrPort{seed.Addr()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := tor.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var r struct{ Way, What, Why string }
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if r.Way == "sent" && r.Why == "" {
			t.Errorf("sent without a reason: %s", line)
		}
		seen[r.Way+" "+r.What]++
	}
	for _, want := range []string{"sent handshake", "received handshake", "received have all", "sent interested", "received unchoke", "sent request", "received piece", "did verified", "did complete"} {
		if seen[want] == 0 {
			t.Errorf("the trace has no %q: %v", want, seen)
		}
	}
}

// shared makes a folder with a file and its torrent.
func shared() (dir string, metainfo []byte) {
	dir, err := os.MkdirTemp("", "shoal-example-")
	check(err)
	path := filepath.Join(dir, "hello.txt")
	check(os.WriteFile(path, []byte("hello, swarm\n"), 0o666))
	made, err := shoal.Create(context.Background(), shoal.CreateOptions{Path: path})
	check(err)
	return dir, made.Metainfo
}
