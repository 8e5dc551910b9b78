package ui

import (
	"strings"
	"testing"
)

func TestPieceMap(t *testing.T) {
	long := strings.Repeat("v", 80) + strings.Repeat("vm", 40) + strings.Repeat("s", 20) + strings.Repeat("m", 60)
	for _, c := range []struct {
		states string
		width  int
		want   string
	}{
		{"", 10, ""},
		{"vsm", 0, ""},
		{"vsm", 10, "█░·"}, // one cell a piece, not stretched
		{"vsm", 3, "█░·"},
		{"vsm", 1, "▃"}, // a third of them
		{"vvvvvvvm", 1, "▇"},
		{strings.Repeat("m", 999) + "v", 1, "▁"}, // never taken for nothing
		{"v" + strings.Repeat("m", 9) + "s", 2, "▂░"},
		{long, 24, "████████▄▄▄▄▄▄▄▄░░······"},
		{long, 240, strings.Repeat("█", 80) + strings.Repeat("█·", 40) + strings.Repeat("░", 20) + strings.Repeat("·", 60)},
		{long, 7, "██▅▄▃░·"},
	} {
		if got := PieceMap([]byte(c.states), c.width, Blocks, Colours{}); got != c.want {
			t.Errorf("%d pieces in %d cells:\n got %s\nwant %s", len(c.states), c.width, got, c.want)
		}
	}
	if got := PieceMap([]byte("vvvsmm"), 3, ascii, Colours{}); got != "#5." {
		t.Errorf("in ASCII: %s", got)
	}
	// A colour is turned on where it changes, and off at the end.
	c := Colours{good: "<g>", Busy: "<b>", Faint: "<f>", Off: "</>"}
	if got := PieceMap([]byte("vvsm"), 4, Blocks, c); got != "<g>██</><b>░</><f>·</>" {
		t.Errorf("in colour: %s", got)
	}
}

// Every piece stands in exactly one cell, whatever the width.
func TestCells(t *testing.T) {
	for n := range 50 {
		states := []byte(strings.Repeat("vsm", 17)[:n])
		for width := range 60 {
			var pieces, verified int
			for _, c := range cells(states, width) {
				if c.pieces == 0 {
					t.Fatalf("%d pieces in %d cells: a cell without pieces", n, width)
				}
				pieces += c.pieces
				verified += c.verified
			}
			if width > 0 && (pieces != n || verified != (n+2)/3) {
				t.Fatalf("%d pieces in %d cells: %d counted, %d verified", n, width, pieces, verified)
			}
		}
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		width       int
		want        string
	}{
		{0, 100, 8, "        "},
		{1, 100, 8, "        "},
		{2, 100, 8, "▏       "},
		{50, 100, 8, "████    "},
		{99, 100, 8, "███████▉"},
		{100, 100, 8, "████████"},
		{0, 0, 4, "████"}, // an empty torrent is complete
		{-5, 10, 4, "    "},
		{50, 100, 0, ""},
		{1<<63 - 2, 1<<63 - 1, 2, "█▉"},
	} {
		if got := Bar(c.done, c.total, c.width, Blocks, Colours{}); got != c.want {
			t.Errorf("bar(%d, %d, %d) = %q, want %q", c.done, c.total, c.width, got, c.want)
		}
	}
	if got := Bar(55, 100, 10, ascii, Colours{}); got != "#####-    " {
		t.Errorf("in ASCII: %q", got)
	}
}
