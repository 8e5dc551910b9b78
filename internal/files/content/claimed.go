package content

import (
	"shoal/internal/files/catalogue"
	"shoal/internal/files/journals"
	"shoal/internal/value/bitfield"
	"shoal/metainfo"
)

// Had says how much of a torrent is there, in bytes of its pieces.
type Had struct {
	Verified               int64 // of all pieces
	Wanted, WantedVerified int64 // of those that are not left out, and what is verified of them
	Pieces, VerifiedPieces int
	Known                  bool // there is a journal
}

// Claimed says how much of a remembered torrent is there, as its journal has it: another
// engine may be at work with it. Whether the files are still as they were is not looked at.
func Claimed(stateDir string, en *catalogue.Entry) Had {
	if en.Torrent == nil {
		return Had{} // a magnet without metadata
	}
	g := en.Torrent.Info.Geometry()
	have := bitfield.New(g.Pieces)
	known := false
	if lo := journals.Peek(stateDir, en.Dir, en.InfoHash, en.Torrent.Info); lo != nil {
		have, known = lo.Have, lo.Found
	}
	h := hadOf(g, have, priorityOfPieces(en.Torrent.Info, en.Priorities))
	h.Known = known
	return h
}

// hadOf adds up pieces; prio are their priorities, nil where all are wanted.
func hadOf(g metainfo.Geometry, have *bitfield.Bitfield, prio []uint8) (h Had) {
	h.Pieces, h.VerifiedPieces = int(g.Pieces), int(have.Count())
	for p := range g.Pieces {
		n := int64(g.PieceSize(p))
		wanted := prio == nil || prio[p] > 0
		if wanted {
			h.Wanted += n
		}
		if have.Has(p) {
			h.Verified += n
			if wanted {
				h.WantedVerified += n
			}
		}
	}
	return h
}

// priorityOfPieces returns the priority of every piece by those of the files; nil, where
// all are wanted, for nil.
func priorityOfPieces(info *metainfo.Info, prio []uint8) []uint8 {
	if len(prio) != len(info.Files) {
		return nil
	}
	g := info.Geometry()
	out := make([]uint8, g.Pieces)
	size := int64(g.PieceLength)
	for i := range info.Files {
		f := &info.Files[i]
		if f.Length == 0 || f.Pad {
			continue
		}
		for p := f.Offset / size; p <= (f.Offset+f.Length-1)/size; p++ {
			out[p] = max(out[p], prio[i])
		}
	}
	return out
}
