package resume

import (
	"encoding/hex"
	"sort"

	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
	"shoal/metainfo"
)

// Layout is what a journal must know about its torrent.
type Layout struct {
	InfoHash [20]byte
	Geometry metainfo.Geometry
	Files    []storage.Entry // in the order of the span, without gaps

	// Part says that the last of Files is the part file, which contains bytes of skipped files. It
	// lies after the span.
	Part bool
}

// part returns the index of the part file; -1 when there is none.
func (l *Layout) part() int {
	if !l.Part {
		return -1
	}
	return len(l.Files) - 1
}

// LayoutOf returns the layout of a torrent, with its part file if it can have one.
func LayoutOf(infoHash [20]byte, info *metainfo.Info) Layout {
	l := Layout{InfoHash: infoHash, Geometry: info.Geometry(), Files: storage.Entries(info)}
	if e, ok := storage.PartOf(l.Files, info); ok {
		l.Files, l.Part = append(l.Files, e), true
	}
	return l
}

// FileName is the name of the torrent's journal in the folder of state.
func (l *Layout) FileName() string { return hex.EncodeToString(l.InfoHash[:]) + suffix }

const (
	suffix    = ".journal"
	newSuffix = ".new" // suffix of a version that is being written
)

// kept reports whether the journal notes the file's identity: whether it can contain bytes of a
// piece.
func kept(e *storage.Entry) bool { return !e.Pad && e.Length > 0 }

// touched returns the range of files, first to before last, that contain a range of the span, with
// the empty files in between.
func (l *Layout) touched(off, n int64) (first, last int) {
	first = sort.Search(len(l.Files), func(i int) bool { return l.Files[i].Offset+l.Files[i].Length > off })
	last = first
	for last < len(l.Files) && l.Files[last].Offset < off+n {
		last++
	}
	return first, last
}

// shared reports whether a range of the span lies in a piece that spans several files.
func (l *Layout) shared(off, n int64) bool {
	for p, last := l.pieces(off, n); p < last; p++ {
		if from, to := l.touched(l.Geometry.Offset(p, 0), int64(l.Geometry.PieceSize(p))); to-from > 1 {
			return true
		}
	}
	return false
}

// pieces returns the range of pieces, first to before last, that contain a range of the span.
func (l *Layout) pieces(off, n int64) (first, last uint32) {
	if n <= 0 {
		return 0, 0
	}
	size := int64(l.Geometry.PieceLength)
	return uint32(off / size), uint32((off + n + size - 1) / size)
}

// mark adds the pieces that touch file i.
func (l *Layout) mark(set *bitfield.Bitfield, i int) {
	if i == l.part() { // every piece that spans several files
		for k := range l.Files[:i] {
			if e := &l.Files[k]; kept(e) && e.Offset%int64(l.Geometry.PieceLength) != 0 {
				set.Set(uint32(e.Offset / int64(l.Geometry.PieceLength)))
			}
		}
		return
	}
	first, last := l.pieces(l.Files[i].Offset, l.Files[i].Length)
	for p := first; p < last; p++ {
		set.Set(p)
	}
}

// markAbsent adds the pieces that touch file i, which does not exist. With inPart the part file
// exists, and can contain the pieces that file i shares with its neighbours.
func (l *Layout) markAbsent(set *bitfield.Bitfield, i int, inPart bool) {
	e, size := &l.Files[i], int64(l.Geometry.PieceLength)
	end := e.Offset + e.Length
	first, last := l.pieces(e.Offset, e.Length)
	head, tail := e.Offset%size != 0, end%size != 0 && end < l.Geometry.Total
	if inPart && last-first == 1 && (head || tail) {
		return
	}
	if inPart && head {
		first++
	}
	if inPart && tail {
		last--
	}
	for p := first; p < last; p++ {
		set.Set(p)
	}
}

// markBehind adds the pieces of file i that end after its first n bytes. It adds none for a
// negative n, which means that the file is not a plain one. inPart is as in markAbsent.
func (l *Layout) markBehind(set *bitfield.Bitfield, i int, n int64, inPart bool) {
	e := &l.Files[i]
	if n < 0 || n >= e.Length {
		return
	}
	first, last := l.pieces(e.Offset+n, e.Length-n)
	if end := e.Offset + e.Length; inPart && end%int64(l.Geometry.PieceLength) != 0 && end < l.Geometry.Total {
		last--
	}
	for p := first; p < last; p++ {
		set.Set(p)
	}
}

// filesOf reports for each file whether a piece of the set touches it.
func (l *Layout) filesOf(set *bitfield.Bitfield) []bool {
	in := make([]bool, len(l.Files))
	for p := range set.Pieces() {
		first, last := l.touched(l.Geometry.Offset(p, 0), int64(l.Geometry.PieceSize(p)))
		for i := first; i < last; i++ {
			in[i] = kept(&l.Files[i])
		}
	}
	return in
}

// without removes all pieces of gone from set.
func without(set, gone *bitfield.Bitfield) {
	for p := range gone.Pieces() {
		set.Clear(p)
	}
}
