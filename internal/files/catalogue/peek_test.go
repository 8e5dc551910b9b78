package catalogue_test

import (
	"slices"
	"testing"

	"shoal/internal/files/catalogue"
	"shoal/internal/files/resume"
)

// A catalogue that another one has open is read as it was written last, and nothing in it
// changes; what is damaged is told and left as it is.
func TestPeek(t *testing.T) {
	dir := t.TempDir()
	fsys, err := resume.OpenFolder(dir)
	must(t, err)
	defer fsys.Close()
	c, _ := open(t, fsys)
	for i := range 3 {
		must(t, c.Put(entry(t, i)))
	}
	must(t, c.Flush(background))
	must(t, c.SetState(entry(t, 1).InfoHash, catalogue.State{Stopped: true, Uploaded: 7}))
	must(t, c.Flush(background))

	other, err := resume.OpenFolder(dir)
	must(t, err)
	defer other.Close()
	look := func(problems int) {
		t.Helper()
		before, err := other.List()
		must(t, err)
		lo, err := catalogue.Peek(other)
		must(t, err)
		if len(lo.Entries) != 3-problems || len(lo.Problems) != problems {
			t.Fatalf("%d entries, %v", len(lo.Entries), lo.Problems)
		}
		if e := lo.Entries[1]; problems == 0 && (!e.Stopped || e.Uploaded != 7) {
			t.Errorf("%+v", e.State)
		}
		after, err := other.List()
		must(t, err)
		slices.Sort(before)
		slices.Sort(after)
		if !slices.Equal(before, after) {
			t.Errorf("%v became %v", before, after)
		}
	}
	look(0)
	must(t, other.Remove(entry(t, 2).InfoHash.String()+".entry"))
	look(1)
	look(1) // and nothing was put right
	must(t, c.Close(background))
}
