package resume_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// The same over the operating system's files: what is closed in order is trusted
// whole, what is left as by a kill is trusted as far as it was committed, and an
// edit, a replacement by a copy with the same time, and a missing folder are noticed.
func TestFolder(t *testing.T) {
	w := newWorld()
	stateDir, dataDir := t.TempDir(), filepath.Join(t.TempDir(), "data")
	must(t, os.Mkdir(dataDir, 0o777))
	boot := resume.ThisBoot()
	open := func() (*resume.Journal, resume.Verdict, *resume.Guard) {
		t.Helper()
		state, err := resume.OpenFolder(stateDir)
		must(t, err)
		t.Cleanup(func() { state.Close() })
		names, err := state.List()
		must(t, err)
		if found := resume.InfoHashes(names); len(found) > 1 || len(found) == 1 && found[0] != w.lay.InfoHash {
			t.Fatalf("the folder of state has %v", names)
		}
		j, lo, err := resume.Open(state, w.lay, resume.Config{Dir: dataDir, Boot: boot})
		must(t, err)
		if lo.Damaged != "" {
			t.Fatal(lo.Damaged)
		}
		data, err := storage.OpenFolder(dataDir)
		must(t, err)
		t.Cleanup(func() { data.Close() })
		seen, err := resume.Look(data, w.lay.Files)
		must(t, err)
		st, err := storage.New(w.lay.Files, storage.Config{FS: data, Pool: storage.NewPool(0)})
		must(t, err)
		t.Cleanup(func() { st.Close() })
		v := lo.Compare(seen)
		g := resume.NewGuard(st, data, j, resume.VolumeAt(dataDir))
		if !v.FolderGone {
			must(t, g.Adopt(t.Context(), seen, v.Trusted))
		}
		return j, v, g
	}
	write := func(j *resume.Journal, g *resume.Guard, pieces ...uint32) {
		t.Helper()
		for _, i := range pieces {
			must(t, g.WriteV([][]byte{w.piece(i)}, w.lay.Geometry.Offset(i, 0)))
			j.Verified(i)
		}
	}
	expect := func(v resume.Verdict, trusted, doubt []uint32) {
		t.Helper()
		if fmt.Sprint(list(v.Trusted)) != fmt.Sprint(trusted) || fmt.Sprint(list(v.Doubt)) != fmt.Sprint(doubt) {
			t.Errorf("trusted %v, in doubt %v; want %v, %v", list(v.Trusted), list(v.Doubt), trusted, doubt)
		}
	}

	j, v, g := open()
	expect(v, nil, nil)
	write(j, g, 0, 1, 2, 3)
	must(t, j.Close(t.Context(), g.Sync))

	j, v, g = open()
	expect(v, []uint32{0, 1, 2, 3}, nil)
	write(j, g, 6, 7)
	if _, err := j.Commit(t.Context(), g.Sync); err != nil {
		t.Fatal(err)
	}
	write(j, g, 8)
	j.Rest() // a kill

	j, v, _ = open()
	expect(v, []uint32{0, 1, 2, 3, 6, 7}, []uint32{8})
	must(t, j.Close(t.Context(), func(context.Context) error { return nil }))

	// A copy that has the time of the original, as backups and cp -p make it, is as good.
	name := filepath.Join(dataDir, "t", "x", "c")
	info, err := os.Stat(name)
	must(t, err)
	b, err := os.ReadFile(name)
	must(t, err)
	must(t, os.WriteFile(name+".copy", b, 0o666))
	must(t, os.Chtimes(name+".copy", info.ModTime(), info.ModTime()))
	must(t, os.Rename(name+".copy", name))
	_, v, _ = open()
	expect(v, []uint32{0, 1, 2, 3, 6, 7}, nil)

	must(t, os.Chtimes(filepath.Join(dataDir, "t", "a"), time.Time{}, info.ModTime().Add(time.Hour)))
	_, v, _ = open()
	expect(v, []uint32{6, 7}, []uint32{0, 1, 2, 3, 4})
}

// A name in the folder of state that is not exactly a journal's is somebody else's.
func TestInfoHashes(t *testing.T) {
	lay := resume.Layout{InfoHash: [20]byte{0xab, 19: 0xcd}}
	got := resume.InfoHashes([]string{
		lay.FileName(), lay.FileName() + ".new", "ABcd" + lay.FileName()[4:], "x.journal", "", lay.FileName()[1:],
	})
	if len(got) != 1 || got[0] != lay.InfoHash {
		t.Errorf("%x", got)
	}
}

// A torrent without a piece, or without a file that holds bytes, has a journal too.
func TestNoPieces(t *testing.T) {
	w := newWorldOf(pieceLength, storage.Entry{Path: "empty", Length: 0}, storage.Entry{Path: "pad", Length: 100, Pad: true})
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	p.j.Verified(0)
	must(t, p.close())
	if lo := reopen(t, w); lo.Damaged != "" || lo.Have.Count() != 1 {
		t.Errorf("damage %q, %v", lo.Damaged, lo.Have)
	}
	lay := w.lay
	lay.Files, lay.Geometry.Total, lay.Geometry.Pieces = lay.Files[:1], 0, 0
	lay.InfoHash[0]++
	j, _, err := resume.Open(w.fs.Folder("state"), lay, resume.Config{Now: w.now})
	must(t, err)
	st, err := storage.New(lay.Files, storage.Config{FS: w.fs.Folder("data"), Pool: storage.NewPool(1)})
	must(t, err)
	seen, err := resume.Look(w.fs.Folder("data"), lay.Files)
	must(t, err)
	must(t, resume.NewGuard(st, w.fs.Folder("data"), j, resume.Volume{}).Adopt(t.Context(), seen, bitfield.New(0)))
	must(t, j.Close(t.Context(), st.Sync))
}
