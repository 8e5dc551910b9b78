package engine

import (
	"os"

	"shoal/internal/bitfield"
	"shoal/internal/catalogue"
	"shoal/internal/resume"
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
	g := en.Torrent.Info.Geometry()
	have := bitfield.New(g.Pieces)
	known := false
	if lo := claimsIn(stateDir, en.Dir, en, true); lo != nil {
		have, known = lo.Have, lo.Found
	}
	h := hadOf(g, have, priorityOfPieces(en.Torrent.Info, en.Priorities))
	h.Known = known
	return h
}

// claimsIn reads the journal of a torrent in a download folder, or in that where its
// unfinished files are; nil when there is none that can be read.
func claimsIn(stateDir, dir string, en *catalogue.Entry, follow bool) *resume.Loaded {
	path := journalDir(stateDir, dir)
	if _, err := os.Stat(path); err != nil {
		return nil
	}
	state, err := resume.OpenFolder(path)
	if err != nil {
		return nil
	}
	defer state.Close()
	if a, err := resume.ReadAside(state, en.InfoHash); follow && err == nil && a.Dir != "" && a.Dir != dir {
		if lo := claimsIn(stateDir, a.Dir, en, false); lo != nil && lo.Found {
			return lo
		}
	}
	for range 2 { // another engine may have been in the middle of writing it
		_, lo, err := resume.Open(state, resume.LayoutOf(en.InfoHash, en.Torrent.Info), resume.Config{Dir: dir, Boot: resume.ThisBoot()})
		if err == nil && lo.Damaged == "" {
			return lo
		}
	}
	return nil
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
