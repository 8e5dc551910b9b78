package lineup

import "shoal/internal/value/why"

// Facts are what decides whether a torrent runs, apart from the others.
type Facts struct {
	HashOnly bool // only its info-hash is known
	Paused   bool // by the user
	Ready    bool // its files are checked and can be used
	SeedOnly bool // nothing is to be fetched
	Complete bool
	Waits    bool    // the Machine lets others go first
	Turn     why.Why // of its latest turn
}

// Want returns what the torrent would do if it could. A paused torrent looks for its metadata
// all the same, and rests when that is there: then its user can see what it is.
func (f Facts) Want() Want {
	switch {
	case f.HashOnly:
		return Metadata
	case f.Paused:
		return Paused
	case !f.Ready:
		return Nothing
	case f.SeedOnly || f.Complete:
		return Seed
	}
	return Download
}

// Rests reports whether the torrent has no peers, and why it rests or has ceased to. was is
// the reason of the rest that lasts, why.None if it runs.
func (f Facts) Rests(was why.Why) (bool, why.Why) {
	switch {
	case f.Paused && !f.HashOnly:
		return true, why.Paused
	case f.Waits:
		return true, why.LineFull
	case was == why.LineFull:
		return false, f.Turn
	}
	return false, why.Unpaused
}
