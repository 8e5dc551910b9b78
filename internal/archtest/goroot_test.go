package archtest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What cannot be read of the standard library is told as that, and not as a fault of the
// package in which a type is missing for it.
func TestUnreadableLibraryIsTold(t *testing.T) {
	m, err := Load(filepath.Join("testdata", "sound"))
	if err != nil {
		t.Fatal(err)
	}
	found := mapOrder(m, Rooms, noImporter{errors.New("too many open files")})
	if len(found) != 1 || !strings.Contains(found[0].Text, ": too many open files") {
		t.Errorf("found: %v", found)
	}
}

func TestGoRoot(t *testing.T) {
	root, err := goRoot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "src", "maps", "maps.go")); err != nil {
		t.Error(err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := goRoot(); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("with nothing in the PATH: %v", err)
	}
}
