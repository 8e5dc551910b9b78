package resume_test

import (
	"fmt"
	"testing"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// journal gives the bytes of the journal's file.
func (w *world) journal(t *testing.T) []byte {
	t.Helper()
	h, err := w.fs.Folder("state").Open(w.lay.FileName(), storage.Read)
	must(t, err)
	info, err := h.Stat()
	must(t, err)
	b := make([]byte, info.Size())
	_, err = h.ReadV([][]byte{b}, 0)
	must(t, err)
	return b
}

// put has the journal's file hold b.
func (w *world) put(t *testing.T, b []byte) {
	t.Helper()
	d := w.fs.Folder("state")
	must(t, d.Remove(w.lay.FileName()))
	h, err := d.Open(w.lay.FileName(), storage.Create)
	must(t, err)
	_, err = h.WriteV([][]byte{b}, 0)
	must(t, err)
	must(t, h.Sync())
	must(t, d.SyncDir("."))
}

// Every byte of a journal is changed in turn, and every length of it tried; after
// a clean end, after a kill in the middle of a write, and after both with a restart
// of the system. It always opens. Nothing is claimed that is not there, though two
// of the pieces were given up and spoilt on the way. What is there is claimed or
// hashed: nothing is lost, but when a journal is cut short that was not closed, and the
// system was restarted: that can't be told from a loss of power. And damage is told.
func TestDamage(t *testing.T) {
	for name, stop := range map[string]int{"closed": 0, "killed early": 60, "killed late": 128} {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restarted %v", name, restart), func(t *testing.T) {
				t.Parallel()
				w := newWorld()
				w.limit = 1 << 20
				w.pieces = 11 // so that pieces are missing
				w.fs.StopAt(stop)
				if err := w.run(); err != nil && stop == 0 {
					t.Fatal(err)
				}
				w.crash(crashfs.Kill, 0)
				// Two pieces are spoilt on the device, with the files' times as they were.
				// That is noticed, and they are given up.
				p, err := w.open()
				must(t, err)
				must(t, p.start())
				spoilt := []uint32{1, 2}
				w.fs.Spoil("data/t/a", pieceLength+10)
				w.fs.Spoil("data/t/a", 2*pieceLength+10)
				must(t, p.j.Distrust(spoilt...))
				must(t, p.write(3))
				must(t, p.write(4))
				must(t, p.commit())
				if stop == 0 {
					must(t, p.write(9))
					must(t, p.commit())
					must(t, p.close())
				} else {
					must(t, p.write(5))
				}
				w.crash(crashfs.Kill, 0)
				if restart {
					w.boot = resume.Boot{ID: "another", Start: w.now()}
				}
				p.st, err = storage.New(w.lay.Files, storage.Config{FS: w.fs.Folder("data"), Pool: storage.NewPool(0)})
				must(t, err)
				there := bitfield.New(w.lay.Geometry.Pieces) // what a check of all finds
				for i := range w.lay.Geometry.Pieces {
					if p.verifies(i) {
						there.Set(i)
					}
				}
				w.damage(t, w.journal(t), there, spoilt, !restart || stop == 0)
			})
		}
	}
}

// The same of a journal that has names of the user's, which the caller knows too.
func TestDamageWithNames(t *testing.T) {
	w := got(t)
	must(t, w.rename(renamed))
	w.lay.Files, w.given = w.own(), renamed
	all := bitfield.New(w.lay.Geometry.Pieces)
	all.SetAll()
	w.damage(t, w.journal(t), all, nil, true)
}

// The same of one that has a part file.
func TestDamageWithPart(t *testing.T) {
	s := newSelecting()
	p, err := s.begin()
	must(t, err)
	must(t, s.get(p))
	must(t, p.close())
	s.late = true
	there := p.have.Clone()
	if !p.exists(partName) {
		t.Fatal("there is no part file")
	}
	s.damage(t, s.journal(t), there, nil, true)
}

func (w *world) damage(t *testing.T, whole []byte, there *bitfield.Bitfield, spoilt []uint32, cutIsTold bool) {
	try := func(what string, b []byte, changed, losesNothing bool) {
		w.put(t, b)
		p, err := w.open()
		if err != nil {
			t.Fatalf("%s: open: %v", what, err)
		}
		seen, err := resume.Look(w.fs.Folder("data"), p.j.Layout().Files)
		must(t, err)
		v := p.lo.Compare(seen)
		for _, i := range spoilt {
			if v.Trusted.Has(i) {
				t.Fatalf("%s: piece %d is claimed again", what, i)
			}
		}
		for i := range v.Trusted.Pieces() {
			if !there.Has(i) {
				t.Fatalf("%s: piece %d is claimed, and is not there", what, i)
			}
		}
		if len(v.Missing) > 0 || v.FolderGone {
			t.Fatalf("%s: files are missing: %v", what, v.Missing)
		}
		lost := there.Clone()
		for i := range there.Pieces() {
			if v.Trusted.Has(i) || v.Doubt.Has(i) {
				lost.Clear(i)
			}
		}
		if losesNothing && !lost.None() {
			t.Fatalf("%s: pieces %v are there, and would be fetched again (damage: %q, torn %v)", what, list(lost), p.lo.Damaged, p.lo.Torn)
		}
		if changed && p.lo.Damaged == "" && !p.lo.Torn {
			t.Fatalf("%s: nothing is said of it", what)
		}
	}
	flips := []byte{1, 0x80, 0xff}
	if *sweep {
		flips = flips[:0]
		for bits := range 255 {
			flips = append(flips, byte(bits+1))
		}
	}
	for at := 0; at < len(whole); at = next(at) {
		for _, bit := range flips {
			b := append([]byte(nil), whole...)
			b[at] ^= bit
			try(fmt.Sprintf("byte %d of %d changed by %#x", at, len(whole), bit), b, true, true)
		}
	}
	for n := 0; n < len(whole); n = next(n) {
		try(fmt.Sprintf("cut to %d of %d bytes", n, len(whole)), whole[:n:n], false, cutIsTold)
	}
	try("with a byte more", append(whole[:len(whole):len(whole)], 0), true, true)
	try("whole", whole, false, true)
}
