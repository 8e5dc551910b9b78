package catalogue_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"shoal/internal/crashfs"
	"shoal/internal/files/catalogue"
)

// A magnet without metadata is kept with its link and its choices, in the order of the list, and
// keeps its place when the metadata comes.
func TestMagnetIsKept(t *testing.T) {
	f := crashfs.New(nil)
	c, _ := open(t, f.Folder(folder))
	must(t, c.Put(magnetEntry(t, 4)))
	must(t, c.Put(entry(t, 2)))
	want := []string{describe(magnetEntry(t, 4)), describe(entry(t, 2))}
	if c.HasMetainfo(magnetEntry(t, 4).InfoHash) || !c.HasMetainfo(entry(t, 2).InfoHash) {
		t.Error("it does not know which has metainfo")
	}
	must(t, c.Close(background))
	f.Crash(crashfs.Lost, nil)

	one, err := catalogue.ReadEntry(f.Folder(folder), magnetEntry(t, 4).InfoHash)
	must(t, err)
	if one.Torrent != nil || describe(one) != describe(withState(one, magnetEntry(t, 4))) {
		t.Errorf("read alone it is\n%s", describe(one))
	}
	c, entries := open(t, f.Folder(folder))
	if got := describeAll(entries); !slices.Equal(got, want) {
		t.Fatalf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if c.HasMetainfo(magnetEntry(t, 4).InfoHash) || !c.HasMetainfo(entry(t, 2).InfoHash) {
		t.Error("after a start it does not know which has metainfo")
	}
	must(t, c.Update(magnetEntry(t, 4).InfoHash, func(ch *catalogue.Choices, _ *catalogue.State) { ch.Paused = true }))
	if e, err := c.Get(magnetEntry(t, 4).InfoHash); err != nil || !e.Paused || e.Pending == nil || e.Torrent != nil {
		t.Errorf("after a change it is %s, %v", describe(e), err)
	}
	// A change may not make it nothing.
	if err := c.Update(magnetEntry(t, 4).InfoHash, func(ch *catalogue.Choices, _ *catalogue.State) { ch.Pending = nil }); !errors.Is(err, catalogue.ErrMetainfo) {
		t.Errorf("without metainfo and link: %v", err)
	}
	must(t, c.Put(entry(t, 4)))
	if !c.HasMetainfo(entry(t, 4).InfoHash) {
		t.Error("its metainfo is there and it does not say so")
	}
	must(t, c.Close(background))
	f.Crash(crashfs.Lost, nil)
	_, entries = open(t, f.Folder(folder))
	if got, want := describeAll(entries), []string{describe(entry(t, 4)), describe(entry(t, 2))}; !slices.Equal(got, want) {
		t.Errorf("with its metadata\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// withState returns e with the state of another: that of the list is not in an entry.
func withState(of, e catalogue.Entry) catalogue.Entry {
	e.State = of.State
	return e
}

// A link that is not of the torrent, or none, is no entry.
func TestMagnetOfAnother(t *testing.T) {
	f := crashfs.New(nil)
	c, _ := open(t, f.Folder(folder))
	e := magnetEntry(t, 1)
	e.InfoHash = magnetEntry(t, 2).InfoHash
	if err := c.Put(e); !errors.Is(err, catalogue.ErrMetainfo) {
		t.Errorf("the link of another torrent: %v", err)
	}
	e.Pending = nil
	if err := c.Put(e); !errors.Is(err, catalogue.ErrMetainfo) {
		t.Errorf("no link: %v", err)
	}
	must(t, c.Close(background))

	h := entry(t, 1).InfoHash
	for name, fields := range map[string]string{
		"another hash": "d6:magnet60:magnet:?xt=urn:btih:" + entry(t, 2).InfoHash.String() + "e",
		"no link":      "d6:magnet4:spame",
		"nothing":      "de",
	} {
		f := fill(t, map[string][]byte{fileNameOf(entry(t, 1)): catalogue.SealEntry([]byte(fields), nil)})
		_, lo := openDamaged(t, f.Folder(folder))
		if len(lo.Entries) != 0 || len(lo.Problems) != 1 || lo.Problems[0].Loss != catalogue.Withheld {
			t.Errorf("%s: %v, %v", name, describeAll(lo.Entries), lo.Problems)
		}
		if _, err := catalogue.ReadEntry(f.Folder(folder), h); err == nil {
			t.Errorf("%s: it is read alone", name)
		}
	}
}

// Each byte of a magnet's entry is changed in turn, and corrected; of one that is cut short,
// everything is known while its fields are whole.
func TestDamagedMagnet(t *testing.T) {
	f := crashfs.New(nil)
	c, _ := open(t, f.Folder(folder))
	e := magnetEntry(t, 4)
	must(t, c.Put(e))
	must(t, c.Close(background))
	all := files(t, f)
	name := fileNameOf(e)
	whole := all[name]
	for at := range whole {
		b := bytes.Clone(whole)
		b[at] ^= 0x10
		_, lo := openDamaged(t, fill(t, with(all, name, b)).Folder(folder))
		if len(lo.Entries) != 1 || describe(lo.Entries[0]) != describe(e) || len(lo.Problems) != 1 || lo.Problems[0].Loss != catalogue.Nothing {
			t.Fatalf("byte %d is changed: %v, %v", at, describeAll(lo.Entries), lo.Problems)
		}
	}
	kept := 0
	for n := range whole {
		f := fill(t, with(all, name, whole[:n:n]))
		_, lo := openDamaged(t, f.Folder(folder))
		if len(lo.Entries) == 1 {
			kept++
			if describe(lo.Entries[0]) != describe(e) || lo.Problems[0].Loss != catalogue.Some {
				t.Fatalf("cut to %d: %v, %v", n, describeAll(lo.Entries), lo.Problems)
			}
		} else if len(lo.Problems) != 1 || lo.Problems[0].Loss != catalogue.Torrent {
			t.Fatalf("cut to %d: %v", n, lo.Problems)
		}
	}
	if kept == 0 {
		t.Error("no cut leaves the fields whole")
	}
}

// The file of a magnet is written as it was: a change of the form is seen.
func TestMagnetForm(t *testing.T) {
	f := crashfs.New(nil)
	c, _ := open(t, f.Folder(folder))
	must(t, c.Put(magnetEntry(t, 4)))
	must(t, c.Close(background))
	name := fileNameOf(magnetEntry(t, 4))
	want, err := os.ReadFile(filepath.Join("testdata", "magnet", name))
	must(t, err)
	if got := content(t, f, name); !bytes.Equal(got, want) {
		t.Errorf("%s is written as\n%q, was\n%q", name, got, want)
	}
}
