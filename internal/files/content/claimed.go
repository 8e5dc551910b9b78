package content

import (
	"shoal/internal/files/catalogue"
	"shoal/internal/files/journals"
	"shoal/internal/value/bitfield"
	"shoal/metainfo"
)

// Had says how much of a torrent we have, in bytes of its pieces.
type Had struct {
	Verified               int64 // of all pieces
	Wanted, WantedVerified int64 // of the wanted pieces, and of those of them that are verified
	Pieces, VerifiedPieces int
	Known                  bool // there is a journal
}

// Claimed returns how much of a remembered torrent we have according to its journal, which another
// engine may be writing. It does not check whether the files are still as the journal says.
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

// hadOf adds up pieces. prio holds their priorities; nil means that all are wanted.
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

// priorityOfPieces returns the priority of each piece from those of the files. It returns nil for
// nil, which means that all are wanted.
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
