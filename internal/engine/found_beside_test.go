package engine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"shoal/internal/files/content"
)

// Some clients call the folder after the .torrent file: data in it is found, whatever browsers
// have put behind the name of the file.
func TestFoundByFileName(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("some of these names are not possible")
	}
	for _, c := range []struct {
		file  string // name of the .torrent file
		at    string // folder of the data
		found bool
	}{
		{"movies.torrent", "movies", true},
		{"movies.TORRENT", "movies", true},
		{"movies", "movies", true},
		{"Mov: ies.torrent", "Mov_ ies", true},
		{"movies (1).torrent", "movies", true},
		{"movies (1).torrent", "movies (1)", true},
		{"movies(2).torrent", "movies", true},
		{"movies.torrent.added", "movies", true},
		{"movies.torrent", "movies/Movie [x]", true},
		{"", "Movie [x]/Movie [x]", true},
		{"other.torrent", "movies", false},
		{"../movies.torrent", "movies", false},
		{"..", "movies", false},
		{".torrent", "movies", false},
		{"/", "movies", false},
		{"", "movies", false},
	} {
		t.Run(c.file+" "+c.at, func(t *testing.T) {
			for _, paths := range [][]string{{"a:b.mkv", "sub/c.srt"}, nil} {
				bubble(t, func(t *testing.T, w *world) {
					name := "Movie [x]"
					at := []string{c.at + "/a_b.mkv", c.at + "/sub/c.srt"}
					if paths == nil {
						name, at = "a:b.mkv", []string{c.at + "/a:b.mkv"}
					}
					if paths == nil && c.at != "movies" && c.at != "Mov_ ies" {
						return
					}
					k := w.kept(named(t, "", name, paths...))
					k.c.lay(t, k.dir, at)
					v, err := content.Verify(t.Context(), content.VerifySpec{Meta: k.c.meta, Dir: k.dir, FileName: c.file})
					if err != nil || v.Good.All() != c.found {
						t.Errorf("verify: %d good (%v)", v.Good.Count(), err)
					}
					_, g := k.run(3, func(s *Spec) { s.FileName = c.file })
					wait(t, g)
					if st := g.Stats(); (st.Swarm.Downloaded == 0) != c.found {
						t.Errorf("%d bytes fetched", st.Swarm.Downloaded)
					}
				})
			}
		})
	}
}

// What has the exact name of a file and has nothing of it does not hide a right copy beside it.
func TestFoundBesideWrong(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("these names are not possible")
	}
	zeros, foreign := make([]byte, namedSize), bytes.Repeat([]byte("mine "), namedSize/5)
	for what, wrong := range map[string][]byte{
		"empty": {}, "zeros": zeros, "foreign": foreign, "short": foreign[:1000], "long": append(foreign, foreign...),
	} {
		for _, at := range []string{"Re: x/a:b.mkv.part", "Re: x/a_b.mkv", "Re: x/A:B.MKV", "Re_ x/a_b.mkv", "a:b.mkv", "Re: x/a_b.mkv.!qB*"} {
			t.Run(what+" "+at, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					k := w.kept(named(t, "", "Re: x", "a:b.mkv", "c.mkv"))
					k.c.lay(t, k.dir, []string{at, "Re: x/c.mkv"})
					exact := filepath.Join(k.dir, "Re: x", "a:b.mkv")
					if err := os.WriteFile(exact, wrong, 0o666); err != nil {
						t.Fatal(err)
					}
					half := strings.HasSuffix(at, "*")
					before := onDisk(t, k.dir)
					v, err := content.Verify(t.Context(), content.VerifySpec{Meta: k.c.meta, Dir: k.dir, StateDir: k.state})
					if err != nil || v.Good.All() == half || int(v.Good.Count()) < 10 {
						t.Errorf("verify: %d good (%v)", v.Good.Count(), err)
					}
					if len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "found under another name") {
						t.Errorf("verify notes %q", v.Notes)
					}
					e, s := k.run(2, func(s *Spec) { s.SeedOnly, s.Peers = true, nil })
					if st := checkedNow(t, s); st.Swarm.Have != v.Good.Count() {
						t.Errorf("seed: %d of %d", st.Swarm.Have, v.Good.Count())
					}
					if after := onDisk(t, k.dir); !slices.Equal(after, before) {
						t.Errorf("verify and seed have changed %q to %q", before, after)
					}
					if err := e.Close(t.Context()); err != nil {
						t.Fatal(err)
					}
					for n := byte(3); n < 5; n++ { // and once more, as it is known then
						e, g := k.run(n, nil)
						wait(t, g)
						most := int64(0)
						if half && n == 3 {
							most = namedSize/2 + 2<<14
						}
						if st := g.Stats(); st.Swarm.Downloaded > most || n == 4 && st.Hashed > 0 {
							t.Errorf("get %d: %d bytes fetched, %d hashed", n, st.Swarm.Downloaded, st.Hashed)
						}
						if err := e.Close(t.Context()); err != nil {
							t.Fatal(err)
						}
					}
					want := wrong
					// Where the right one is to have its name, what is there makes way: it goes if
					// it is nothing, and is kept beside otherwise (decision 0132).
					if strings.HasPrefix(at, "Re: x/a:b.mkv.") {
						want = k.c.data[:namedSize]
						files := 3
						if what == "empty" || what == "zeros" {
							files = 2
						} else if b, err := os.ReadFile(exact + ".before-shoal"); err != nil || !bytes.Equal(b, wrong) {
							t.Errorf("what was there is not kept (%v)", err)
						}
						if there := onDisk(t, k.dir); len(there) != files {
							t.Errorf("there are %q", there)
						}
					}
					if b, err := os.ReadFile(exact); err != nil || !bytes.Equal(b, want) {
						t.Errorf("what was there was changed (%v)", err)
					}
				})
			})
		}
	}
}

// Nor does what is no plain file: it stays, and is named.
func TestFoundBesideOdd(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need rights")
	}
	for what, make := range map[string]func(name string) error{
		"folder":         func(name string) error { return os.Mkdir(name, 0o777) },
		"dangling link":  func(name string) error { return os.Symlink("nowhere", name) },
		"link to a file": func(name string) error { return os.Symlink("c.mkv", name) },
	} {
		for _, at := range []string{"x/a.mkv.part", "x/A.MKV", "a.mkv"} {
			t.Run(what+" "+at, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					k := w.kept(named(t, "", "x", "a.mkv", "c.mkv"))
					k.c.lay(t, k.dir, []string{at, "x/c.mkv"})
					exact := filepath.Join(k.dir, "x", "a.mkv")
					if err := make(exact); err != nil {
						t.Fatal(err)
					}
					v, err := content.Verify(t.Context(), content.VerifySpec{Meta: k.c.meta, Dir: k.dir})
					if err != nil || !v.Good.All() {
						t.Errorf("verify: %d good (%v)", v.Good.Count(), err)
					}
					_, g := k.run(3, nil)
					wait(t, g)
					if st := g.Stats(); st.Swarm.Downloaded != 0 {
						t.Errorf("%d bytes fetched", st.Swarm.Downloaded)
					}
					if info, err := os.Lstat(exact); err != nil || info.Mode().IsRegular() {
						t.Errorf("what was there is gone (%v)", err)
					}
				})
			})
		}
	}
}

// Of two files that have parts of one, the one with more is taken.
func TestFoundBetter(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("these names are not possible")
	}
	for _, c := range []struct {
		half, whole string // where they lie
		tenth       bool   // the "whole" one is as long, and has less
	}{
		{"Re: x/a:b.mkv", "Re: x/a:b.mkv.part", false},
		{"Re: x/a:b.mkv", "Re: x/a_b.mkv", false},
		{"Re: x/a:b.mkv", "a:b.mkv", false},
		{"Re: x/a:b.mkv", "named/a_b.mkv", false},
		{"Re: x/a_b.mkv", "Re_ x/a_b.mkv", false},
		{"Re: x/a:b.mkv.!qB", "named/a_b.mkv", false},
		{"Re: x/a:b.mkv", "Re: x/a:b.mkv.part", true},
		{"Re: x/a:b.mkv", "Re: x/a_b.mkv", true},
		{"Re: x/a_b.mkv", "named/a_b.mkv", true},
		{"Re: x/a:b.mkv.!qB", "named/a_b.mkv", true},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				k := w.kept(named(t, "", "Re: x", "a:b.mkv", "c.mkv"))
				k.c.lay(t, k.dir, []string{c.half + "*", "Re: x/c.mkv"})
				k.c.lay(t, k.dir, []string{c.whole})
				most := int64(0)
				if c.tenth {
					most = namedSize/2 + 2<<14
					if err := os.WriteFile(filepath.Join(k.dir, c.whole), slices.Concat(k.c.data[:20000], make([]byte, namedSize-20000)), 0o666); err != nil {
						t.Fatal(err)
					}
				}
				v, err := content.Verify(t.Context(), content.VerifySpec{Meta: k.c.meta, Dir: k.dir, FileName: "named.torrent"})
				if err != nil || v.Good.All() == c.tenth || int64(v.Good.Len()-v.Good.Count())<<14 > most {
					t.Errorf("verify: %d good (%v)", v.Good.Count(), err)
				}
				_, g := k.run(3, func(s *Spec) { s.FileName = "named.torrent" })
				wait(t, g)
				if st := g.Stats(); st.Swarm.Downloaded > most {
					t.Errorf("%d bytes fetched", st.Swarm.Downloaded)
				}
			})
		})
	}
}

// Files without a whole piece of their own are found with their neighbours, under each layout,
// and also where something else has a likelier name, or the exact one.
func TestFoundSmall(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("these names are not possible")
	}
	const files = 20
	sizes := func(i int) int { return 1000 + 103*i }
	for what, name := range map[string]func(i int) string{
		"kept":          func(i int) string { return fmt.Sprintf("Re: x/d: %d/f: %d.txt", i%3, i) },
		"rewritten":     func(i int) string { return fmt.Sprintf("Re_ x/d_ %d/f_ %d.txt", i%3, i) },
		"dropped":       func(i int) string { return fmt.Sprintf("Re x/d %d/f %d.txt", i%3, i) },
		"escaped":       func(i int) string { return fmt.Sprintf("Re%%3A x/d%%3A %d/f%%3A %d.txt", i%3, i) },
		"full width":    func(i int) string { return fmt.Sprintf("Re： x/d： %d/f： %d.txt", i%3, i) },
		"other case":    func(i int) string { return fmt.Sprintf("RE: X/D: %d/F: %d.TXT", i%3, i) },
		"no subfolder":  func(i int) string { return fmt.Sprintf("d_ %d/f_ %d.txt", i%3, i) },
		"in .torrent's": func(i int) string { return fmt.Sprintf("named/d_ %d/f_ %d.txt", i%3, i) },
		"suffix":        func(i int) string { return fmt.Sprintf("Re: x/d: %d/f: %d.txt.part", i%3, i) },
		"mixed": func(i int) string {
			return fmt.Sprintf([]string{"Re: x/d: %d/f: %d.txt", "Re_ x/d_ %d/f_ %d.txt", "d_ %d/f_ %d.txt.!qB"}[i%2], i%3, i)
		},
	} {
		for _, in := range []string{"", "likelier", "exact", "all"} {
			t.Run(what+" "+in, func(t *testing.T) {
				bubble(t, func(t *testing.T, w *world) {
					var paths []string
					for i := range files {
						paths = append(paths, fmt.Sprintf("d: %d/f: %d.txt", i%3, i))
					}
					k := w.kept(sized(t, "", "Re: x", sizes, paths...))
					var at []string
					for i := range files {
						at = append(at, name(i))
					}
					if in != "" && what == "kept" {
						at[4], at[11] = "Re_ x/d_ 1/f_ 4.txt", "Re_ x/d_ 2/f_ 11.txt"
					}
					k.c.lay(t, k.dir, at)
					wrongs := []int{4, 11}
					if in == "all" && what != "kept" {
						wrongs = nil
						for i := range files {
							wrongs = append(wrongs, i)
						}
					}
					for _, i := range wrongs {
						wrong := filepath.Join(k.dir, fmt.Sprintf("Re: x/d: %d/f: %d.txt", i%3, i))
						if in == "" {
							break
						}
						if in == "likelier" { // in the folder where the right one is, or another
							wrong = filepath.Join(k.dir, filepath.Dir(at[i]), fmt.Sprintf("f_: %d.txt", i))
							wrong = strings.Replace(wrong, "f_:", "f:", 1)
						}
						if _, err := os.Stat(wrong); err == nil {
							continue
						}
						data := bytes.Repeat([]byte{'x'}, sizes(i))
						if err := errors.Join(os.MkdirAll(filepath.Dir(wrong), 0o777), os.WriteFile(wrong, data, 0o666)); err != nil {
							t.Fatal(err)
						}
					}
					v, err := content.Verify(t.Context(), content.VerifySpec{Meta: k.c.meta, Dir: k.dir, FileName: "named.torrent"})
					if err != nil || !v.Good.All() {
						t.Errorf("verify: %d of %d good (%v)", v.Good.Count(), v.Good.Len(), err)
					}
					_, g := k.run(3, func(s *Spec) { s.FileName = "named.torrent" })
					wait(t, g)
					if st := g.Stats(); st.Swarm.Downloaded != 0 {
						t.Errorf("%d bytes fetched", st.Swarm.Downloaded)
					}
				})
			})
		}
	}
}

// Files that have one name by what libtorrent makes of names get a number there, as it really
// names them.
func TestFoundTwins(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("some of these names are not possible")
	}
	for _, c := range []struct{ paths, at []string }{
		{[]string{"a.txt", "a.txt", "a.txt"}, []string{"T/a.txt", "T/a.1.txt", "T/a.2.txt"}},
		{[]string{"Readme.txt", "README.TXT", "readme.txt"}, []string{"T/Readme.txt", "T/README.1.TXT", "T/readme.2.txt"}},
		{[]string{"a", "a/b"}, []string{"T/a.1", "T/a/b"}},
		{[]string{"a/b", "a", "A"}, []string{"T/a/b", "T/a.1", "T/A.2"}},
		{[]string{"x\u202ey.txt", "xy.txt"}, []string{"T/xy.txt", "T/xy.1.txt"}},
		{[]string{"a\\b.txt", "ab.txt"}, []string{"T/ab.txt", "T/ab.1.txt"}},
		{[]string{"a.tar.gz", "a.tar.gz"}, []string{"T/a.tar.gz", "T/a.tar.1.gz"}},
		{[]string{"d/a.txt", "D/a.txt"}, []string{"T/d/a.txt", "T/D/a.1.txt"}},
		{[]string{"a.1.txt", "a.txt", "a.txt"}, []string{"T/a.1.txt", "T/a.txt", "T/a.2.txt"}},
		{[]string{".hid", ".hid"}, []string{"T/.hid", "T/.1.hid"}},
		{[]string{"a:b.txt", "a?b.txt", "A*B.txt"}, []string{"T/a_b.txt", "T/a_b.1.txt", "T/A_B.2.txt"}}, // on Windows
		{[]string{"a.txt", "a.txt"}, []string{"T/a.txt.!qB", "T/a.1.txt.!qB"}},
		{[]string{"???", "***"}, []string{"T/___", "T/___.1"}},
	} {
		t.Run(fmt.Sprintf("%q", c.paths), func(t *testing.T) {
			for _, size := range []int{namedSize, 3000} { // and with no piece of their own
				made, dir := sized(t, "", "T", func(i int) int { return size + 10*i }, c.paths...), t.TempDir()
				made.lay(t, dir, c.at)
				v, err := content.Verify(t.Context(), content.VerifySpec{Meta: made.meta, Dir: dir})
				if err != nil || !v.Good.All() {
					t.Errorf("%d bytes each: %d of %d good (%v): %q", size, v.Good.Count(), v.Good.Len(), err, v.Paths)
				}
			}
		})
	}
}
