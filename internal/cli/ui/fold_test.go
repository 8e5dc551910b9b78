package ui

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// A flood of one kind is one line with a count, whatever comes between; few are told one by
// one, and nothing is lost.
func TestFolds(t *testing.T) {
	var told []string
	clock := time.Unix(1000, 0)
	f := &Folds{Say: func(l string) { told = append(told, l) }, Now: func() time.Time { return clock }}
	for i := range 256 {
		f.Add("files", "file", fmt.Sprintf("photos: %c%d.jpg was here and is gone", 'a'+i%26, i), 0)
		if i < 2 {
			f.Add("files", "file", fmt.Sprintf("photos: %d.raw was changed: it is checked", i), 0)
		}
	}
	f.Add("banned", "peer", "banned 192.0.2.7:1: it was proven to send bad data", 11)
	f.Flush(false)
	if len(told) != 0 {
		t.Errorf("told too early: %q", told)
	}
	clock = clock.Add(foldWithin)
	f.Flush(false)
	want := []string{
		"256 files: photos: a0.jpg was here and is gone, and so on",
		"photos: 0.raw was changed: it is checked",
		"photos: 1.raw was changed: it is checked",
		"12 peers: banned 192.0.2.7:1: it was proven to send bad data, and so on",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told\n%q, want\n%q", told, want)
	}
	told = nil
	f.Add("held", "torrent", "a waits: no space left", 0)
	f.Flush(true)
	if !slices.Equal(told, []string{"a waits: no space left"}) {
		t.Errorf("at the end: %q", told)
	}
}

// Torrents that wait for the same reason are of one shape, other reasons are not.
func TestShape(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"photos waits: no space left", "films 2 waits: no space left", true},
		{"photos waits: no space left", "films waits: permission denied", false},
		{"a was here and is gone", "b is gone was here and is gone", true},
		{"x is 12 bytes longer than it says", "y is 9 bytes longer than it says", true},
		{"tracker http://a.example/announce: refused", "tracker http://b.example/announce: refused", true},
	} {
		if got := shape(c.a) == shape(c.b); got != c.same {
			t.Errorf("%q and %q: %v (%q, %q)", c.a, c.b, got, shape(c.a), shape(c.b))
		}
	}
}
