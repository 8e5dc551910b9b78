package resume_test

import (
	"encoding/binary"
	"hash/crc32"
	"testing"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// FuzzJournal opens whatever a journal holds: it always opens, and what it gives
// fits the torrent. The sums of the input are set right, so that what is behind
// them is reached.
func FuzzJournal(f *testing.F) {
	f.Add([]byte{}, true)
	f.Add([]byte("SRJ1"), false)
	w := newWorld()
	w.limit, w.pieces = 1<<20, 5
	p, err := w.open()
	if err == nil {
		err = p.start()
	}
	if err == nil {
		err = p.download()
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytesOf(f, w), true)
	if err := p.close(); err != nil {
		f.Fatal(err)
	}
	f.Add(bytesOf(f, w), false)
	f.Fuzz(func(t *testing.T, b []byte, fix bool) {
		if fix {
			b = append([]byte(nil), b...)
			fixSums(b, w.lay.InfoHash)
		}
		w := newWorld()
		h, err := w.fs.Folder("state").Open(w.lay.FileName(), storage.Create)
		must(t, err)
		_, err = h.WriteV([][]byte{b}, 0)
		must(t, err)
		p, err := w.open()
		must(t, err)
		if n := w.lay.Geometry.Pieces; p.lo.Have.Len() != n || p.lo.Damaged != "" && !p.lo.Have.None() {
			t.Fatalf("%d of %d pieces, damage %q", p.lo.Have.Count(), p.lo.Have.Len(), p.lo.Damaged)
		}
		seen, err := resume.Look(w.fs.Folder("data"), w.lay.Files)
		must(t, err)
		v := p.lo.Compare(seen)
		for i := range v.Trusted.Pieces() {
			if v.Doubt.Has(i) {
				t.Fatalf("piece %d is trusted, and in doubt", i)
			}
			if !w.padding(i) {
				t.Fatalf("piece %d is trusted, and there are no files", i)
			}
		}
		must(t, p.start())
		must(t, p.write(0))
		must(t, p.commit())
		if lo := reopen(t, w); lo.Damaged != "" || !lo.Have.Has(0) {
			t.Fatalf("written anew, it says %q and %v", lo.Damaged, lo.Have)
		}
	})
}

// FuzzJournalFiles opens whatever a journal holds of a torrent with a part file, beside some
// of its files: no piece is trusted whose bytes are not there.
func FuzzJournalFiles(f *testing.F) {
	s := newSelecting()
	p, err := s.begin()
	if err == nil {
		err = s.get(p)
	}
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bytesOf(f, s.world), uint8(3))
	if err := s.finish(p); err != nil {
		f.Fatal(err)
	}
	f.Add(bytesOf(f, s.world), uint8(30))
	f.Fuzz(func(t *testing.T, b []byte, there uint8) {
		w := newSelecting().world
		b = append([]byte(nil), b...)
		fixSums(b, w.lay.InfoHash)
		h, err := w.fs.Folder("state").Open(w.lay.FileName(), storage.Create)
		must(t, err)
		_, err = h.WriteV([][]byte{b}, 0)
		must(t, err)
		d := w.fs.Folder("data")
		must(t, d.Mkdir("t"))
		must(t, d.Mkdir("t/x"))
		for i, e := range w.lay.Files {
			if e.Pad || there&(1<<i) == 0 {
				continue
			}
			h, err := d.Open(e.Path, storage.Create)
			must(t, err)
			_, err = h.WriteV([][]byte{make([]byte, int(e.Length)-int(there>>6))}, 0)
			must(t, err)
		}
		p, err := w.open()
		must(t, err)
		seen, err := resume.Look(d, w.lay.Files)
		must(t, err)
		part := seen.Files[len(w.lay.Files)-1].Exists
		v := p.lo.Compare(seen)
		for i := range v.Trusted.Pieces() {
			off, end := int64(i)*pieceLength, int64(i)*pieceLength+int64(w.lay.Geometry.PieceSize(i))
			files, absent := 0, false
			for k, e := range w.entries() {
				if e.Pad || e.Offset >= end || e.Offset+e.Length <= off {
					continue
				}
				files++
				switch is := seen.Files[k]; {
				case !is.Exists:
					absent = true
				case e.Offset+is.Size < min(end, e.Offset+e.Length):
					absent = true
				}
			}
			if absent && (!part || files < 2) {
				t.Fatalf("piece %d is trusted, and one of its %d files is not there, or too short; part file: %v", i, files, part)
			}
		}
	})
}

// padding reports whether a piece has no byte in a file.
func (w *world) padding(i uint32) bool {
	off, end := int64(i)*pieceLength, int64(i)*pieceLength+int64(w.lay.Geometry.PieceSize(i))
	for _, e := range w.lay.Files {
		if !e.Pad && e.Length > 0 && e.Offset < end && e.Offset+e.Length > off {
			return false
		}
	}
	return true
}

func reopen(t *testing.T, w *world) *resume.Loaded {
	t.Helper()
	p, err := w.open()
	must(t, err)
	return p.lo
}

func bytesOf(f *testing.F, w *world) []byte {
	h, err := w.fs.Folder("state").Open(w.lay.FileName(), storage.Read)
	if err != nil {
		f.Fatal(err)
	}
	info, err := h.Stat()
	if err != nil {
		f.Fatal(err)
	}
	b := make([]byte, info.Size())
	if _, err := h.ReadV([][]byte{b}, 0); err != nil {
		f.Fatal(err)
	}
	return b
}

// fixSums walks the records, and sets their sums.
func fixSums(b []byte, infoHash [20]byte) {
	table := crc32.MakeTable(crc32.Castagnoli)
	for len(b) >= 12 {
		n := binary.BigEndian.Uint32(b[4:])
		if uint64(n) > uint64(len(b)-12) {
			return
		}
		s := crc32.Update(0, table, infoHash[:])
		s = crc32.Update(s, table, b[4:8])
		binary.BigEndian.PutUint32(b[8:], crc32.Update(s, table, b[12:12+n]))
		b = b[12+n:]
	}
}
