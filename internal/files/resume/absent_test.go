package resume_test

import (
	"fmt"
	"testing"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// A journal whose sums are right and which contradicts itself: it claims every piece, and
// notes files as not there, or shorter than its claims. No such claim holds; a piece that
// the part file can hold is another matter.
func TestClaimWithoutBytes(t *testing.T) {
	for name, c := range map[string]struct {
		part bool           // there is a part file
		size map[string]int // of the files that are there
		want string
	}{
		"nothing there":           {want: "[]"},
		"part file alone":         {part: true, want: "[2 6]"},
		"first file":              {size: map[string]int{"t/a": 2500}, want: "[0 1]"},
		"first file and the part": {part: true, size: map[string]int{"t/a": 2500}, want: "[0 1 2 6]"},
		"first file, short":       {part: true, size: map[string]int{"t/a": 2000}, want: "[0 2 6]"},
		"first file, empty":       {size: map[string]int{"t/a": 0}, want: "[]"},
		"first file, longer":      {size: map[string]int{"t/a": 9000}, want: "[0 1]"},
		"last file":               {size: map[string]int{"t/d": 1500}, want: "[7]"},
		"last file and the part":  {part: true, size: map[string]int{"t/d": 1500}, want: "[2 6 7]"},
		"all":                     {size: map[string]int{"t/a": 2500, "t/x/b": 100, "t/x/c": 4000, "t/d": 1500}, want: "[0 1 2 3 4 5 6 7]"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSelecting() // its pieces 2 and 6 lie in several files
			d := s.fs.Folder("data")
			must(t, d.Mkdir("t"))
			must(t, d.Mkdir("t/x"))
			write := func(path string, n int) {
				h, err := d.Open(path, storage.Create)
				must(t, err)
				_, err = h.WriteV([][]byte{make([]byte, n)}, 0)
				must(t, err)
			}
			for path, n := range c.size {
				write(path, n)
			}
			if c.part {
				write(partName, 500)
			}
			p, err := s.open()
			must(t, err)
			seen, err := resume.Look(d, s.lay.Files)
			must(t, err)
			all := p.lo.Have.Clone()
			all.SetAll()
			if v := p.lo.Pretend(seen, all).Compare(seen); fmt.Sprint(list(v.Trusted)) != c.want {
				t.Errorf("trusted are %v, want %s", list(v.Trusted), c.want)
			}
		})
	}
}
