package shoal

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// A torrent of many small files costs little for each of them: allocations stand for the work.
// More of them are looks, strings and tables that nobody needs.
func TestSmallFilesAreCheap(t *testing.T) {
	const files, perFolder = 4000, 100
	dir := t.TempDir()
	for i := range files {
		in := filepath.Join(dir, "top", fmt.Sprintf("d%02d", i/perFolder))
		if i%perFolder == 0 {
			if err := os.MkdirAll(in, 0o777); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(in, fmt.Sprintf("f%04d", i)), fmt.Appendf(nil, "file %d", i), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var made Created
	perFile := func(what string, most float64, do func() error) {
		t.Helper()
		got := testing.AllocsPerRun(1, func() {
			if err := do(); err != nil {
				t.Fatal(what, err)
			}
		}) / files
		t.Logf("%s: %.1f allocations for each file", what, got)
		if got > most {
			t.Errorf("%s: %.1f allocations for each file, want at most %v", what, got, most)
		}
	}
	perFile("create", 20, func() (err error) {
		made, err = Create(t.Context(), CreateOptions{Path: filepath.Join(dir, "top")})
		return err
	})
	perFile("verify", 8, func() error {
		r, err := Verify(t.Context(), VerifyOptions{Metainfo: made.Metainfo, Dir: dir})
		if err == nil && !r.Complete {
			err = fmt.Errorf("%d of %d pieces", r.Good, r.Pieces)
		}
		return err
	})
}
