//go:build torture

package torture

import (
	"bufio"
	"crypto/sha1"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"shoal/internal/testkit"
	"shoal/metainfo"
)

var (
	rounds = flag.Int("rounds", 200, "kills, over downloads and seeds together")
	seedOf = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of the moments of the kills")
)

// patience is how long any single thing may take; only what hangs meets it.
const patience = 2 * time.Minute

var shoal string // the command under test

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		all, err := net.Interfaces()
		if err != nil || len(all) != 1 || all[0].Flags&net.FlagLoopback == 0 {
			fmt.Fprintln(os.Stderr, "torture: run this by make torture, in a network with loopback alone")
			return 1
		}
		dir, err := os.MkdirTemp("", "torture")
		if err != nil {
			fmt.Fprintln(os.Stderr, "torture:", err)
			return 1
		}
		defer os.RemoveAll(dir)
		shoal = filepath.Join(dir, "shoal")
		build := exec.Command("go", "build", "-buildvcs=false", "-o", shoal, "shoal/cmd/shoal")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "torture: build the command:", err)
			return 1
		}
		return m.Run()
	}())
}

// payload is a torrent and its files.
type payload struct {
	dir, torrent string
	meta         *metainfo.Torrent
}

// makePayload makes files of random bytes and a torrent of them.
func makePayload(t *testing.T, pieceLength string, sizes ...int) *payload {
	t.Helper()
	p := &payload{dir: t.TempDir()}
	folder := filepath.Join(p.dir, "payload")
	must(t, os.Mkdir(folder, 0o777))
	rng := rand.NewChaCha8([32]byte{7})
	for i, n := range sizes {
		b := make([]byte, n)
		rng.Read(b)
		must(t, os.WriteFile(filepath.Join(folder, fmt.Sprintf("file %d", i)), b, 0o666))
	}
	p.torrent = filepath.Join(p.dir, "payload.torrent")
	if out, err := exec.Command(shoal, "create", folder, "-o", p.torrent, "--piece-length", pieceLength).CombinedOutput(); err != nil {
		t.Fatalf("create: %v\n%s", err, out)
	}
	b, err := os.ReadFile(p.torrent)
	must(t, err)
	p.meta, err = metainfo.Parse(b)
	must(t, err)
	return p
}

// good gives the pieces that are right in a folder, read and hashed here.
func (p *payload) good(t *testing.T, dir string) map[uint32]bool {
	t.Helper()
	g := p.meta.Info.Geometry()
	span := make([]byte, g.Total)
	for _, f := range p.meta.Info.Files {
		b, err := os.ReadFile(filepath.Join(append([]string{dir}, f.Path...)...))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		copy(span[f.Offset:f.Offset+f.Length], b)
	}
	good := make(map[uint32]bool)
	for i := range g.Pieces {
		off := g.Offset(i, 0)
		good[i] = sha1.Sum(span[off:off+int64(g.PieceSize(i))]) == p.meta.Info.PieceHash(i)
	}
	return good
}

func (p *payload) whole(t *testing.T, dir string) {
	t.Helper()
	for i, ok := range p.good(t, dir) {
		if !ok {
			t.Errorf("piece %d is not right", i)
		}
	}
}

// A process is a shoal that runs, and what it has said.
type process struct {
	t    *testing.T
	name string
	cmd  *exec.Cmd
	done chan struct{}

	mu     sync.Mutex
	events []map[string]any
	news   chan struct{}
}

// run starts shoal with --json. It is killed at the end of the test.
func run(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, name: args[0], cmd: exec.Command(shoal, append(args, "--json", "--no-dht")...), done: make(chan struct{}), news: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_STATE_HOME=", "XDG_CACHE_HOME=")
	out, err := p.cmd.StdoutPipe()
	must(t, err)
	must(t, p.cmd.Start())
	go func() {
		defer close(p.done)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var e map[string]any
			if json.Unmarshal(lines.Bytes(), &e) == nil {
				p.mu.Lock()
				p.events = append(p.events, e)
				close(p.news)
				p.news = make(chan struct{})
				p.mu.Unlock()
			}
		}
		p.cmd.Wait()
	}()
	t.Cleanup(p.kill)
	return p
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

// term ends it in order.
func (p *process) term() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	<-p.done
}

// await gives the first event of a name for which ok holds; nil means any.
func (p *process) await(name string, ok func(map[string]any) bool) map[string]any {
	p.t.Helper()
	deadline := time.After(patience)
	for seen := 0; ; {
		p.mu.Lock()
		events, news := p.events[seen:], p.news
		seen = len(p.events)
		p.mu.Unlock()
		for _, e := range events {
			if e["event"] == name && (ok == nil || ok(e)) {
				return e
			}
		}
		select {
		case <-news:
		case <-deadline:
			p.t.Fatalf("%s: no event %q; it said %v", p.name, name, p.said())
		case <-p.done:
			p.mu.Lock()
			more := len(p.events) > seen
			p.mu.Unlock()
			if !more {
				p.t.Fatalf("%s: ended without the event %q; it said %v", p.name, name, p.said())
			}
		}
	}
}

// find gives the last event of a name said up to now, or nil.
func (p *process) find(name string) (found map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e["event"] == name {
			found = e
		}
	}
	return found
}

func (p *process) said() []map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.events[max(0, len(p.events)-12):]
}

func number(e map[string]any, field string) int64 {
	n, _ := e[field].(float64)
	return int64(n)
}

var must = testkit.Must

// addr gives a loopback address with a port that was free a moment ago.
func addr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func mount(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Fatalf("mount %v: %v\n%s", args, err, out)
	}
}

func unmount(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("umount", args...).CombinedOutput(); err != nil {
		t.Fatalf("umount %v: %v\n%s", args, err, out)
	}
}
