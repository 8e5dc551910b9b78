package engine

import (
	"runtime"
	"testing"
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
					v, err := Verify(t.Context(), VerifySpec{Meta: k.c.meta, Dir: k.dir, FileName: c.file})
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
