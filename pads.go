package shoal

import "shoal/metainfo"

// withoutPads takes padding out of the amounts: it is part of pieces, and nobody has it on
// disk or asks for it.
func (t *Torrent) withoutPads(s *Stats) {
	info := t.meta().Info
	if info.Saved() == info.Length || s.Size == 0 {
		return
	}
	for i := range info.Files {
		f := &info.Files[i]
		if !f.Pad {
			continue
		}
		wanted := s.Unwanted == 0 || t.padWanted(i)
		eachPart(info, f, func(piece, n int64) {
			had := piece < int64(len(s.Map)) && s.Map[piece] == 'v'
			s.Size -= n
			if !wanted {
				s.Unwanted -= n
			}
			if had {
				s.Verified -= n
			}
			if had && !wanted {
				s.UnwantedVerified -= n
			}
		})
	}
}

// padWanted reports whether a file that ends in the piece in which padding begins is wanted.
func (t *Torrent) padWanted(pad int) bool {
	files := t.meta().Info.Files
	start := files[pad].Offset - files[pad].Offset%t.meta().Info.PieceLength
	for i := pad - 1; i >= 0 && files[i].Offset+files[i].Length > start; i-- {
		if !files[i].Pad && priorities[t.t.Priority(i)] != PrioritySkip {
			return true
		}
	}
	return false
}

// eachPart calls part for the bytes of a file in each piece.
func eachPart(info *metainfo.Info, f *metainfo.File, part func(piece, n int64)) {
	for at := f.Offset; at < f.Offset+f.Length; {
		piece := at / info.PieceLength
		next := min((piece+1)*info.PieceLength, f.Offset+f.Length)
		part(piece, next-at)
		at = next
	}
}
