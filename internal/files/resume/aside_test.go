package resume_test

import (
	"encoding/hex"
	"math/rand/v2"
	"testing"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

var asideHash = [20]byte{1, 2, 3}

// Where unfinished files are is kept, changed and given up.
func TestAside(t *testing.T) {
	d := crashfs.New(time.Now).Folder("state")
	for _, a := range []resume.Aside{{Suffix: ".part"}, {Suffix: ".part", Dir: "/x/y"}, {Dir: "/z"}, {}, {}} {
		must(t, resume.WriteAside(d, asideHash, a))
		if got, err := resume.ReadAside(d, asideHash); got != a || err != nil {
			t.Errorf("written %+v, read %+v (%v)", a, got, err)
		}
		if got, err := resume.ReadAside(d, [20]byte{4}); got != (resume.Aside{}) || err != nil {
			t.Errorf("of another torrent: %+v (%v)", got, err)
		}
	}
	if list, _ := d.List(); len(list) > 0 {
		t.Errorf("left: %v", list)
	}
	if got, err := resume.ReadAside(nil, asideHash); got != (resume.Aside{}) || err != nil {
		t.Errorf("with no folder of state: %+v (%v)", got, err)
	}
	must(t, resume.WriteAside(nil, asideHash, resume.Aside{Dir: "/x"}))
}

// Every byte of a copy is changed, and every length of it tried: the other one counts.
func TestAsideDamage(t *testing.T) {
	d := crashfs.New(time.Now).Folder("state")
	want := resume.Aside{Suffix: ".part", Dir: "/somewhere/else"}
	must(t, resume.WriteAside(d, asideHash, want))
	name := hex.EncodeToString(asideHash[:]) + ".aside"
	for _, copy := range []string{name, name + "-2"} {
		h, err := d.Open(copy, storage.Read)
		must(t, err)
		info, err := h.Stat()
		must(t, err)
		b := make([]byte, info.Size())
		_, err = h.ReadV([][]byte{b}, 0)
		must(t, err)
		put := func(b []byte) {
			t.Helper()
			must(t, d.Remove(copy))
			h, err := d.Open(copy, storage.Create)
			must(t, err)
			if len(b) > 0 {
				_, err = h.WriteV([][]byte{b}, 0)
				must(t, err)
			}
			if got, err := resume.ReadAside(d, asideHash); got != want || err != nil {
				t.Errorf("%s: read %+v (%v)", copy, got, err)
			}
		}
		for i := range b {
			b[i] ^= 0x55
			put(b)
			b[i] ^= 0x55
			put(b[:i])
		}
		put(b)
	}
}

// A stop at every call leaves what was, or what is to be; and so does every call that fails.
func TestAsideCrashes(t *testing.T) {
	states := []resume.Aside{{}, {Suffix: ".part"}, {Suffix: ".part", Dir: "/x/y"}, {}}
	for _, mode := range crashfs.Modes() {
		for k := range len(states) - 1 {
			for n, stopped := 1, true; stopped; n++ {
				f := crashfs.New(time.Now)
				must(t, resume.WriteAside(f.Folder("state"), asideHash, states[k]))
				f.StopAt(n)
				err := resume.WriteAside(f.Folder("state"), asideHash, states[k+1])
				stopped = f.Stopped()
				f.Crash(mode, rand.New(rand.NewPCG(uint64(n), 0)))
				got, rerr := resume.ReadAside(f.Folder("state"), asideHash)
				if rerr != nil || got != states[k+1] && (got != states[k] || err == nil) {
					t.Errorf("%v, stopped at %d: from %+v to %+v (%v), read %+v (%v)", mode, n, states[k], states[k+1], err, got, rerr)
				}
				must(t, resume.WriteAside(f.Folder("state"), asideHash, states[k+1]))
			}
		}
	}
}
