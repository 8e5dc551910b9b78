package catalogue_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc64"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/crashfs"
	"shoal/internal/files/catalogue"
	"shoal/internal/files/storage"
	"shoal/internal/value/infohash"
)

// three is a catalogue of three torrents with totals and settings, as its files are.
func three(t testing.TB) (whole map[string][]byte, want []string) {
	t.Helper()
	f := crashfs.New(nil)
	c, _ := open(t, f.Folder(folder))
	for n := range 3 {
		must(t, c.Put(entry(t, n)))
	}
	must(t, c.SetSettings(catalogue.Settings{"limit": "7"}))
	must(t, c.Flush(background))
	for n := range 3 {
		must(t, c.SetState(entry(t, n).InfoHash, catalogue.State{Stopped: n == 1, Uploaded: int64(7000 + n)}))
	}
	must(t, c.Move(entry(t, 2).InfoHash, 0))
	must(t, c.Close(background))
	_, entries := open(t, f.Folder(folder))
	return files(t, f), describeAll(entries)
}

// Each byte of each file is changed in turn. It is said, and nothing is lost: not a
// choice, not a total, not a setting; the next start finds all in order, and the
// damaged file is still there under another name.
func TestEveryByte(t *testing.T) {
	whole, want := three(t)
	for name, b := range whole {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for at := range b {
				bit := []byte{1, 0x80, 0xff, 0x10}[at%4]
				damaged := bytes.Clone(b)
				damaged[at] ^= bit
				f := fill(t, with(whole, name, damaged))
				c, lo := openDamaged(t, f.Folder(folder))
				if got := describeAll(lo.Entries); !slices.Equal(got, want) || c.Settings()["limit"] != "7" {
					t.Fatalf("byte %d changed by %#x: %v, got\n%s", at, bit, lo.Problems, strings.Join(got, "\n"))
				}
				if len(lo.Problems) != 1 || lo.Problems[0].Loss != catalogue.Nothing || lo.Problems[0].File != name {
					t.Fatalf("byte %d changed by %#x: it says %v", at, bit, lo.Problems)
				}
				if aside := lo.Problems[0].Aside; !bytes.Equal(content(t, f, aside), damaged) {
					t.Fatalf("what was damaged is not in %q", aside)
				}
				f.Crash(crashfs.Lost, nil)
				_, entries := open(t, f.Folder(folder))
				if got := describeAll(entries); !slices.Equal(got, want) || t.Failed() {
					t.Fatalf("byte %d changed by %#x: the start after that: %v", at, bit, got)
				}
			}
		})
	}
}

// with gives files with one of them replaced; nil: removed.
func with(files map[string][]byte, name string, b []byte) map[string][]byte {
	files = maps.Clone(files)
	files[name] = b
	if b == nil {
		delete(files, name)
	}
	return files
}

// Each file is cut to each length. The other torrents are as they were, settings and
// totals too; of the torrent itself its metainfo is lost, and what is still known of it
// is told.
func TestEveryLength(t *testing.T) {
	whole, want := three(t)
	for name, b := range whole {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := range b {
				f := fill(t, with(whole, name, b[:n:n]))
				c, lo := openDamaged(t, f.Folder(folder))
				if c.Settings()["limit"] != "7" || len(lo.Problems) != 1 {
					t.Fatalf("cut to %d: settings %v, problems %v", n, c.Settings(), lo.Problems)
				}
				p := lo.Problems[0]
				if !bytes.Equal(content(t, f, p.Aside), b[:n]) {
					t.Fatalf("what was cut is not in %q", p.Aside)
				}
				got, expect := describeAll(lo.Entries), want
				if strings.HasSuffix(name, ".entry") {
					expect = slices.DeleteFunc(slices.Clone(want), func(s string) bool { return strings.HasPrefix(s, strings.TrimSuffix(name, ".entry")) })
					if p.InfoHash.String()+".entry" != name {
						t.Fatalf("cut to %d: the problem is of %v", n, p.InfoHash)
					}
				}
				switch {
				case p.Loss <= catalogue.Some:
					expect = got
					for i, e := range lo.Entries {
						if n < len(b)-8 && e.InfoHash == p.InfoHash { // trackers are lost
							lo.Entries[i].Metainfo = metainfoOf(t, p.InfoHash)
						}
					}
					if got := describeAll(lo.Entries); n < len(b)-9 && strings.HasSuffix(name, ".entry") || !slices.Equal(got, want) {
						t.Fatalf("cut to %d: it says %v, and gives\n%s", n, p, strings.Join(got, "\n"))
					}
				case !slices.Equal(got, expect) || p.Loss != catalogue.Torrent:
					t.Fatalf("cut to %d: it says %v, and gives\n%s", n, p, strings.Join(got, "\n"))
				case p.Left != nil:
					p.Left.Metainfo = metainfoOf(t, p.InfoHash)
					if !slices.Contains(want, describe(*p.Left)) {
						t.Fatalf("cut to %d: %v is left", n, describe(*p.Left))
					}
				case n > 400:
					t.Fatalf("cut to %d: its choices are forgotten", n)
				}
				f.Crash(crashfs.Lost, nil)
				_, entries := open(t, f.Folder(folder))
				if got := describeAll(entries); !slices.Equal(got, expect) || t.Failed() {
					t.Fatalf("cut to %d: the start after that: %v", n, got)
				}
				// It can be added again.
				c, _ = open(t, fill(t, files(t, f)).Folder(folder))
				must(t, c.Put(entry(t, 1)))
				must(t, c.Flush(background))
			}
		})
	}
}

func metainfoOf(t testing.TB, h infohash.Hash) []byte {
	for n := range 3 {
		if e := entry(t, n); e.InfoHash == h {
			return e.Metainfo
		}
	}
	t.Fatalf("no torrent %v", h)
	return nil
}

// Sectors of zeros, as a device leaves them: what is told is what is lost.
func TestSectors(t *testing.T) {
	e := entry(t, 1)
	e.Dir = "/" + strings.Repeat("a long name/", 100) // so that the choices have sectors of their own
	f := crashfs.New(nil)
	c, _ := open(t, f.Folder(folder))
	must(t, c.Put(e))
	must(t, c.SetState(e.InfoHash, catalogue.State{Uploaded: 77}))
	must(t, c.Close(background))
	whole := files(t, f)
	name := e.InfoHash.String() + ".entry"
	b := whole[name]
	spoil := func(from, to int) (catalogue.Problem, []catalogue.Entry) {
		t.Helper()
		damaged := bytes.Clone(b)
		clear(damaged[from:to])
		f := fill(t, with(whole, name, damaged))
		_, lo := openDamaged(t, f.Folder(folder))
		if len(lo.Problems) != 1 {
			t.Fatalf("it says %v", lo.Problems)
		}
		f.Crash(crashfs.Lost, nil)
		_, again := open(t, f.Folder(folder))
		if !slices.Equal(describeAll(again), describeAll(lo.Entries)) {
			t.Errorf("the start after that: %v", describeAll(again))
		}
		return lo.Problems[0], lo.Entries
	}
	at := bytes.Index(b, []byte("8:announce"))
	info := bytes.Index(b, []byte("4:info"))

	p, entries := spoil(0, 512) // the choices
	if len(entries) != 1 || !entries[0].Stopped || entries[0].Dir != "" || entries[0].Uploaded != 77 ||
		!bytes.Equal(entries[0].Metainfo, infoOnly(e.Metainfo)) || p.Loss != catalogue.Some {
		t.Errorf("choices spoilt: %v, %v", p, describeAll(entries))
	}
	p, entries = spoil(at, at+20) // the trackers
	if len(entries) != 1 || entries[0].Dir != e.Dir || entries[0].Uploaded != 77 || entries[0].Torrent.Announce != "" || p.Loss != catalogue.Some {
		t.Errorf("trackers spoilt: %v, %v", p, describeAll(entries))
	}
	p, entries = spoil(at+17, at+27) // the trackers' name, still bencode
	if len(entries) != 1 || entries[0].Dir != e.Dir || len(entries[0].Metainfo) != len(e.Metainfo) || p.Loss != catalogue.Some {
		t.Errorf("trackers changed: %v, %v", p, describeAll(entries))
	}
	p, entries = spoil(len(b)-8, len(b)) // the sum
	if len(entries) != 1 || entries[0].Dir != e.Dir || !bytes.Equal(entries[0].Metainfo, e.Metainfo) {
		t.Errorf("sum spoilt: %v, %v", p, describeAll(entries))
	}
	p, entries = spoil(info+100, info+130) // the hashes
	if len(entries) != 0 || p.Loss != catalogue.Torrent || p.Left == nil || p.Left.Dir != e.Dir || p.Left.Uploaded != 77 {
		t.Errorf("hashes spoilt: %v, %v", p, describeAll(entries))
	}
	p, entries = spoil(0, len(b))
	if len(entries) != 0 || p.Loss != catalogue.Torrent || p.Left != nil {
		t.Errorf("all spoilt: %v, %v", p, describeAll(entries))
	}
}

// infoOnly is a torrent file with its info dictionary and nothing else.
func infoOnly(b []byte) []byte {
	return append([]byte("d"), b[bytes.Index(b, []byte("4:info")):]...)
}

// Both lists are damaged: what rows of either check is taken, and the rest from the entries.
func TestBothLists(t *testing.T) {
	whole, want := three(t)
	torn := func(at int) []byte {
		b := bytes.Clone(whole["list"])
		clear(b[at : at+2])
		return b
	}
	end := len(whole["list"])
	rows := end - 8 - 3*41
	// A row in each, not the same.
	f := fill(t, with(with(whole, "list", torn(rows+5)), "list.copy", torn(rows+41+5)))
	c, lo := openDamaged(t, f.Folder(folder))
	got := describeAll(lo.Entries)
	slices.Sort(got)
	sorted := slices.Sorted(slices.Values(want))
	if len(lo.Problems) != 2 || lo.Problems[0].Loss != catalogue.Some || !slices.Equal(got, sorted) || c.Settings()["limit"] != "7" {
		t.Errorf("%v\ngot\n%s\nsettings %v", lo.Problems, strings.Join(got, "\n"), c.Settings())
	}
	// The fields in both: the rows are still good.
	f = fill(t, with(with(whole, "list", torn(rows-5)), "list.copy", torn(rows-5)))
	c, lo = openDamaged(t, f.Folder(folder))
	if got := describeAll(lo.Entries); len(lo.Problems) != 2 || !slices.Equal(got, want) || len(c.Settings()) != 0 {
		t.Errorf("%v\ngot\n%s\nsettings %v", lo.Problems, strings.Join(got, "\n"), c.Settings())
	}
	// Nothing left.
	f = fill(t, with(with(whole, "list", []byte{}), "list.copy", []byte("shoal")))
	c, lo = openDamaged(t, f.Folder(folder))
	if len(lo.Problems) != 2 || len(lo.Entries) != 3 || lo.Entries[0].Dir == "" {
		t.Errorf("%v, %v", lo.Problems, lo.Entries)
	}
	// No list at all is no damage: none was written yet.
	f = fill(t, with(with(whole, "list", nil), "list.copy", nil))
	_, entries := open(t, f.Folder(folder))
	if len(entries) != 3 {
		t.Errorf("%d torrents", len(entries))
	}
	must(t, c.Close(background))
}

// An entry that somebody took away is missed, once; one that was removed is not.
func TestEntryIsGone(t *testing.T) {
	whole, want := three(t)
	e := entry(t, 1)
	f := fill(t, with(whole, fileNameOf(e), nil))
	c, lo := openDamaged(t, f.Folder(folder))
	if len(lo.Entries) != 2 || len(lo.Problems) != 1 || lo.Problems[0].Loss.String() != "torrent" || lo.Problems[0].Left.Uploaded != 7001 {
		t.Errorf("%v, %v", lo.Problems, describeAll(lo.Entries))
	}
	must(t, c.Close(background))
	c, entries := open(t, f.Folder(folder))
	must(t, c.Remove(entries[0].InfoHash))
	must(t, c.Flush(background))
	f.Crash(crashfs.Lost, nil)
	if _, entries := open(t, f.Folder(folder)); len(entries) != 1 || describe(entries[0]) != want[1] {
		t.Errorf("%v", describeAll(entries))
	}
}

// What a newer version writes: fields are kept, forms are left alone.
func TestNewer(t *testing.T) {
	e := entry(t, 1)
	name := e.InfoHash.String() + ".entry"
	b := catalogue.SealEntry([]byte("d4:aaaai1e3:dir4:/old4:namel4:cafee3:revi5e4:zzzzde"+"e"), e.Metainfo)
	f := fill(t, map[string][]byte{name: b, "list": catalogue.SealList([]byte("d3:abci7e3:revi1e8:settingsd1:k1:vee"), nil)})
	c, entries := open(t, f.Folder(folder))
	if len(entries) != 1 || entries[0].Dir != "/old" {
		t.Fatalf("%v", describeAll(entries))
	}
	must(t, c.Update(e.InfoHash, func(ch *catalogue.Choices, _ *catalogue.State) { ch.Dir, ch.Suffix = "/new", ".p" }))
	must(t, c.SetState(e.InfoHash, catalogue.State{Uploaded: 1}))
	must(t, c.Close(background))
	if got := content(t, f, name); !bytes.Contains(got, []byte("d4:aaaai1e3:dir4:/new4:namel4:cafee3:revi6e6:suffix2:.p4:zzzzdee")) {
		t.Errorf("%q", got[:100])
	}
	if got := content(t, f, "list"); !bytes.Contains(got, []byte("d3:abci7e3:revi7e8:settingsd1:k1:vee")) {
		t.Errorf("%q", got)
	}

	// An entry in another form is there another time, with its place and totals; what
	// takes its name sets it aside.
	newer := content(t, f, name)
	newer[6] = '3'
	resum(newer)
	f = fill(t, with(files(t, f), name, newer))
	c, lo := openDamaged(t, f.Folder(folder))
	if len(lo.Problems) != 1 || lo.Problems[0].Loss != catalogue.Withheld || len(lo.Entries) != 0 || c.Len() != 0 {
		t.Fatalf("%v, %d torrents", lo.Problems, len(lo.Entries))
	}
	must(t, c.Put(entry(t, 2)))
	must(t, c.Move(entry(t, 2).InfoHash, 5))
	must(t, c.Close(background))
	if !bytes.Equal(content(t, f, name), newer) || len(content(t, f, "list")) != len(catalogue.SealList([]byte("d3:abci7e3:revi7e8:settingsd1:k1:vee"), make([]byte, 2*41))) {
		t.Error("it was changed, or is not in the list any more")
	}
	c, _ = openDamaged(t, f.Folder(folder))
	must(t, c.Put(e))
	must(t, c.Close(background))
	kept := false
	for other, b := range files(t, f) {
		kept = kept || strings.HasPrefix(other, name) && bytes.Equal(b, newer)
	}
	if !kept {
		t.Errorf("the newer entry is gone: %v", names(t, f))
	}
	_, entries = open(t, f.Folder(folder))
	if len(entries) != 2 {
		t.Errorf("%d torrents", len(entries))
	}

	// A list in another form can't be written, so nothing is begun.
	list := catalogue.SealList([]byte("de"), nil)
	list[6] = '2'
	resum(list)
	_, _, err := catalogue.Open(fill(t, map[string][]byte{"list": list}).Folder(folder))
	if err != catalogue.ErrNewer {
		t.Errorf("a newer list: %v", err)
	}
}

// A file under the name of another, files that are none of ours, choices that fit no
// file.
func TestStrange(t *testing.T) {
	e, other := entry(t, 1), entry(t, 2)
	f := fill(t, map[string][]byte{
		other.InfoHash.String() + ".entry": catalogue.SealEntry([]byte("de"), e.Metainfo),
		"readme.txt":                       []byte("not ours"),
		"ABCDEF.entry":                     []byte("nor this"),
		e.InfoHash.String() + ".entry.new": []byte("left by a stop"),
	})
	c, lo := openDamaged(t, f.Folder(folder))
	if len(lo.Entries) != 0 || len(lo.Problems) != 1 || lo.Problems[0].Loss != catalogue.Withheld {
		t.Errorf("%v", lo)
	}
	must(t, c.Close(background))
	if got := names(t, f); len(got) != 3+2 {
		t.Errorf("files %v", got) // with two lists and without what was left
	}

	e.Priorities, e.Renamed = []uint8{1, 2, 3}, []catalogue.Rename{{File: 2, Path: "x"}, {File: 0, Path: "y"}}
	f = crashfs.New(nil)
	c, _ = open(t, f.Folder(folder))
	must(t, c.Put(e))
	must(t, c.Close(background))
	_, lo = openDamaged(t, f.Folder(folder))
	if len(lo.Problems) != 1 || lo.Entries[0].Priorities != nil || fmt.Sprint(lo.Entries[0].Renamed) != "[{0 y}]" || lo.Entries[0].Dir != e.Dir {
		t.Errorf("%v, %v", lo.Problems, describeAll(lo.Entries))
	}

	f = fill(t, map[string][]byte{e.InfoHash.String() + ".entry": catalogue.SealEntry([]byte("d3:diri7ee"), e.Metainfo)})
	c, lo = openDamaged(t, f.Folder(folder))
	if len(lo.Problems) != 1 || len(lo.Entries) != 1 || !lo.Entries[0].Stopped || !strings.Contains(lo.Problems[0].String(), e.InfoHash.String()) {
		t.Errorf("%v, %v", lo.Problems, describeAll(lo.Entries))
	}
	must(t, c.Update(e.InfoHash, func(ch *catalogue.Choices, s *catalogue.State) { ch.Dir, s.Stopped = "/here", false }))
	must(t, c.Close(background))
	_, entries := open(t, f.Folder(folder))
	if len(entries) != 1 || entries[0].Dir != "/here" || entries[0].Stopped {
		t.Errorf("%v", describeAll(entries))
	}
	// One that can't be read for a while is not loaded; what is put in its place does not
	// destroy it.
	whole, want := three(t)
	e = entry(t, 1)
	f = fill(t, whole)
	f.FailWhen(func(c crashfs.Call) error {
		if c.Op == "read" && strings.HasSuffix(c.Name, fileNameOf(e)) {
			return syscall.EIO
		}
		return nil
	})
	c, lo = openDamaged(t, f.Folder(folder))
	if len(lo.Problems) != 1 || len(lo.Entries) != 2 || !errors.Is(lo.Problems[0].Err, syscall.EIO) || !strings.Contains(lo.Problems[0].String(), "input/output") {
		t.Errorf("%v, %v", lo.Problems, describeAll(lo.Entries))
	}
	must(t, c.Close(background))
	f.Crash(crashfs.Lost, nil)
	if _, entries := open(t, f.Folder(folder)); !slices.Equal(describeAll(entries), want) {
		t.Errorf("when it can be read again: %v", describeAll(entries))
	}
	f.Crash(crashfs.Lost, nil)
	f.FailWhen(func(c crashfs.Call) error {
		if c.Op == "read" && strings.HasSuffix(c.Name, fileNameOf(e)) {
			return syscall.EIO
		}
		return nil
	})
	c, _ = openDamaged(t, f.Folder(folder))
	must(t, c.Put(e))
	must(t, c.Close(background))
	f.FailWhen(nil)
	if got := content(t, f, fileNameOf(e)+".0000000000000000.damaged"); !bytes.Equal(got, whole[fileNameOf(e)]) {
		t.Error("it is not kept")
	}
	// A folder in the place of an entry.
	f = crashfs.New(nil)
	must(t, f.Folder(folder).Mkdir(fileNameOf(e)))
	_, lo = openDamaged(t, f.Folder(folder))
	if len(lo.Problems) != 1 || lo.Problems[0].Err == nil {
		t.Errorf("%v", lo.Problems)
	}
	if _, err := f.Folder(folder).Open(fileNameOf(e), storage.Read); err == nil {
		t.Error("a folder was opened")
	}
}

// resum sets the sum that a file ends with.
func resum(b []byte) {
	if n := len(b) - 8; n >= 0 {
		binary.BigEndian.PutUint64(b[n:], crc64.Checksum(b[:n], crc64.MakeTable(crc64.ECMA)))
	}
}

func fileNameOf(e catalogue.Entry) string { return e.InfoHash.String() + ".entry" }
