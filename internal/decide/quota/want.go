package quota

import "shoal/internal/value/why"

// Facts decide whether a torrent runs, apart from the other torrents.
type Facts struct {
	HashOnly bool // we know only its info-hash
	Paused   bool // the user paused it
	Ready    bool // its files are checked and usable
	SeedOnly bool // it must not fetch anything
	Complete bool
	Waits    bool    // the Queue lets other torrents go first
	Turn     why.Why // reason of its latest turn
}

// Want returns what the torrent would do if it could. A paused torrent does not fetch its
// metadata either: it has no peers.
func (f Facts) Want() Want {
	switch {
	case f.Paused:
		return Paused
	case f.HashOnly:
		return Metadata
	case !f.Ready:
		return Nothing
	case f.SeedOnly || f.Complete:
		return Seed
	}
	return Download
}

// Rests reports whether the torrent has no peers, and why it rests or has ceased to. was is
// the reason of the current rest; why.None: it runs.
func (f Facts) Rests(was why.Why) (bool, why.Why) {
	switch {
	case f.Paused:
		return true, why.Paused
	case f.Waits:
		return true, why.LineFull
	case was == why.LineFull:
		return false, f.Turn
	}
	return false, why.Unpaused
}
