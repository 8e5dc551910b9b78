package catalogue

import (
	"fmt"

	"shoal/internal/value/infohash"
)

// Problem is a fault in the folder, found when it was opened.
type Problem struct {
	Loss     Loss
	File     string        // file that is damaged or can't be read
	Aside    string        // name of a copy of the file; empty when there is none
	InfoHash infohash.Hash // zero for a problem that is not about one torrent
	Text     string        // what is wrong, what happened to it, what to do; one line
	Err      error         // error of the system, if that is the reason

	// Left is what is still known about a lost torrent: choices and totals, or only totals. Nil
	// when nothing is.
	Left *Entry
}

// Loss says what a problem costs.
type Loss uint8

// The losses, least first.
const (
	Nothing  Loss = iota // corrected
	Some                 // choices, totals or trackers; Text says which
	Withheld             // a torrent is not loaded; its file is unchanged, and a later start may load it
	Torrent              // a torrent's metainfo is lost; the user has to add it again
)

// String names the loss.
func (l Loss) String() string {
	return [...]string{"nothing", "some", "withheld", "torrent"}[l]
}

// String describes the problem in one line.
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
