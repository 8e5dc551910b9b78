package filestate

import (
	"slices"
	"testing"
)

// Files are waited for when all are gone and a volume may be missing, and only then.
func TestNotThere(t *testing.T) {
	for name, c := range map[string]struct {
		look Look
		want bool
	}{
		"new":                                           {Look{}, false},
		"new, on the same device":                       {Look{SamePlace: true}, false},
		"all there":                                     {Look{Any: true, SamePlace: true}, false},
		"some removed":                                  {Look{Any: true, Missing: true}, false},
		"some removed of a seed":                        {Look{Any: true, Missing: true, SeedOnly: true}, false},
		"all removed, same device":                      {Look{Missing: true, SamePlace: true}, false},
		"all removed, another device":                   {Look{Missing: true}, true},
		"another folder":                                {Look{FolderGone: true}, true},
		"another folder with such files":                {Look{FolderGone: true, Any: true}, false},
		"all removed of a seed":                         {Look{Missing: true, SamePlace: true, SeedOnly: true}, true},
		"all removed while it runs":                     {Look{Missing: true, SamePlace: true, WasHere: true}, true},
		"all removed while it runs, nothing was noted":  {Look{SamePlace: true, WasHere: true}, false},
		"the folder is another one since it was opened": {Look{FolderGone: true, SamePlace: true, WasHere: true}, true},
	} {
		if got := c.look.NotThere(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// The folder is chosen by journals first, by files where these say nothing, and with no more
// looks at disks than the answer needs.
func TestChoosePlace(t *testing.T) {
	yes := func(qs ...Question) []Question { return qs }
	for name, c := range map[string]struct {
		places  Places
		true    []Question // facts that are true; the others are not
		want    Place
		ignored bool
		asked   []Question
	}{
		"nothing is said":                                    {Places{}, nil, Home, false, nil},
		"wished, and new":                                    {Places{Wished: true}, nil, Wished, false, yes(HomeJournal, WishedJournal, HomeFiles)},
		"wished, known at home":                              {Places{Wished: true}, yes(HomeJournal), Home, false, yes(HomeJournal)},
		"wished, known there":                                {Places{Wished: true}, yes(WishedJournal, HomeFiles), Wished, false, yes(HomeJournal, WishedJournal)},
		"wished, unknown files at home":                      {Places{Wished: true}, yes(HomeFiles), Home, false, yes(HomeJournal, WishedJournal, HomeFiles)},
		"noted":                                              {Places{Noted: true}, yes(NotedFiles), Noted, false, yes(HomeJournal, HomeFiles)},
		"noted, known at home":                               {Places{Noted: true}, yes(HomeJournal, NotedFiles), Home, false, yes(HomeJournal)},
		"noted, moved home by hand":                          {Places{Noted: true}, yes(HomeFiles), Home, false, yes(HomeJournal, HomeFiles, NotedFiles)},
		"noted, files in both":                               {Places{Noted: true}, yes(HomeFiles, NotedFiles), Noted, false, yes(HomeJournal, HomeFiles, NotedFiles)},
		"noted, gone from both":                              {Places{Noted: true}, nil, Noted, false, yes(HomeJournal, HomeFiles)},
		"noted and wished are one":                           {Places{Noted: true, Wished: true, Same: true}, yes(NotedFiles), Noted, false, yes(HomeJournal, HomeFiles)},
		"another one is wished, which has them":              {Places{Noted: true, Wished: true}, yes(WishedFiles), Wished, false, yes(HomeJournal, WishedFiles, HomeFiles)},
		"another one is wished, which is empty":              {Places{Noted: true, Wished: true}, yes(NotedFiles), Noted, true, yes(HomeJournal, WishedFiles, HomeFiles)},
		"another one is wished, gone files are fetched":      {Places{Noted: true, Wished: true, Again: true}, nil, Wished, false, yes(HomeJournal, WishedFiles, NotedFiles, HomeFiles)},
		"another one is wished, fetched again, but there":    {Places{Noted: true, Wished: true, Again: true}, yes(NotedFiles), Noted, true, yes(HomeJournal, WishedFiles, NotedFiles, HomeFiles)},
		"home is wished, which has them":                     {Places{Noted: true, WishedHome: true}, yes(HomeFiles), Home, false, yes(HomeJournal, HomeFiles)},
		"home is wished, which is empty":                     {Places{Noted: true, WishedHome: true}, yes(NotedFiles), Noted, true, yes(HomeJournal, HomeFiles)},
		"home is wished, gone files are fetched again":       {Places{Noted: true, WishedHome: true, Again: true}, nil, Home, false, yes(HomeJournal, HomeFiles, NotedFiles)},
		"another one is wished, which has them, as has home": {Places{Noted: true, Wished: true}, yes(WishedFiles, HomeFiles), Wished, false, yes(HomeJournal, WishedFiles, HomeFiles)},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []Question
			for {
				in, ignored, q := c.places.Choose()
				if q == NoQuestion {
					if in != c.want || ignored != c.ignored || !slices.Equal(asked, c.asked) {
						t.Errorf("%v, ignored %v, after %v; want %v, %v, %v", in, ignored, asked, c.want, c.ignored, c.asked)
					}
					return
				}
				if c.places.Facts[q] != Unknown {
					t.Fatalf("it asks for %v again", q)
				}
				asked = append(asked, q)
				c.places.Facts[q] = FactOf(slices.Contains(c.true, q))
			}
		})
	}
}

// A file belongs to the torrent that was first; to the other one where only that has something
// of it.
func TestYields(t *testing.T) {
	for _, c := range []struct{ first, they, we, want bool }{
		{false, false, false, false},
		{false, false, true, false},
		{false, true, false, true},
		{false, true, true, false},
		{true, false, false, true},
		{true, false, true, true},
		{true, true, false, true},
		{true, true, true, true},
	} {
		if got := Yields(c.first, c.they, c.we); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
