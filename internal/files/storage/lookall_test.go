package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// LookAll passes results on in order, each that of its own name, however many cores look.
func TestLookAllInOrder(t *testing.T) {
	dir := t.TempDir()
	folder, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	names := make([]string, 5000)
	for i := range names {
		names[i] = fmt.Sprintf("t/d%03d/f%04d", i/50, i)
		switch {
		case i/50%10 == 3: // no such folder
		case i%7 == 2: // no such file
		case i%7 == 3:
			names[i] = "" // not wanted
		default:
			if i%50 < 7 {
				os.MkdirAll(filepath.Join(dir, filepath.Dir(names[i])), 0o777)
			}
			if err := os.WriteFile(filepath.Join(dir, names[i]), make([]byte, i), 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	unfinished := NewUnfinished(folder, []Entry{{Path: names[14], Length: 1}, {Path: names[15], Length: 1}, {Path: names[1407], Length: 1}}, UnfinishedConfig{Suffix: ".part"})
	for what, fsys := range map[string]FS{"folder": folder, "unfinished": unfinished} {
		last, results := -1, 0
		LookAll(fsys, len(names), func(i int) string { return names[i] }, func(i int, at Look, err error) {
			if i <= last {
				t.Fatalf("%s: the result for name %d follows that for name %d", what, i, last)
			}
			last = i
			results++
			there := i/50%10 != 3 && i%7 != 2
			switch {
			case there && (err != nil || at.Size != int64(i) || !at.Plain):
				t.Errorf("%s: %s: %+v, %v", what, names[i], at, err)
			case !there && !errors.Is(err, fs.ErrNotExist):
				t.Errorf("%s: %s, which is not there: %+v, %v", what, names[i], at, err)
			}
		})
		wanted := 0
		for _, name := range names {
			if name != "" {
				wanted++
			}
		}
		if results != wanted {
			t.Errorf("%s: %d results for %d names", what, results, wanted)
		}
	}
}
