package shoal

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
)

// The port is drawn once and kept, is one of the private range, and is another one for
// another folder.
func TestOwnPort(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	port := OwnPort(dir)
	if port < 49152 {
		t.Errorf("port %d", port)
	}
	seen := make(map[uint16]bool)
	for range 20 {
		if again := OwnPort(dir); again != port {
			t.Errorf("port %d, then %d", port, again)
		}
		one := OwnPort("")
		if one < 49152 {
			t.Errorf("port %d", one)
		}
		seen[one] = true
	}
	if len(seen) < 2 {
		t.Errorf("without a folder it is always %v", seen)
	}
	// What a person writes counts; what is no port is drawn again.
	name := filepath.Join(dir, "port")
	for text, want := range map[string]uint16{"7000\n": 7000, " 51413 ": 51413, "": 0, "0": 0, "70000": 0, "x": 0, "-1": 0} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := OwnPort(dir)
		if want != 0 && got != want || want == 0 && (got < 49152 || OwnPort(dir) != got) {
			t.Errorf("%q: port %d", text, got)
		}
	}
	// A folder that cannot be made keeps nothing, and harms nothing.
	if got := OwnPort(filepath.Join(name, "below a file")); got < 49152 {
		t.Errorf("port %d", got)
	}
}

// Programs that start at the same time agree.
func TestOwnPortAtOnce(t *testing.T) {
	dir := t.TempDir()
	ports := make([]uint16, 8)
	var wg sync.WaitGroup
	for i := range ports {
		wg.Go(func() { ports[i] = OwnPort(dir) })
	}
	wg.Wait()
	b, err := os.ReadFile(filepath.Join(dir, "port"))
	if err != nil || string(b) != strconv.Itoa(int(OwnPort(dir)))+"\n" {
		t.Errorf("kept %q, %v", b, err)
	}
}
