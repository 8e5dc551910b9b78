package metainfo

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
)

// FuzzParse loads anything. What is refused is refused with a place inside the input; what
// loads has only safe paths, no two alike, and files that tile the content; written and
// loaded again, or made anew from its files, it is the same torrent.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"torrents.json", "torrents-invalid.json"} {
		for _, v := range loadVectors[torrentVector](f, name) {
			f.Add(v.Torrent)
		}
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		tor, err := Parse(in)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset > len(in) || Printable(err.Error()) != err.Error() {
				t.Fatalf("error %q", err)
			}
			return
		}
		checkTorrent(t, tor)
		if !bytes.Contains(in, tor.Info.Raw) {
			t.Fatal("the info dictionary is not part of the input")
		}

		out, err := tor.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(out)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(again.Warnings, again.Info.Warnings) {
			t.Fatalf("warnings about what was written: %q", again.Warnings)
		}
		if !reflect.DeepEqual(again.Trackers(), tor.Trackers()) {
			t.Fatalf("trackers %q, before %q", again.Trackers(), tor.Trackers())
		}
		// What is written names one tracker where there was a list only, and is sorted.
		again.Announce, again.AnnounceList, again.Warnings = tor.Announce, tor.AnnounceList, tor.Warnings
		byKey := func(a, b Entry) int { return bytes.Compare([]byte(a.Key), []byte(b.Key)) }
		slices.SortFunc(tor.Unknown, byKey)
		slices.SortFunc(again.Unknown, byKey)
		if !reflect.DeepEqual(again, tor) {
			t.Fatalf("written and loaded again:\n%+v\nbefore\n%+v", again, tor)
		}
		draft(t, tor.Info)
	})
}

// draft makes a torrent of the files of another, where their names can be made.
func draft(t *testing.T, i *Info) {
	t.Helper()
	var files []NewFile
	for _, f := range i.Files {
		files = append(files, NewFile{f.Path[min(1, len(f.Path)):], f.Length})
	}
	d, err := NewDraft(i.Name, files, i.PieceLength)
	if err != nil {
		return // pad files and odd piece lengths
	}
	d.Private = i.Private
	made, err := d.Info(make([]byte, 20*d.Geometry().Pieces))
	if err != nil {
		t.Fatal(err)
	}
	checkFiles(t, made)
	if made.Name != i.Name || made.Geometry() != i.Geometry() || made.Private != i.Private || made.MultiFile != i.MultiFile || len(made.Warnings) != 0 {
		t.Fatalf("made %+v of %+v", made, i)
	}
	for n, f := range d.Files() {
		m := made.Files[n]
		if m.Length != f.Length || !slices.Equal(m.Path[1:], f.Path) && made.MultiFile {
			t.Fatalf("file %d made as %+v, given as %+v", n, m, f)
		}
	}
}

// FuzzSafeName checks the rule for names by itself: any name becomes a safe one or none, and
// a safe one is left alone.
func FuzzSafeName(f *testing.F) {
	for _, s := range []string{"a.txt", "..", "CON .tar.gz", "x\xff\u202e/\\\x00.", "A~1.x", "con\u200b", "\u0345\u0301.\u0301"} {
		f.Add(s, "x")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, s := range []string{a, b, a + b} {
			if name := SafeName(s); name != "" {
				checkSafe(t, name)
			}
			if p := Printable(s); Printable(p) != p {
				t.Errorf("%q is printed as %q", s, p)
			}
		}
		n := newNamer("r", SafeName, foldKey)
		i := &Info{Name: "r", SafeName: "r", RawName: "r", MultiFile: true}
		for _, raw := range [][]string{{a}, {b}, {a, b}, {b, a}, {a}, {a, b}, {a, a, a}} {
			i.Files = append(i.Files, File{RawPath: append([]string{"r"}, raw...), SafePath: n.path(nil, raw)})
		}
		for k, p := range i.Paths(Rules{}) {
			i.Files[k].Path = p
		}
		checkFiles(t, i)
	})
}
