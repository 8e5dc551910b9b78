package catalogue_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"shoal/internal/crashfs"
)

// A folder as version 1 writes it opens, and is written alike. A change of the form
// is another version, and a folder of this one stays here.
func TestForm(t *testing.T) {
	whole, want := three(t)
	const dir = "testdata/version1"
	kept := map[string][]byte{}
	for name, b := range whole {
		k, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if !bytes.Equal(k, b) {
			t.Errorf("%s is written as\n%q, was\n%q", name, b, k)
		}
		kept[name] = k
	}
	f := fill(t, kept)
	c, entries := open(t, f.Folder(folder))
	if got := describeAll(entries); !slices.Equal(got, want) || c.Settings()["limit"] != "7" {
		t.Errorf("got %v, want %v", got, want)
	}
	f.Crash(crashfs.Kill, nil)
}
