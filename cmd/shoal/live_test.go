package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"shoal/internal/cli/ui"
)

// These tests run real commands, with the real engine, on loopback sockets.

// A running is a command line that is being executed in this process with --json.
type running struct {
	t       *testing.T
	name    string
	signals chan os.Signal
	done    chan struct{}
	code    int // when done is closed
	stderr  bytes.Buffer

	mu    sync.Mutex
	lines []map[string]any
	part  []byte
	news  chan struct{} // closed at the next line
}

// start begins a command. It is stopped at the end of the test if it still runs.
func start(t *testing.T, args ...string) *running {
	t.Helper()
	r := &running{
		t: t, name: strings.Join(args, " "), signals: make(chan os.Signal, 2),
		done: make(chan struct{}), news: make(chan struct{}),
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // a test that hangs tells what it saw
	go func() {
		defer close(r.done)
		r.code = run(ctx, append(args, "--json"), ui.Env{
			Stdout: r, Stderr: &r.stderr, Getenv: func(string) string { return "" }, Signals: r.signals, Now: time.Now,
		})
	}()
	t.Cleanup(func() {
		cancel()
		<-r.done
		if t.Failed() {
			t.Logf("%s: exit %d, said\n%s%s", r.name, r.code, r.text(), r.stderr.String())
		}
	})
	return r
}

// Write takes what the command prints.
func (r *running) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.part = append(r.part, b...)
	for {
		line, rest, ok := bytes.Cut(r.part, []byte("\n"))
		if !ok {
			break
		}
		var e map[string]any
		if err := json.Unmarshal(line, &e); err != nil {
			r.t.Errorf("%s: not JSON: %s", r.name, line)
		} else {
			checkDocumented(r.t, r.name, e)
		}
		r.lines = append(r.lines, e)
		r.part = rest
	}
	close(r.news)
	r.news = make(chan struct{})
	return len(b), nil
}

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, l := range r.lines {
		line, _ := json.Marshal(l)
		b.Write(append(line, '\n'))
	}
	return b.String()
}

// await gives the first event of that name for which ok (nil: any) holds.
func (r *running) await(event string, ok func(e map[string]any) bool) map[string]any {
	r.t.Helper()
	for seen := 0; ; {
		r.mu.Lock()
		lines, news := r.lines[seen:], r.news
		seen = len(r.lines)
		r.mu.Unlock()
		for _, e := range lines {
			if e["event"] == event && (ok == nil || ok(e)) {
				return e
			}
		}
		select {
		case <-news:
		case <-r.done:
			r.mu.Lock()
			more := len(r.lines) > seen
			r.mu.Unlock()
			if !more {
				r.t.Fatalf("%s: ended with %d and without the event %q", r.name, r.code, event)
			}
		}
	}
}

// wait waits for the end and gives the exit code and the last event.
func (r *running) wait() (int, map[string]any) {
	<-r.done
	if len(r.lines) == 0 {
		return r.code, nil
	}
	return r.code, r.lines[len(r.lines)-1]
}

// finish waits for an end that must be like this.
func (r *running) finish(code int, event string) map[string]any {
	r.t.Helper()
	got, last := r.wait()
	if got != code || last["event"] != event {
		r.t.Fatalf("%s: ended with %d and %v; want %d and %q", r.name, got, last, code, event)
	}
	return last
}

func number(t *testing.T, e map[string]any, field string) int64 {
	t.Helper()
	n, ok := e[field].(float64)
	if !ok {
		t.Fatalf("%v has no number %q", e, field)
	}
	return int64(n)
}

// A share is a torrent and the folder that holds its files.
type share struct {
	torrent string
	dir     string
	size    int64
}

var shared = map[string]int{"one.bin": 500_001, "sub/two.bin": 300_000, "sub/empty": 0, "three": 7}

// newShare makes files and a torrent of them: 49 pieces.
func newShare(t *testing.T, flags ...string) share {
	t.Helper()
	ownState(t)
	s := share{dir: t.TempDir()}
	for name, n := range shared {
		files(t, []string{"write", filepath.Join(s.dir, "files", filepath.FromSlash(name)), itoa(n)})
		s.size += int64(n)
	}
	s.torrent = filepath.Join(s.dir, "files.torrent")
	args := append([]string{"create", filepath.Join(s.dir, "files"), "-o", s.torrent, "--piece-length", "16KiB"}, flags...)
	start(t, args...).finish(ui.ExitDone, "complete")
	return s
}

// ownState gives a test a folder of state of its own, unless it has one. All shares have the
// same info-hash: with one folder for all tests a command finds what another test has left
// there, such as the URL of a tracker that is gone, and waits for that one in real time.
func ownState(t *testing.T) {
	t.Helper()
	if stateOwner == t {
		return
	}
	before := stateOwner
	stateOwner = t
	t.Cleanup(func() { stateOwner = before })
	dir := t.TempDir()
	for _, name := range stateHomes {
		t.Setenv(name, dir)
	}
}

// stateOwner is the test whose folder of state is in use.
var stateOwner *testing.T

func itoa(n int) string { b, _ := json.Marshal(n); return string(b) }

// sameFiles compares what was fetched with what was shared.
func (s share) sameFiles(t *testing.T, dir string) {
	t.Helper()
	for name := range shared {
		want, err := os.ReadFile(filepath.Join(s.dir, "files", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "files", filepath.FromSlash(name)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes instead of %d, or others (%v)", name, len(got), len(want), err)
		}
	}
}

// seedFrom starts a seed and gives its address when it is up.
func seedFrom(t *testing.T, dir string, args ...string) (*running, string) {
	t.Helper()
	r := start(t, append([]string{"seed", "--dir", dir, "--listen", "127.0.0.1:0"}, args...)...)
	return r, r.await("up", nil)["addr"].(string)
}

// A torrent is fetched from a seed, by one who then seeds it to another.
func TestGet(t *testing.T) {
	s := newShare(t)
	seeder, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")

	second := t.TempDir()
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	r := start(t, "get", s.torrent, "--dir", second, "--peer", addr, "--no-dht", "--listen", "127.0.0.1:0", "--seed", "--trace", trace)
	done := r.await("complete", nil)
	s.sameFiles(t, second)
	if n := number(t, done, "bytes"); n != s.size {
		t.Errorf("complete with %d bytes of %d", n, s.size)
	}
	if n := number(t, done, "downloaded") - number(t, done, "wasted"); n != s.size {
		t.Errorf("downloaded %d bytes that were not wasted, of %d", n, s.size)
	}
	if done["path"] != filepath.Join(second, "files") {
		t.Errorf("path is %v", done["path"])
	}

	seeder.signals <- syscall.SIGTERM // a service that is ended
	if n := number(t, seeder.finish(ui.ExitDone, "complete"), "uploaded"); n < s.size {
		t.Errorf("the seed says it sent %d bytes", n)
	}

	third := t.TempDir()
	addr = r.await("listening", nil)["addr"].(string)
	start(t, "get", s.torrent, "--dir", third, "--peer", addr, "--no-dht", "--listen", "127.0.0.1:0").finish(ui.ExitDone, "complete")
	s.sameFiles(t, third)

	r.signals <- os.Interrupt
	r.finish(ui.ExitInterrupted, "error")
	checkTrace(t, trace)

	// The same command finds everything there, and asks for nothing.
	again := start(t, "get", s.torrent, "--dir", third, "--no-dht", "--listen", "127.0.0.1:0").finish(ui.ExitDone, "complete")
	if n := number(t, again, "downloaded"); n != 0 {
		t.Errorf("downloaded %d bytes that were there", n)
	}
}

func checkTrace(t *testing.T, name string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	requests := 0
	for line := range bytes.Lines(b) {
		var r struct{ What, Way, Why string }
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("trace: %s: %v", line, err)
		}
		if r.What == "request" && r.Way == "sent" && r.Why != "" {
			requests++
		}
	}
	if requests < 49 {
		t.Errorf("%d requests with a reason in the trace", requests)
	}
}

// A folder that is not there is made, but not one in a folder that is not there
// either: that may be a volume which is not attached.
func TestGetMakesItsFolder(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	fresh := filepath.Join(t.TempDir(), "new")
	start(t, "get", s.torrent, "--dir", fresh, "--peer", addr, "--no-dht", "--listen", "127.0.0.1:0").finish(ui.ExitDone, "complete")
	s.sameFiles(t, fresh)

	volume := filepath.Join(t.TempDir(), "volume")
	start(t, "get", s.torrent, "--dir", filepath.Join(volume, "new"), "--no-dht", "--listen", "127.0.0.1:0").finish(ui.ExitFailed, "error")
	if _, err := os.Stat(volume); !os.IsNotExist(err) {
		t.Errorf("the folder above was made: %v", err)
	}
}

// A download that was interrupted goes on where it was.
func TestResume(t *testing.T) {
	s := newShare(t)
	part := t.TempDir()
	if err := os.CopyFS(part, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	files(t, []string{"remove", filepath.Join(part, "files", "one.bin")})
	partial, addr := seedFrom(t, part, s.torrent, "--no-dht")
	have := number(t, partial.await("checked", nil), "verified_bytes")
	if up := partial.await("up", nil); have == 0 || have >= s.size || up["partial"] != 1.0 {
		t.Fatalf("the partial seed has %d bytes of %d, and said %v", have, s.size, up)
	}

	dir := t.TempDir()
	get := []string{"get", s.torrent, "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0", "--peer"}
	r := start(t, append(get, addr)...)
	r.await("progress", func(e map[string]any) bool { return number(t, e, "verified") == have })
	r.signals <- os.Interrupt
	if e := r.finish(ui.ExitInterrupted, "error"); e["code"] != "interrupted" || !strings.Contains(e["hint"].(string), "the same command goes on") {
		t.Errorf("the last word was %v", e)
	}

	_, addr = seedFrom(t, s.dir, s.torrent, "--no-dht")
	r = start(t, append(get, addr)...)
	done := r.finish(ui.ExitDone, "complete")
	if n := number(t, r.await("checked", nil), "verified_bytes"); n != have {
		t.Errorf("found %d bytes of the %d that were verified", n, have)
	}
	if n := number(t, done, "downloaded") - number(t, done, "wasted"); n != s.size-have {
		t.Errorf("downloaded %d bytes for the %d that were missing", n, s.size-have)
	}
	s.sameFiles(t, dir)
}

// A seed whose files are damaged behind its back, with the time of change set back,
// serves what it has not noticed. It is found out, and the torrent completes from
// another one.
func TestBadSeed(t *testing.T) {
	s := newShare(t)
	bad := t.TempDir()
	if err := os.CopyFS(bad, os.DirFS(s.dir)); err != nil {
		t.Fatal(err)
	}
	_, addr := seedFrom(t, bad, s.torrent, "--no-dht")
	one := filepath.Join(bad, "files", "one.bin")
	before, err := os.Stat(one)
	if err != nil {
		t.Fatal(err)
	}
	files(t, []string{"damage", one, "123456"})
	if err := os.Chtimes(one, before.ModTime(), before.ModTime()); err != nil {
		t.Fatal(err)
	}

	dir := t.TempDir()
	_, good := seedFrom(t, s.dir, s.torrent, "--no-dht")
	r := start(t, "get", s.torrent, "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr)
	r.await("piece-failed", func(e map[string]any) bool { return e["piece"] == 7.0 })
	if e := r.await("banned", nil); e["peer"] != addr {
		t.Errorf("banned %v, not %v", e["peer"], addr)
	}
	r.signals <- os.Interrupt
	r.finish(ui.ExitInterrupted, "error")

	start(t, "get", s.torrent, "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr, "--peer", good).
		finish(ui.ExitDone, "complete")
	s.sameFiles(t, dir)
}

// Damage that shows is noticed by the seed itself: it does not give out a bad byte.
func TestDamageIsNotServed(t *testing.T) {
	s := newShare(t)
	seed, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	files(t, []string{"damage", filepath.Join(s.dir, "files", "one.bin"), "123456"})

	dir := t.TempDir()
	r := start(t, "get", s.torrent, "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0", "--peer", addr)
	seed.await("files", func(e map[string]any) bool { return strings.Contains(e["text"].(string), "one.bin") })
	r.await("progress", func(e map[string]any) bool { return e["have"] == e["pieces"].(float64)-1 })
	r.signals <- os.Interrupt
	r.finish(ui.ExitInterrupted, "error")
	if text := r.text(); strings.Contains(text, "piece-failed") {
		t.Errorf("a bad piece was served:\n%s", text)
	}
}

// A folder of torrents is seeded as a whole; what cannot be is told.
func TestSeedFolder(t *testing.T) {
	a, b, lost := newShare(t), newShare(t, "--comment", "another"), t.TempDir()
	torrents := t.TempDir()
	copyFile(t, a.torrent, filepath.Join(torrents, "a.torrent"))
	copyFile(t, a.torrent, filepath.Join(torrents, "again.torrent"))
	copyFile(t, b.torrent, filepath.Join(torrents, "not a torrent.txt"))
	files(t, []string{"write", filepath.Join(torrents, "noise.torrent"), "100"})
	files(t, []string{"write", filepath.Join(lost, "lost.bin"), "50000"})
	start(t, "create", filepath.Join(lost, "lost.bin"), "-o", filepath.Join(torrents, "lost.torrent")).finish(ui.ExitDone, "complete")

	r, _ := seedFrom(t, a.dir, torrents, "--no-dht")
	if up := r.await("up", nil); up["torrents"] != 2.0 || up["complete"] != 1.0 || up["partial"] != 0.0 {
		t.Errorf("up with %v", up)
	}
	for _, about := range []string{"noise.torrent", "again.torrent is the same torrent", "lost.bin: none of its pieces"} {
		r.await("warning", func(e map[string]any) bool { return strings.Contains(e["message"].(string), about) })
	}
	r.signals <- os.Interrupt
	r.finish(ui.ExitInterrupted, "error")

	// Nothing at all to share.
	last := start(t, "seed", filepath.Join(torrents, "lost.torrent"), "--dir", a.dir, "--no-dht", "--listen", "127.0.0.1:0").
		finish(ui.ExitFailed, "error")
	if !strings.Contains(last["message"].(string), "none of its pieces is in") {
		t.Errorf("said %v", last)
	}
	start(t, "seed", a.dir, "--no-dht", "--listen", "127.0.0.1:0", "--dir", a.dir).await("up", nil)
	start(t, "seed", lost, "--no-dht", "--listen", "127.0.0.1:0").finish(ui.ExitSource, "error")
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A port that is taken is told, with what to do.
func TestPortTaken(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	e := start(t, "get", s.torrent, "--dir", t.TempDir(), "--no-dht", "--listen", addr).finish(ui.ExitFailed, "error")
	if !strings.Contains(e["hint"].(string), "--listen") || !strings.Contains(e["message"].(string), addr) {
		t.Errorf("said %v", e)
	}
}

// The lab shows a swarm at work, and what it leaves is its summary.
func TestLab(t *testing.T) {
	r := start(t, "lab", "--keep", t.TempDir())
	r.finish(ui.ExitDone, "complete")
	r.await("message", func(e map[string]any) bool { return e["from"] == "A" && e["to"] == "B" && e["why"] != nil })
	r.await("summary", func(e map[string]any) bool { return e["files_match"] == true && e["rarest_first"] == true })
}

// Peers find each other through the DHT alone, and the DHT can be asked.
func TestDHT(t *testing.T) {
	other := newShare(t)
	_, node := seedFrom(t, other.dir, other.torrent)
	s := newShare(t, "--node", node, "--comment", "found by the DHT")
	_, addr := seedFrom(t, s.dir, s.torrent)

	dir := t.TempDir()
	// It stays: a node that is gone would be waited for by the lookups below.
	start(t, "get", s.torrent, "--dir", dir, "--listen", "127.0.0.1:0", "--seed").await("complete", nil)
	s.sameFiles(t, dir)

	e := start(t, "dht", "ping", node, "--listen", "127.0.0.1:0").finish(ui.ExitDone, "complete")
	if e["addr"] != node || len(e["id"].(string)) != 40 {
		t.Errorf("ping gave %v", e)
	}
	r := start(t, "dht", "find-node", e["id"].(string), "--dht-node", node, "--listen", "127.0.0.1:0")
	r.finish(ui.ExitDone, "complete")
	if n := r.await("node", nil); n["id"] != e["id"] || n["addr"] != node {
		t.Errorf("the closest node is %v", n)
	}
	hash := start(t, "show", s.torrent).finish(ui.ExitDone, "complete")["info_hash"].(string)
	r = start(t, "dht", "get-peers", hash, "--dht-node", node, "--listen", "127.0.0.1:0")
	r.finish(ui.ExitDone, "complete")
	r.await("peer", func(e map[string]any) bool { return e["addr"] == addr })
}
