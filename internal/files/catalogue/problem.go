package catalogue

import (
	"fmt"

	"shoal/internal/value/infohash"
)

// Problem is something that was wrong in the folder when it was opened.
type Problem struct {
	Loss     Loss
	File     string        // that was damaged or can't be read
	Aside    string        // the name that a copy of it has now; empty when there is none
	InfoHash infohash.Hash // zero when it is not about one torrent
	Text     string        // what is wrong, what became of it, what to do; one line
	Err      error         // what the system said, if that is the reason

	// Left is, of a torrent that is lost, what is still known: choices, totals, or only
	// totals. Nil when that is nothing.
	Left *Entry
}

// Loss says what a problem costs.
type Loss uint8

// The losses, least first.
const (
	Nothing  Loss = iota // it was put right
	Some                 // choices, totals or trackers; Text says which
	Withheld             // a torrent is not loaded; its file is as it was, and may be loaded another time
	Torrent              // a torrent's metainfo is lost; it has to be added again
)

// String names the loss.
func (l Loss) String() string {
	return [...]string{"nothing", "some", "withheld", "torrent"}[l]
}

// String says it all in a line.
func (p Problem) String() string {
	s := p.File + ": " + p.Text
	if p.Err != nil {
		s += fmt.Sprintf(" (%v)", p.Err)
	}
	if p.Aside != "" {
		s += "; the damaged file is kept as " + p.Aside
	}
	return s
}
