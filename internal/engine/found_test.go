package engine

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"shoal/internal/files/content"
	"shoal/metainfo"
)

// named makes a torrent of files with these raw paths, of 120,000 bytes each, from info and
// file keys as they stand in the torrent.
const namedSize = 120_000

func named(t testing.TB, extra, name string, paths ...string) payload {
	return sized(t, extra, name, func(int) int { return namedSize }, paths...)
}

// sized is named with files of other sizes.
func sized(t testing.TB, extra, name string, size func(file int) int, paths ...string) payload {
	t.Helper()
	const pieceLength = 16 << 10
	str := func(s string) string { return fmt.Sprintf("%d:%s", len(s), s) }
	c := payload{files: map[string][]byte{}}
	rng := rand.NewChaCha8([32]byte{byte(len(paths)), byte(len(name))})
	list := ""
	for i, p := range paths {
		list += fmt.Sprintf("d6:lengthi%de4:pathl", size(i))
		for _, e := range strings.Split(p, "/") {
			list += str(e)
		}
		list += "ee"
		data := make([]byte, size(i))
		_, _ = rng.Read(data)
		c.data = append(c.data, data...)
	}
	in := "d" + extra + "4:infod5:filesl" + list + "e4:name" + str(name)
	if len(paths) == 0 {
		c.data = make([]byte, namedSize)
		_, _ = rng.Read(c.data)
		in = "d" + extra + fmt.Sprintf("4:infod6:lengthi%de4:name", namedSize) + str(name)
	}
	hashes := ""
	for all := c.data; len(all) > 0; {
		n := min(len(all), pieceLength)
		sum := sha1.Sum(all[:n])
		hashes += string(sum[:])
		all = all[n:]
	}
	meta, err := metainfo.Parse([]byte(in + fmt.Sprintf("12:piece lengthi%de6:pieces", pieceLength) + str(hashes) + "ee"))
	if err != nil {
		t.Fatal(err)
	}
	c.meta = meta
	for _, f := range meta.Info.Files {
		c.files[path.Join(f.Path...)] = c.data[f.Offset : f.Offset+f.Length]
	}
	return c
}

// lay writes the files of a torrent as another client left them: at has their paths, in the
// order of the torrent; a path with a star behind it holds the first half of the bytes.
func (c payload) lay(t testing.TB, dir string, at []string) (left payload) {
	t.Helper()
	left = payload{meta: c.meta, data: c.data, files: map[string][]byte{}}
	for i, f := range c.meta.Info.Files {
		if i >= len(at) || at[i] == "" {
			continue
		}
		name, half := strings.CutSuffix(at[i], "*")
		data := c.data[f.Offset : f.Offset+f.Length]
		if half {
			data = append(slices.Clone(data[:len(data)/2]), make([]byte, len(data)-len(data)/2)...)
		}
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o777), os.WriteFile(p, data, 0o666)); err != nil {
			t.Fatal(err)
		}
		left.files[name] = c.data[f.Offset : f.Offset+f.Length]
	}
	return left
}

// layouts are how other clients leave the files of one torrent.
var collection = []string{"Disc: One?/a*b.mkv", "Disc: One?/caf\u00e9.txt", "Disc: One?/CON", "end.", "x\u202ey\x01", "PROGRA~1"}

var layouts = map[string]struct {
	at       []string
	complete bool
}{
	"kept": {[]string{
		"Re: Collection/Disc: One?/a*b.mkv", "Re: Collection/Disc: One?/caf\u00e9.txt", "Re: Collection/Disc: One?/CON",
		"Re: Collection/end.", "Re: Collection/x\u202ey\x01", "Re: Collection/PROGRA~1",
	}, true},
	"shoal before": {[]string{
		"Re_ Collection/Disc_ One_/a_b.mkv", "Re_ Collection/Disc_ One_/caf\u00e9.txt", "Re_ Collection/Disc_ One_/_CON",
		"Re_ Collection/end", "Re_ Collection/x_y_", "Re_ Collection/PROGRA_1",
	}, true},
	"libtorrent on Windows": {[]string{
		"Re_ Collection/Disc_ One_/a_b.mkv", "Re_ Collection/Disc_ One_/caf\u00e9.txt", "Re_ Collection/Disc_ One_/CON",
		"Re_ Collection/end", "Re_ Collection/xy_", "Re_ Collection/PROGRA~1",
	}, true},
	"aria2": {[]string{
		"Re: Collection/Disc: One?/a*b.mkv", "Re: Collection/Disc: One?/caf\u00e9.txt", "Re: Collection/Disc: One?/CON",
		"Re: Collection/end.", "Re: Collection/x\u202ey%01", "Re: Collection/PROGRA~1",
	}, true},
	"aria2 on Windows": {[]string{
		"Re%3A Collection/Disc%3A One%3F/a%2Ab.mkv", "Re%3A Collection/Disc%3A One%3F/caf\u00e9.txt", "Re%3A Collection/Disc%3A One%3F/CON",
		"Re%3A Collection/end.", "Re%3A Collection/x\u202ey%01", "Re%3A Collection/PROGRA~1",
	}, true},
	"dropped": {[]string{
		"Re Collection/Disc One/ab.mkv", "Re Collection/Disc One/caf\u00e9.txt", "Re Collection/Disc One/CON",
		"Re Collection/end", "Re Collection/xy", "Re Collection/PROGRA1",
	}, true},
	"full width": {[]string{
		"Re： Collection/Disc： One？/a＊b.mkv", "Re： Collection/Disc： One？/caf\u00e9.txt", "Re： Collection/Disc： One？/CON",
		"Re： Collection/end", "Re： Collection/xy", "Re： Collection/PROGRA~1",
	}, true},
	"decomposed, as macOS left it": {[]string{
		"Re: Collection/Disc: One?/a*b.mkv", "Re: Collection/Disc: One?/cafe\u0301.txt", "Re: Collection/Disc: One?/CON",
		"Re: Collection/end.", "Re: Collection/x\u202ey\x01", "Re: Collection/PROGRA~1",
	}, true},
	"other case": {[]string{
		"re: collection/DISC: ONE?/A*B.MKV", "re: collection/DISC: ONE?/CAF\u00c9.TXT", "re: collection/DISC: ONE?/con",
		"re: collection/END.", "re: collection/X\u202eY\x01", "re: collection/progra~1",
	}, true},
	"no subfolder": {[]string{
		"Disc: One?/a*b.mkv", "Disc: One?/caf\u00e9.txt", "Disc: One?/CON", "end.", "x\u202ey\x01", "PROGRA~1",
	}, true},
	"no subfolder, rewritten": {[]string{
		"Disc_ One_/a_b.mkv", "Disc_ One_/caf\u00e9.txt", "Disc_ One_/CON", "end", "x_y_", "PROGRA~1",
	}, true},
	"some in one folder, some in another": {[]string{
		"Re: Collection/Disc: One?/a*b.mkv", "Re_ Collection/Disc_ One_/caf\u00e9.txt", "Re: Collection/Disc: One?/CON",
		"Re_ Collection/end", "Re: Collection/x\u202ey\x01", "PROGRA~1",
	}, true},
	"Transmission, unfinished": {[]string{
		"Re: Collection/Disc: One?/a*b.mkv.part*", "Re: Collection/Disc: One?/caf\u00e9.txt", "Re: Collection/Disc: One?/CON.part*",
		"Re: Collection/end.", "Re: Collection/x\u202ey_.part*", "Re: Collection/PROGRA~1",
	}, false},
	"qBittorrent, unfinished": {[]string{
		"Re_ Collection/Disc_ One_/a_b.mkv.!qB*", "Re_ Collection/Disc_ One_/caf\u00e9.txt.!qB*", "Re_ Collection/Disc_ One_/CON.!qB*",
		"Re_ Collection/end.!qB*", "", "",
	}, false},
	"uTorrent, unfinished": {[]string{
		"Re_ Collection/Disc_ One_/a_b.mkv.!ut*", "Re_ Collection/Disc_ One_/caf\u00e9.txt", "Re_ Collection/Disc_ One_/CON.!bt*",
		"", "", "Re_ Collection/PROGRA~1",
	}, false},
}

// What another client left is found by get, seed and verify, is hashed once, and is fetched
// only as far as it is not there. It stays where it lies.
func TestFoundLayouts(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("most of these names are not possible")
	}
	for what, l := range layouts {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(named(t, "", "Re: Collection", collection...))
				left := k.c.lay(t, k.dir, l.at)
				before := onDisk(t, k.dir)
				pieces := int(k.c.meta.Info.NumPieces())

				v, err := content.Verify(t.Context(), content.VerifySpec{Meta: k.c.meta, Dir: k.dir, StateDir: k.state})
				if err != nil {
					t.Fatal(err)
				}
				if v.Good.All() != l.complete || v.Good.None() || v.Hashed > pieces {
					t.Errorf("verify: %d good of %d, %d hashed", v.Good.Count(), pieces, v.Hashed)
				}
				good := int(v.Good.Count())

				e, s := k.run(2, func(s *Spec) { s.SeedOnly, s.Peers = true, nil })
				if st := checkedNow(t, s); int(st.Swarm.Have) != good || st.Hashed > pieces {
					t.Errorf("seed: %d of %d, %d hashed", st.Swarm.Have, pieces, st.Hashed)
				}
				if after := onDisk(t, k.dir); !slices.Equal(after, before) {
					t.Errorf("verify and seed have changed %q to %q", before, after)
				}
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}

				e, g := k.run(3, nil)
				wait(t, g)
				if st := g.Stats(); st.Hashed != 0 || st.Swarm.Downloaded > int64(pieces-good)<<14 {
					t.Errorf("get: %d hashed, %d bytes fetched, %d of %d pieces were there", st.Hashed, st.Swarm.Downloaded, good, pieces)
				}
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				want := payload{files: map[string][]byte{}}
				for name, data := range left.files {
					for _, suffix := range []string{".part", ".!qB", ".!ut", ".!bt"} {
						name = strings.TrimSuffix(name, suffix)
					}
					want.files[name] = data
				}
				want.same(t, k.dir)
				if there := onDisk(t, k.dir); len(there) != len(k.c.files) {
					t.Errorf("there are %q", there)
				}

				_, g = k.run(4, nil)
				wait(t, g)
				if st := g.Stats(); st.Hashed != 0 || st.Swarm.Downloaded != 0 {
					t.Errorf("after a restart: %d hashed, %d bytes fetched", st.Hashed, st.Swarm.Downloaded)
				}
			})
		})
	}
}

// The same at once by get, with nothing known of it.
func TestFoundByGet(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("most of these names are not possible")
	}
	for what, l := range layouts {
		t.Run(what, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(named(t, "", "Re: Collection", collection...))
				k.c.lay(t, k.dir, l.at)
				e, g := k.run(3, nil)
				sub := g.Subscribe()
				wait(t, g)
				told := 0
				for len(sub.C) > 0 {
					if ev := <-sub.C; ev.Kind == EventFiles {
						told++
					}
				}
				sub.Close()
				if told > 1 {
					t.Errorf("%d events", told)
				}
				fetched := g.Stats().Swarm.Downloaded
				if l.complete && fetched != 0 || fetched >= k.c.meta.Info.Length {
					t.Errorf("%d bytes fetched of %d", fetched, k.c.meta.Info.Length)
				}
				if there := onDisk(t, k.dir); len(there) != len(k.c.files) {
					t.Errorf("there are %q", there)
				}
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// The torrent of one file, in the folder, in a folder of its name, under names in old
// character sets, and cut.
func TestFoundSingle(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("most of these names are not possible")
	}
	long := strings.Repeat("A very long name ", 14) + ".mkv" // 242 bytes
	const gbk = "8:encoding3:GBK"
	for _, c := range []struct{ extra, name, at string }{
		{"", "a:b.mkv", "a_b.mkv"},
		{"", "a:b.mkv", "a:b/a:b.mkv"},
		{"", "a:b.mkv", "a_b/a_b.mkv"},
		{"", "a:b.mkv", "a:b.mkv/a:b.mkv"},
		{"", "a:b.mkv", "a_b/a_b.mkv.!qB"},
		{"", "film.mkv", "film/film.mkv"},
		{gbk, "\xd6\xd0\xce\xc4.mkv", "\xd6\xd0\xce\xc4.mkv"},
		{gbk, "\xd6\xd0\xce\xc4.mkv", "中文.mkv"},
		{gbk, "\xd6\xd0\xce\xc4.mkv", "____.mkv"},
		{"", "\xd6\xd0\xce\xc4.mkv", "中文.mkv"},
		{"", "\xd6\xd0\xce\xc4.mkv", "\xd6\xd0\xce\xc4.mkv"},
		{"", "\xd6\xd0\xce\xc4.mkv", "%D6%D0%CE%C4.mkv"},
		{"", "Привет.txt", "\xcf\xf0\xe8\xe2\xe5\xf2.txt.part"}, // and the reverse is no use
		{"", long, long[:150] + ".mkv"},
	} {
		t.Run(c.at, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(named(t, c.extra, c.name))
				k.c.lay(t, k.dir, []string{c.at})
				_, g := k.run(3, nil)
				wait(t, g)
				want := int64(0)
				if strings.HasPrefix(c.name, "Привет") {
					want = k.c.meta.Info.Length
				}
				if n := g.Stats().Swarm.Downloaded; n != want {
					t.Errorf("%d bytes fetched", n)
				}
			})
		})
	}
}

// A file of a likely name that holds something else is left alone: what is the torrent's comes
// to be beside it.
func TestFoundIsNotIt(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("these names are not possible")
	}
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(named(t, "", "Re: x", "a:b.mkv", "c:d.mkv", "e:f.mkv"))
		dir := filepath.Join(k.dir, "Re_ x")
		mine := bytes.Repeat([]byte("mine "), namedSize/5)
		left := k.c.lay(t, k.dir, []string{"", "Re_ x/c_d.mkv"})
		for _, name := range []string{"a_b.mkv", "a-b.mkv", "ab.mkv", "A_B.MKV", "a b.mkv", "a.b.mkv"} {
			if err := os.WriteFile(filepath.Join(dir, name), mine, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		// The right one is not the likeliest.
		data := k.c.data[2*namedSize:]
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "e_f.mkv"), mine, 0o666), os.WriteFile(filepath.Join(dir, "EF.mkv"), data, 0o666)); err != nil {
			t.Fatal(err)
		}
		_, g := k.run(3, nil)
		wait(t, g)
		if st := g.Stats(); st.Swarm.Downloaded > namedSize+2<<14 || st.Hashed > int(k.c.meta.Info.NumPieces())*4 {
			t.Errorf("%d bytes fetched, %d hashed", st.Swarm.Downloaded, st.Hashed)
		}
		for _, name := range []string{"a_b.mkv", "a-b.mkv", "ab.mkv", "A_B.MKV", "a b.mkv", "a.b.mkv", "e_f.mkv"} {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(b, mine) {
				t.Errorf("%s was written over (%v)", name, err)
			}
		}
		left.same(t, k.dir)
		payload{files: map[string][]byte{"Re_ x/a:b.mkv": k.c.data[:namedSize], "Re_ x/EF.mkv": data}}.same(t, k.dir)
	})
}

// With a folder for unfinished files, what another client left in the torrent's own is found
// there.
func TestFoundDespiteIncompleteDir(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("these names are not possible")
	}
	bubble(t, func(t *testing.T, w *world) {
		k := w.kept(named(t, "", "Re: x", "a:b.mkv", "c:d.mkv"))
		k.c.lay(t, k.dir, []string{"Re_ x/a_b.mkv", "Re_ x/c_d.mkv.part*"})
		_, g := k.run(3, func(s *Spec) { s.Paths = &Paths{IncompleteDir: t.TempDir(), Suffix: ".part"} })
		wait(t, g)
		if n := g.Stats().Swarm.Downloaded; n > namedSize {
			t.Errorf("%d bytes fetched", n)
		}
		payload{files: map[string][]byte{"Re_ x/a_b.mkv": k.c.data[:namedSize], "Re_ x/c_d.mkv": k.c.data[namedSize:]}}.only(t, k.dir)
	})
}
