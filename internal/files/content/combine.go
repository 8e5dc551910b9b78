package content

import (
	"crypto/sha1"

	"shoal/internal/files/storage"
)

// This file finds out which files of a search belong together when one piece contains several small
// files. It only reads; search.go names the files.

// Bounds on trying combinations of files, for one piece and in all.
const (
	mostCombined      = 256
	mostCombinedBytes = 256 << 20
	mostSets          = 8        // names on disk that are compared for one file of the torrent
	mostParts         = 4096     // files in one piece
	openCosts         = 16 << 10 // opening a file counts as reading this many bytes
)

// A combination of files on disk is tried where no file proves itself: a piece that contains several
// small files is right only when all of them are. One wrong file makes its neighbours look wrong,
// too.
type combining struct {
	o          *session
	raw, view  storage.FS // the folder, and the names of its files
	candidates map[int][]candidate
	missing    map[int]bool
	left       int // bytes that may still be hashed
}

// part is the part of one file in a piece.
type part struct {
	file    int
	off     int64
	into    []byte
	options []candidate
	read    int // which of the options is in into; -1 for none
}

// combine proves files that share pieces with other small files, as far as some combination of the
// candidates fits (decision 0127).
func (o *session) combine(raw, view storage.FS, candidates map[int][]candidate, missing []int) {
	c := &combining{o: o, raw: raw, view: view, candidates: candidates, missing: map[int]bool{}, left: mostCombinedBytes}
	for _, i := range missing {
		c.missing[i] = true
	}
	g := o.c.geom
	next := 0 // first file that can reach into the piece
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

// hasWhole reports whether a file contains a piece completely.
func (c *combining) hasWhole(i int) bool {
	f, size := &c.o.c.info.Files[i], int64(c.o.c.geom.PieceLength)
	first := (f.Offset + size - 1) / size * size
	return first+size <= f.Offset+f.Length
}

// count returns how many files on disk can be one of the torrent's files.
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

// options returns those files. One without a path is where the torrent expects it.
func (c *combining) options(i int) []candidate {
	s := c.o.search
	if p, proven := s.proven[i]; proven {
		return []candidate{p}
	}
	if s.own[i] || !c.missing[i] {
		return []candidate{{}}
	}
	var out []candidate
	if s.wrong[i] { // it looked wrong, but its neighbours may be the cause
		out = append(out, candidate{})
	}
	for _, o := range c.candidates[i] {
		if o.path != c.o.lay.Files[i].Path || !s.wrong[i] {
			out = append(out, o)
		}
	}
	return out
}

// piece tries combinations for one piece: all, or only the likeliest. It proves the files that fit.
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
			return // the part is missing, so the piece can't be checked
		}
		parts = append(parts, pt)
	}
	at := make([]int, len(parts)) // index of the option of each part
	// Two combinations are the likeliest: the names of one client, and those of the other.
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

// try tries one combination. fits reports whether it is right; on reports whether the budget allows
// more.
func (c *combining) try(p uint32, buf []byte, parts []part, at []int) (fits, on bool) {
	ok := c.fill(parts, at)
	c.left -= len(buf)
	if ok && sha1.Sum(buf) == c.o.c.info.PieceHash(p) {
		c.prove(parts, at)
		return true, false
	}
	return false, c.left > 0 && c.o.c.life.Err() == nil
}

// fill reads the parts of a piece that are not read yet. It reports whether it could read all, and
// no file stands for two of the torrent's.
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

// prove records that the files of a combination are the torrent's.
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
