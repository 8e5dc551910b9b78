package sim

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"shoal/internal/format/tracefmt"
	"shoal/internal/value/trace"
)

var (
	seeds  = flag.Uint64("seeds", 200, "how many random scenarios TestSeeds plays")
	seed   = flag.Uint64("seed", 0, "play this seed only; TestScenarios plays its cases with it")
	traced = flag.Bool("show", false, "print what was said; with -seed")
	hashed = flag.String("hashes", "", "write one line per seed of TestSeeds to this file: its number, records and hash")
)

// given reports whether a flag was set.
func given(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// setup prints the conversation when that is asked for.
func setup(t *testing.T) func(*World) {
	if !*traced {
		return nil
	}
	return func(w *World) {
		c := tracefmt.Conversation{Name: func(a netip.AddrPort) string { return w.nameOf(a) }}
		w.Trace = func(n *Node, r trace.Record) { fmt.Println(c.Line(n.spec.Name, r)) }
	}
}

// TestScenarios plays the library.
func TestScenarios(t *testing.T) {
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			w, err := s.Run(*seed, setup(t))
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s %.1f s, %d events, %016x", s.Story, w.Now().Seconds(), w.steps, w.Hash())
		})
	}
}

// TestSeeds plays random scenarios, and names the seed of one that fails.
func TestSeeds(t *testing.T) {
	if given("seed") {
		w, err := Mix(*seed).Run(*seed, setup(t))
		t.Logf("seed %d: %.1f s, %d events, %016x", *seed, w.Now().Seconds(), w.steps, w.Hash())
		if err != nil {
			t.Error(err)
		}
		return
	}
	// A change that must not alter behavior leaves this file as it is.
	lines := make([]string, *seeds)
	var next, events atomic.Uint64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for {
				n := next.Add(1) - 1
				if n >= *seeds || t.Failed() {
					return
				}
				w, err := Mix(n).Run(n, nil)
				events.Add(uint64(w.steps))
				lines[n] = fmt.Sprintf("seed %d: %d records, %016x\n", n, w.Lines(), w.Hash())
				if err != nil {
					t.Errorf("%v\nagain: make sim SEED=%d TRACE=1", err, n)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d seeds, %d events", *seeds, events.Load())
	if *hashed != "" {
		if err := os.WriteFile(*hashed, []byte(strings.Join(lines, "")), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// same are the seeds whose hashes are compared between processes.
const same = 12

// TestSameSeedSameTrace plays the same seeds in this process and in another one:
// everything that was recorded must be the same, to the last reason. What gets
// in the way is the order of a map, which differs from process to process.
func TestSameSeedSameTrace(t *testing.T) {
	hashes := func() string {
		var b strings.Builder
		for n := range uint64(same) {
			w, err := Mix(n).Run(n, nil)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&b, "seed %d: %d records, %016x\n", n, w.Lines(), w.Hash())
		}
		return b.String()
	}
	const marker = "SHOAL_SIM_HASHES"
	if os.Getenv(marker) != "" {
		fmt.Print("<<<" + hashes() + ">>>")
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestSameSeedSameTrace$")
	cmd.Env = append(os.Environ(), marker+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, theirs, _ := strings.Cut(string(out), "<<<")
	theirs, _, _ = strings.Cut(theirs, ">>>")
	if ours := hashes(); theirs != ours {
		t.Errorf("another process recorded\n%s\nthis one\n%s", theirs, ours)
	}
}
