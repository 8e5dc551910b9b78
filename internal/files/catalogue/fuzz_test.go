package catalogue_test

import (
	"bytes"
	"slices"
	"testing"

	"shoal/internal/crashfs"
	"shoal/internal/files/catalogue"
)

// FuzzFields opens entries and lists whose fields and bodies are anything, under sums
// that are right. What is taken is the same after it was written again, but for what
// its entry says of itself; what is withheld or lost is told.
func FuzzFields(f *testing.F) {
	e := entry(f, 1)
	f.Add([]byte("d3:dir2:/a3:revi3ee"), []byte("de"), []byte{})
	f.Add([]byte("d5:addedi1e8:allocatei1e5:peersl14:127.0.0.1:7001e10:priorities2:ab7:renamedlli1e1:xee9:seed onlyi1e7:stoppedi1ee"), []byte("d3:revi9e8:settingsd1:a1:bee"), make([]byte, 41))
	f.Add([]byte("d10:downloadedi-1e8:uploadedi9223372036854775807e3:newle"), []byte("d3:revi-9ee"), []byte("x"))
	f.Add([]byte("d6:magnet60:magnet:?xt=urn:btih:"+e.InfoHash.String()+"10:magnet aski1e12:magnet filesll1:*i0eee13:magnet renamell1:a1:beee"), []byte("de"), []byte{})
	f.Add([]byte("d6:magnet8:magnet:?e"), []byte("de"), []byte{})
	f.Fuzz(func(t *testing.T, fields, listFields, rows []byte) {
		fsys := fill(t, map[string][]byte{
			fileNameOf(e): catalogue.SealEntry(fields, e.Metainfo),
			"list":        catalogue.SealList(listFields, rows),
		})
		c, lo, err := catalogue.Open(fsys.Folder(folder))
		must(t, err)
		if len(lo.Entries) != 1 {
			t.Fatalf("a torrent that is whole is not loaded: %v", lo.Problems)
		}
		want := describe(lo.Entries[0])
		must(t, c.SetState(e.InfoHash, lo.Entries[0].State))
		must(t, c.Update(e.InfoHash, func(ch *catalogue.Choices, _ *catalogue.State) { *ch = lo.Entries[0].Choices }))
		must(t, c.Close(background))
		fsys.Crash(crashfs.Lost, nil)
		if _, entries := open(t, fsys.Folder(folder)); len(entries) != 1 || describe(entries[0]) != want {
			t.Fatalf("written again it is\n%v, was\n%v", describeAll(entries), want)
		}
	})
}

// FuzzFiles opens whatever files hold. It opens, or says that the list is newer; what it
// gives can be put again; and no file is gone that it did not take in whole.
func FuzzFiles(f *testing.F) {
	whole, _ := three(f)
	e := entry(f, 1)
	f.Add(whole[fileNameOf(e)], whole["list"])
	f.Add(whole[fileNameOf(e)][:100], whole["list"][:60])
	f.Add([]byte("shoalt9\n"), []byte("shoall1\n"))
	f.Add([]byte{}, bytes.Repeat([]byte{0}, 200))
	f.Fuzz(func(t *testing.T, b, list []byte) {
		fsys := fill(t, map[string][]byte{fileNameOf(e): b, "list.copy": list})
		c, lo, err := catalogue.Open(fsys.Folder(folder))
		if err == catalogue.ErrNewer {
			return
		}
		must(t, err)
		if len(lo.Entries) == 0 && len(lo.Problems) == 0 {
			t.Fatal("a torrent is gone, and nothing is said")
		}
		must(t, c.Put(e))
		must(t, c.Close(background))
		kept := len(lo.Problems) == 0
		for _, other := range files(t, fsys) {
			kept = kept || bytes.Equal(other, b)
		}
		if !kept && !slices.ContainsFunc(lo.Entries, func(l catalogue.Entry) bool { return l.InfoHash == e.InfoHash }) {
			t.Fatalf("it was not loaded, and is gone: %v", lo.Problems)
		}
		fsys.Crash(crashfs.Lost, nil)
		if _, entries := open(t, fsys.Folder(folder)); len(entries) != 1 || entries[0].Dir != e.Dir {
			t.Fatalf("put anew, it is %v", describeAll(entries))
		}
	})
}
