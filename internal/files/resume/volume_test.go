package resume_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
)

// What a file system, a backup or a copy does to the attributes of files costs no check; a
// change does.
func TestAttributes(t *testing.T) {
	const hour = int64(time.Hour)
	at := time.Date(2026, 3, 29, 1, 30, 7, 123_456_789, time.UTC).UnixNano()
	cut := func(g int64) func(*resume.Identity) {
		return func(id *resume.Identity) { id.ModTime -= id.ModTime % g }
	}
	move := func(d int64) func(*resume.Identity) { return func(id *resume.Identity) { id.ModTime += d } }
	one := func(i int, do func(*resume.Identity)) func(int, *resume.Identity) {
		return func(k int, id *resume.Identity) {
			if k == i {
				do(id)
			}
		}
	}
	all := func(do func(*resume.Identity)) func(int, *resume.Identity) {
		return func(_ int, id *resume.Identity) { do(id) }
	}
	fat, user := resume.Volume{MadeUp: true, LocalTimes: true}, resume.Volume{MadeUp: true, LateTimes: true}
	for name, c := range map[string]struct {
		vol     resume.Volume
		do      func(k int, id *resume.Identity)
		changed string
	}{
		"numbers of files":                 {do: all(func(id *resume.Identity) { id.Inode += 1000 }), changed: "[]"},
		"number of the device":             {do: all(func(id *resume.Identity) { id.Device++ }), changed: "[]"},
		"no numbers":                       {do: all(func(id *resume.Identity) { id.Device, id.Inode = 0, 0 }), changed: "[]"},
		"the same number for all":          {vol: user, do: all(func(id *resume.Identity) { id.Inode = 1 }), changed: "[]"},
		"cut to 100 ns":                    {do: all(cut(100)), changed: "[]"},
		"cut to a microsecond":             {do: all(cut(1e3)), changed: "[]"},
		"cut to a millisecond":             {do: all(cut(1e6)), changed: "[]"},
		"cut to 10 ms":                     {do: all(cut(10e6)), changed: "[]"},
		"cut to a second":                  {do: all(cut(1e9)), changed: "[]"},
		"cut to two seconds":               {vol: fat, do: all(cut(2e9)), changed: "[]"},
		"cut, and the others not":          {do: one(2, cut(1e9)), changed: "[]"},
		"a nanosecond later":               {do: one(0, move(1)), changed: "[0]"},
		"a nanosecond earlier":             {do: one(0, move(-1)), changed: "[0]"},
		"a second later":                   {do: one(0, move(1e9)), changed: "[0]"},
		"to the next second":               {do: one(0, func(id *resume.Identity) { id.ModTime += 1e9 - id.ModTime%1e9 }), changed: "[0]"},
		"to the next even second":          {vol: fat, do: one(0, func(id *resume.Identity) { id.ModTime += 2e9 - id.ModTime%2e9 }), changed: "[0]"},
		"two whole seconds earlier":        {do: one(0, func(id *resume.Identity) { id.ModTime -= 2e9 + id.ModTime%2e9 }), changed: "[0]"},
		"shorter":                          {do: one(2, func(id *resume.Identity) { id.Size-- }), changed: "[2]"},
		"longer":                           {do: one(2, func(id *resume.Identity) { id.Size++ }), changed: "[2]"},
		"an hour later, local times":       {vol: fat, do: all(move(hour)), changed: "[]"},
		"an hour earlier, local times":     {vol: fat, do: all(move(-hour)), changed: "[]"},
		"a zone of 5:45, cut":              {vol: fat, do: all(func(id *resume.Identity) { cut(2e9)(id); id.ModTime += 5*hour + hour*3/4 }), changed: "[]"},
		"from one end of the world":        {vol: fat, do: all(move(-26 * hour)), changed: "[]"},
		"beyond the end of the world":      {vol: fat, do: all(move(27 * hour)), changed: "[0 2 4]"},
		"an hour later, universal times":   {do: all(move(hour)), changed: "[0 2 4]"},
		"one an hour later, local times":   {vol: fat, do: one(2, move(hour)), changed: "[2]"},
		"an hour and four seconds":         {vol: fat, do: all(move(hour + 4e9)), changed: "[0 2 4]"},
		"different hours":                  {vol: fat, do: func(k int, id *resume.Identity) { id.ModTime += hour * int64(k+1) }, changed: "[0 2 4]"},
		"an hour later, and one is longer": {vol: fat, do: func(k int, id *resume.Identity) { id.ModTime += hour; id.Size += int64(k / 4) }, changed: "[4]"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			must(t, w.run())
			p, err := w.open()
			must(t, err)
			seen, err := resume.Look(w.fs.Folder("data"), w.lay.Files)
			must(t, err)
			for i := range seen.Files {
				if seen.Files[i].Exists {
					seen.Files[i].ModTime = at + int64(i)*7e9
				}
			}
			full := p.lo.Have.Clone()
			full.SetAll()
			lo := p.lo.Pretend(resume.Seen{Folder: seen.Folder, Files: slices.Clone(seen.Files)}, full)
			for i := range seen.Files {
				if seen.Files[i].Exists {
					c.do(i, &seen.Files[i])
				}
			}
			seen.Volume = c.vol
			v := lo.Compare(seen)
			if got := fmt.Sprint(v.Changed); got != c.changed {
				t.Errorf("changed are %s (%v), want %s", got, v.How, c.changed)
			}
			if v.Trusted.All() != (c.changed == "[]") || len(v.Missing) > 0 || v.FolderGone {
				t.Errorf("trusted %v, missing %v, folder gone %v", list(v.Trusted), v.Missing, v.FolderGone)
			}
		})
	}
}

// A torrent of which nothing is there yet is not missing because its folder has another
// number, where numbers are made up; where they are not, a volume may not be mounted.
func TestFolderOfAnotherNumber(t *testing.T) {
	for _, vol := range []resume.Volume{{}, {MadeUp: true}} {
		w := newWorld()
		w.pieces = 0
		must(t, w.run())
		p, err := w.open()
		must(t, err)
		seen, err := resume.Look(w.fs.Folder("data"), w.lay.Files)
		must(t, err)
		none := p.lo.Have.Clone()
		lo := p.lo.Pretend(seen, none)
		seen.Folder.Inode++
		seen.Volume = vol
		if v := lo.Compare(seen); v.FolderGone == vol.MadeUp {
			t.Errorf("%+v: folder gone: %v", vol, v.FolderGone)
		}
	}
}

// A whole download, with restarts, kills and losses of power, where every look at a file
// finds another number: no piece is hashed that was claimed.
func TestMadeUpNumbers(t *testing.T) {
	for _, mode := range []crashfs.Mode{crashfs.Kill, crashfs.Lost} {
		w := newWorld()
		w.fs.MakeUpNumbers()
		w.vol = resume.Volume{MadeUp: true}
		for w.pieces = 0; w.pieces < int(w.lay.Geometry.Pieces); w.pieces++ {
			p, err := w.open()
			must(t, err)
			must(t, p.start())
			if len(p.verdict.Changed) > 0 && mode == crashfs.Kill {
				t.Fatalf("%v, %d pieces: changed %v %v", mode, w.pieces, p.verdict.Changed, p.verdict.How)
			}
			for i := range p.lo.Have.Pieces() {
				if !p.verdict.Trusted.Has(i) {
					t.Fatalf("%v, %d pieces: piece %d was claimed and is not trusted", mode, w.pieces, i)
				}
			}
			must(t, p.download())
			if w.pieces%3 == 0 {
				must(t, p.close())
			}
			w.crash(mode, 0)
		}
	}
}

// A file is replaced by a copy of the same size and time while we write to it: what is written
// then goes to the copy, which is the one that is found later.
func TestReplacedByCopy(t *testing.T) {
	w := newWorld()
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	for i := range uint32(2) {
		must(t, p.write(i))
	}
	must(t, p.commit())
	d := w.fs.Folder("data")
	info, err := d.Lstat("t/a")
	must(t, err)
	b := make([]byte, info.Size())
	h, err := d.Open("t/a", storage.Read)
	must(t, err)
	_, err = h.ReadV([][]byte{b}, 0)
	must(t, err)
	w.replace(t, "t/a", 1)
	h, err = d.Open("t/a", storage.Write)
	must(t, err)
	_, err = h.WriteV([][]byte{b}, 0)
	must(t, err)
	must(t, d.SetTime("t/a", info.ModTime()))
	must(t, p.write(2))
	must(t, p.write(3))
	must(t, p.close())
	p = w.verify(t)
	if len(p.verdict.Changed) > 0 || fmt.Sprint(list(p.verdict.Trusted)) != "[0 1 2 3]" {
		t.Errorf("trusted %v, changed %v %v", list(p.verdict.Trusted), p.verdict.Changed, p.verdict.How)
	}
}

// Messages say what is seen, and accuse nobody.
func TestHow(t *testing.T) {
	for name, c := range map[string]struct {
		do   func(t *testing.T, w *world)
		want string
	}{
		"shorter": {func(t *testing.T, w *world) { w.replace(t, "t/a", 10) }, "it has 10 bytes and had 5,000"},
		"edited":  {func(t *testing.T, w *world) { w.edit(t, "t/a", 0, []byte{1}) }, "its time of change is "},
		"no file": {func(t *testing.T, w *world) {
			must(t, w.fs.Folder("data").Remove("t/a"))
			must(t, w.fs.Folder("data").Mkdir("t/a"))
		}, "it is not a plain file"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			must(t, w.run())
			c.do(t, w)
			p, err := w.open()
			must(t, err)
			must(t, p.start())
			if len(p.verdict.How) != 1 || len(p.verdict.How[0]) < len(c.want) || p.verdict.How[0][:len(c.want)] != c.want {
				t.Errorf("%q, want %q", p.verdict.How, c.want)
			}
		})
	}
}
