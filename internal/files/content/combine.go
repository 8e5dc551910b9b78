package content

import (
	"crypto/sha1"

	"shoal/internal/files/storage"
)

// This file finds out which files of a search belong together, when one piece has several small
// files in it. It only reads: search.go names the files.

// Bounds on trying combinations of files: for one piece, and in bytes for all.
const (
	mostCombined      = 256
	mostCombinedBytes = 256 << 20
	mostSets          = 8        // names that are compared for one of the torrent's
	mostParts         = 4096     // files in one piece
	openCosts         = 16 << 10 // a file that is opened counts for as many bytes
)

// A combination of files on disk is tried where no file tells by itself: a piece that has
// several small files in it is right only when all of them are. One wrong file would make its
// neighbours look wrong, too.
type combining struct {
	o          *session
	raw, view  storage.FS // the folder, and how the files that are there are called in it
	candidates map[int][]candidate
	missing    map[int]bool
	left       int // bytes that may still be hashed
}

// part is what a piece has of one file.
type part struct {
	file    int
	off     int64
	into    []byte
	options []candidate
	read    int // which of them is in into; -1 for none
}

// combine proves the files that lie in pieces with other small ones, as far as some
// combination of the candidates fits (decision 0127).
func (o *session) combine(raw, view storage.FS, candidates map[int][]candidate, missing []int) {
	c := &combining{o: o, raw: raw, view: view, candidates: candidates, missing: map[int]bool{}, left: mostCombinedBytes}
	for _, i := range missing {
		c.missing[i] = true
	}
	g := o.c.geom
	next := 0 // first file that may reach into the piece
	files := o.c.info.Files
	for p := range g.Pieces {
		start, end := int64(p)*int64(g.PieceLength), int64(p)*int64(g.PieceLength)+int64(g.PieceSize(p))
		for next < len(files) && files[next].Offset+files[next].Length <= start {
			next++
		}
		small, many := false, 1
		for i := next; i < len(files) && files[i].Offset < end; i++ {
			small = small || c.missing[i] && !c.hasWhole(i)
			if n := c.count(i); many <= mostCombined {
				many *= max(n, 1)
			}
		}
		if small && many > 1 && c.left > 0 {
			c.piece(p, next, start, end, many <= mostCombined)
		}
	}
}

// hasWhole reports whether a piece lies in a file as a whole.
func (c *combining) hasWhole(i int) bool {
	f, size := &c.o.c.info.Files[i], int64(c.o.c.geom.PieceLength)
	first := (f.Offset + size - 1) / size * size
	return first+size <= f.Offset+f.Length
}

// count returns how many files on disk one of the torrent's may be.
func (c *combining) count(i int) int {
	s := c.o.search
	if _, proven := s.proven[i]; proven || s.own[i] || !c.missing[i] {
		return 1
	}
	n := len(c.candidates[i])
	if s.wrong[i] {
		n++
	}
	return n
}

// options returns these files. One without a path is where the torrent has it.
func (c *combining) options(i int) []candidate {
	s := c.o.search
	if p, proven := s.proven[i]; proven {
		return []candidate{p}
	}
	if s.own[i] || !c.missing[i] {
		return []candidate{{}}
	}
	var out []candidate
	if s.wrong[i] { // wrong as far as is known, but that may be the neighbours' fault
		out = append(out, candidate{})
	}
	for _, o := range c.candidates[i] {
		if o.path != c.o.lay.Files[i].Path || !s.wrong[i] {
			out = append(out, o)
		}
	}
	return out
}

// piece tries combinations for one piece, all of them or only the likeliest. What fits is
// proven.
func (c *combining) piece(p uint32, next int, start, end int64, all bool) {
	buf := make([]byte, end-start)
	var parts []part
	files := c.o.c.info.Files
	for i := next; i < len(files) && files[i].Offset < end; i++ {
		f := &files[i]
		from, to := max(f.Offset, start), min(f.Offset+f.Length, end)
		if f.Pad || from >= to {
			continue
		}
		pt := part{file: i, off: from - f.Offset, into: buf[from-start : to-start], read: -1}
		for _, o := range c.options(i) {
			if o.path == "" || o.size >= pt.off+int64(len(pt.into)) {
				pt.options = append(pt.options, o)
			}
		}
		if len(pt.options) == 0 || len(parts) == mostParts {
			return // it is not there, and the piece can't be known
		}
		parts = append(parts, pt)
	}
	at := make([]int, len(parts)) // which option of each
	// Two sets of the files are the likeliest: one client's and another's.
	for n := 0; n < mostSets; n++ {
		more := false
		for k := range parts {
			at[k] = min(n, len(parts[k].options)-1)
			more = more || at[k] == n
		}
		if !more {
			break
		}
		if fits, on := c.try(p, buf, parts, at); fits || !on {
			return
		}
	}
	clear(at)
	for all {
		if fits, on := c.try(p, buf, parts, at); fits || !on {
			return
		}
		k := 0
		for ; k < len(parts); k++ {
			if at[k]++; at[k] < len(parts[k].options) {
				break
			}
			at[k] = 0
		}
		if k == len(parts) {
			return
		}
	}
}

// try tries one combination: fits reports whether it is right, and on whether there is room
// for more.
func (c *combining) try(p uint32, buf []byte, parts []part, at []int) (fits, on bool) {
	ok := c.fill(parts, at)
	c.left -= len(buf)
	if ok && sha1.Sum(buf) == c.o.c.info.PieceHash(p) {
		c.prove(parts, at)
		return true, false
	}
	return false, c.left > 0 && c.o.c.life.Err() == nil
}

// fill reads the parts of a piece that are not read yet, and reports whether all could be read
// and no file is two of the torrent's.
func (c *combining) fill(parts []part, at []int) bool {
	used := make(map[string]bool, len(parts))
	for k := range parts {
		p := &parts[k]
		o := p.options[at[k]]
		name, folder := o.path, c.raw
		if name == "" {
			name, folder = c.o.lay.Files[p.file].Path, c.view
		}
		if used[name] {
			return false
		}
		if used[name] = true; p.read == at[k] {
			continue
		}
		if c.left -= openCosts; c.left <= 0 {
			return false
		}
		p.read = -1
		h, err := folder.Open(name, storage.Read)
		if err != nil {
			return false
		}
		_, err = h.ReadV([][]byte{p.into}, p.off)
		h.Close()
		if err != nil {
			return false
		}
		p.read = at[k]
	}
	return true
}

// prove takes the files of a combination for the torrent's.
func (c *combining) prove(parts []part, at []int) {
	s := c.o.search
	for k, p := range parts {
		if !c.missing[p.file] {
			continue
		}
		if o := p.options[at[k]]; o.path != "" {
			s.proven[p.file] = o
		} else {
			s.own[p.file] = true
		}
	}
}
