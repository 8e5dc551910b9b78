package resume_test

import (
	"encoding/hex"
	"testing"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// FuzzAside reads whatever the note of unfinished files holds, with its sum set right: it is
// read or left, and what is read is written again the same.
func FuzzAside(f *testing.F) {
	name := func(d *crashfs.Folder) string {
		names, _ := d.List()
		for _, n := range names {
			if len(n) > 40 && n[:40] == hex.EncodeToString(asideHash[:]) {
				return n
			}
		}
		return ""
	}
	first := crashfs.New(time.Now).Folder("state")
	if err := resume.WriteAside(first, asideHash, resume.Aside{Suffix: ".part", Dir: "/x/y"}); err != nil {
		f.Fatal(err)
	}
	names, _ := first.List()
	h, err := first.Open(name(first), storage.Read)
	if err != nil {
		f.Fatal(err, names)
	}
	info, _ := h.Stat()
	b := make([]byte, info.Size())
	if _, err := h.ReadV([][]byte{b}, 0); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, in []byte) {
		in = append([]byte(nil), in...)
		fixSums(in, asideHash)
		d := crashfs.New(time.Now).Folder("state")
		for _, n := range names {
			h, err := d.Open(n, storage.Create)
			must(t, err)
			_, err = h.WriteV([][]byte{in}, 0)
			must(t, err)
		}
		a, err := resume.ReadAside(d, asideHash)
		must(t, err)
		fresh := crashfs.New(time.Now).Folder("state")
		must(t, resume.WriteAside(fresh, asideHash, a))
		if again, err := resume.ReadAside(fresh, asideHash); err != nil || again != a {
			t.Fatalf("%+v came back as %+v, %v", a, again, err)
		}
	})
}
