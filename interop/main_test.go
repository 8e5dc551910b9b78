//go:build interop

package interop

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var (
	mib     = flag.Int("mib", 256, "size of the torrents in MiB")
	command = flag.String("shoal", "", "the shoal command to test; built from this module when empty")
	raced   = flag.Bool("raced", false, "build the command with the race detector (needs cgo, and is slow)")
)

// patience is how long any single thing may take: a client to start, a torrent
// to arrive. It is far beyond what is needed, so that only what hangs meets it.
var patience = flag.Duration("patience", 3*time.Minute, "how long to wait for any single thing")

var (
	shoal   string // the command under test
	scratch string // folder of everything that outlives a single test
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if err := aloneOnLoopback(); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		return 1
	}
	var err error
	if scratch, err = os.MkdirTemp("", "interop"); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		return 1
	}
	defer os.RemoveAll(scratch)
	if shoal, err = buildShoal(); err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		return 1
	}
	return m.Run()
}

// aloneOnLoopback refuses to run where a client could reach anything else.
func aloneOnLoopback() error {
	all, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, i := range all {
		if i.Flags&net.FlagLoopback == 0 && i.Flags&net.FlagUp != 0 {
			return fmt.Errorf("the interface %s is up: run this by make interop, in a network namespace with loopback alone", i.Name)
		}
	}
	if len(all) == 0 {
		return fmt.Errorf("no loopback interface: run this by make interop")
	}
	return nil
}

func buildShoal() (string, error) {
	if *command != "" {
		return filepath.Abs(*command)
	}
	out := filepath.Join(scratch, "shoal")
	args := []string{"build", "-buildvcs=false", "-o", out}
	if *raced {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "../cmd/shoal")...)
	if !*raced {
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
	}
	if text, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the command under test: %w\n%s", err, text)
	}
	return out, nil
}
