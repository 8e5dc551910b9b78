//go:build torture

package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// A run of a hundred torrents, most of them complete and some on their way, that is killed
// again and again: each start has all of them, hashes what was in doubt and nothing else,
// and goes on. In the end all is right.
func TestKillRun(t *testing.T) {
	const torrents, large, pieceLength = 100, 4, 256 << 10
	from, torrentDir := t.TempDir(), t.TempDir()
	rng, content := rand.New(rand.NewPCG(*seedOf, 4)), rand.NewChaCha8([32]byte{8})
	total := 0
	for i := range torrents {
		size := 3 * pieceLength / 2
		if i < large {
			size = 100 * pieceLength
		}
		total += (size + pieceLength - 1) / pieceLength
		b := make([]byte, size)
		content.Read(b)
		name := filepath.Join(from, fmt.Sprintf("file %d", i))
		must(t, os.WriteFile(name, b, 0o666))
		out, err := exec.Command(shoal, "create", name, "-o", filepath.Join(torrentDir, fmt.Sprintf("%d.torrent", i)), "--piece-length", "256KiB").CombinedOutput()
		if err != nil {
			t.Fatalf("create: %v\n%s", err, out)
		}
	}
	source, dir, state := addr(t), t.TempDir(), t.TempDir()
	seed := run(t, "seed", torrentDir, "--dir", from, "--listen", source, "--state", filepath.Join(from, "state"))
	seed.await("up", nil)

	// What was named is remembered once it is up.
	r := run(t, "run", torrentDir, "--dir", dir, "--listen", addr(t), "--peer", source, "--state", state)
	r.await("up", nil)
	kills, most, slowest := 0, 0, time.Duration(0)
	for want := max(*rounds/8, 4); kills < want; kills++ {
		time.Sleep(time.Duration(rng.Int64N(int64(400 * time.Millisecond))))
		r.kill()
		start := time.Now()
		r = run(t, "run", "--listen", addr(t), "--state", state)
		if up := r.await("up", nil); number(up, "torrents") != torrents {
			t.Fatalf("after kill %d: %v", kills, up)
		}
		slowest = max(slowest, time.Since(start))
		hashed := 0
		for _, e := range r.all("checked") {
			hashed += int(number(e, "hashed"))
		}
		most = max(most, hashed)
		if hashed > total/2 {
			t.Errorf("%d of %d pieces were hashed after a kill", hashed, total)
		}
	}
	for n := range torrents { // each is finished by some run, or was when one began
		name := fmt.Sprintf("file %d", n)
		for {
			want, err := os.ReadFile(filepath.Join(from, name))
			must(t, err)
			got, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil && string(got) == string(want) {
				break
			}
			select {
			case <-r.done:
				t.Fatalf("it ended: %v", r.said())
			case <-time.After(100 * time.Millisecond):
			}
		}
	}
	r.term()
	if p := r.find("problem"); p != nil {
		t.Errorf("told of %v", p)
	}
	t.Logf("%d kills of a run of %d torrents: at most %d of %d pieces hashed at a start, up after %v at most", kills, torrents, most, total, slowest.Round(time.Millisecond))
}

// all gives the events of a name said up to now.
func (p *process) all(name string) (found []map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.events {
		if e["event"] == name {
			found = append(found, e)
		}
	}
	return found
}
