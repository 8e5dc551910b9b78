//go:build torture

package torture

import (
	"crypto/sha256"
	"encoding/hex"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// twice is the most that may be fetched again because of one kill.
const twice = 16 << 20

// verdict gives what the journal of a torrent vouches for, and what is in doubt: as
// the next start will see it.
func verdict(t *testing.T, p *payload, state, dir string) resume.Verdict {
	t.Helper()
	lay := resume.LayoutOf(p.meta.InfoHash, p.meta.Info)
	sum := sha256.Sum256([]byte(dir))
	path := filepath.Join(state, "journals", hex.EncodeToString(sum[:8]))
	must(t, os.MkdirAll(path, 0o700))
	folder, err := resume.OpenFolder(path)
	must(t, err)
	defer folder.Close()
	_, lo, err := resume.Open(folder, lay, resume.Config{Dir: dir, Boot: resume.ThisBoot()})
	must(t, err)
	if lo.Damaged != "" {
		t.Errorf("a kill damaged the journal: %s", lo.Damaged)
	}
	files, err := storage.OpenFolder(dir)
	must(t, err)
	defer files.Close()
	seen, err := resume.Look(files, lay.Files)
	must(t, err)
	return lo.Compare(seen)
}

// Downloads that are killed again and again. After each kill: nothing is claimed that
// is not there, what is in doubt is a part, and little is fetched again.
func TestKillDownloads(t *testing.T) {
	p := makePayload(t, "256KiB", 90<<20, 1, 50<<20, 0, 52<<20+77)
	rng := rand.New(rand.NewPCG(*seedOf, 1))
	t.Logf("seed %d", *seedOf)
	source := addr(t)
	var most, sum, doubted int64
	kills, downloads, fullChecks := 0, 0, 0
	want := *rounds * 3 / 4
	for kills < want {
		dir, state := t.TempDir(), t.TempDir()
		downloads++
		had := 0
		for done := false; !done; {
			seed := run(t, "seed", p.torrent, "--dir", p.dir, "--listen", source, "--state", filepath.Join(p.dir, "state"))
			seed.await("up", nil)
			v := verdict(t, p, state, dir)
			get := run(t, "get", p.torrent, "--dir", dir, "--state", state, "--listen", addr(t), "--peer", source)
			checked := get.await("checked", nil)
			if number(checked, "hashed") > int64(v.Doubt.Count()) {
				t.Errorf("%d pieces were hashed, %d were in doubt", number(checked, "hashed"), v.Doubt.Count())
			}
			if number(checked, "hashed") >= number(checked, "pieces") {
				fullChecks++
			}
			doubted += number(checked, "hashed")
			if int(number(checked, "have")) < had {
				t.Errorf("%d pieces were right after the kill, %d are had at the next start", had, number(checked, "have"))
			}
			select {
			case <-get.done:
				done = true
			case <-time.After(time.Duration(rng.Int64N(int64(350 * time.Millisecond)))):
				get.kill()
				kills++
			}
			seed.term()
			sent := number(seed.find("complete"), "uploaded")

			good := p.good(t, dir)
			n := 0
			for _, ok := range good {
				if ok {
					n++
				}
			}
			v = verdict(t, p, state, dir)
			for i := range v.Trusted.Pieces() {
				if !good[i] {
					t.Errorf("piece %d is claimed and not right", i)
				}
			}
			kept := 0 // what the next start can find: claimed, or in doubt and right
			for i, ok := range good {
				if ok && (v.Trusted.Has(i) || v.Doubt.Has(i)) {
					kept++
				} else if ok && p.meta.Info.Length > 0 && n == len(good) {
					t.Errorf("piece %d is there and will not be looked at", i)
				}
			}
			again := sent - int64(kept-had)*p.meta.Info.PieceLength
			if !done {
				most, sum = max(most, again), sum+max(again, 0)
				if again > twice {
					t.Errorf("%d bytes were sent and are not had after a kill", again)
				}
			}
			had = kept
			if t.Failed() {
				return
			}
		}
		p.whole(t, dir)
	}
	if fullChecks > 0 {
		t.Errorf("%d full checks", fullChecks)
	}
	t.Logf("%d kills in %d downloads: at most %.1f MiB were sent again for one kill, %.1f MiB on average; %.1f pieces of %d hashed at a start on average; 0 false claims, %d full checks",
		kills, downloads, float64(most)/(1<<20), float64(sum)/float64(kills)/(1<<20), float64(doubted)/float64(kills+downloads), p.meta.Info.NumPieces(), fullChecks)
}

// Seeds that are killed while they serve: each start has all of it at once.
func TestKillSeeds(t *testing.T) {
	p := makePayload(t, "256KiB", 60<<20, 4<<20)
	rng := rand.New(rand.NewPCG(*seedOf, 2))
	source, state := addr(t), t.TempDir()
	start := func() *process {
		s := run(t, "seed", p.torrent, "--dir", p.dir, "--listen", source, "--state", state)
		s.await("up", nil)
		return s
	}
	start().term() // the first time everything is hashed, and claimed
	hashed := int64(0)
	for range *rounds / 4 {
		seed := start()
		checked := seed.await("checked", nil)
		hashed += number(checked, "hashed")
		if number(checked, "have") != number(checked, "pieces") {
			t.Fatalf("not all is had: %v", checked)
		}
		get := run(t, "get", p.torrent, "--dir", t.TempDir(), "--state", "none", "--listen", addr(t), "--peer", source)
		time.Sleep(time.Duration(rng.Int64N(int64(120 * time.Millisecond))))
		seed.kill()
		get.kill()
	}
	if hashed > 0 {
		t.Errorf("%d pieces were hashed again", hashed)
	}
	t.Logf("%d kills, %d pieces hashed again", *rounds/4, hashed)
}

// Downloads into another folder, on another volume, under other names, that are killed
// again and again, also while they move home; every second start is not told where they
// are. In the end all is where it belongs, and nothing is left elsewhere.
func TestKillUnfinished(t *testing.T) {
	p := makePayload(t, "256KiB", 30<<20, 0, 20<<20+77)
	rng := rand.New(rand.NewPCG(*seedOf, 3))
	source := addr(t)
	aside := t.TempDir()
	mount(t, "-t", "tmpfs", "-o", "size=80m", "tmpfs", aside)
	defer unmount(t, "-l", aside)
	kills, downloads := 0, 0
	var most int64
	for want := max(*rounds/5, 4); kills < want; downloads++ {
		dir, state := t.TempDir(), t.TempDir()
		had := int64(0)
		for n := 0; ; n++ {
			seed := run(t, "seed", p.torrent, "--dir", p.dir, "--listen", source, "--state", filepath.Join(p.dir, "state"))
			seed.await("up", nil)
			args := []string{"get", p.torrent, "--dir", dir, "--state", state, "--listen", addr(t), "--peer", source}
			if n%2 == 0 {
				args = append(args, "--incomplete-dir", aside, "--incomplete-suffix", ".part")
			}
			get := run(t, args...)
			have := number(get.await("checked", nil), "have") * p.meta.Info.PieceLength
			if again := had - have; n > 0 {
				most = max(most, again)
				if again > twice {
					t.Errorf("%d bytes were sent and are not had after a kill", again)
				}
			}
			done := false
			select {
			case <-get.done:
				done = true
			case <-time.After(time.Duration(rng.Int64N(int64(300 * time.Millisecond)))):
				get.kill()
				kills++
			}
			seed.term()
			had = have + number(seed.find("complete"), "uploaded")
			if done || t.Failed() {
				break
			}
		}
		p.whole(t, dir)
		left, err := os.ReadDir(aside)
		must(t, err)
		if len(left) > 0 || t.Failed() {
			t.Fatalf("left behind: %v", left)
		}
	}
	t.Logf("%d kills in %d downloads: at most %.1f MiB were sent again for one kill", kills, downloads, float64(most)/(1<<20))
}
