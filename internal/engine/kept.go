package engine

import (
	"maps"
	"math"
	"slices"
	"time"

	"shoal/internal/decide/quota"
	"shoal/internal/files/catalogue"
)

// The user's choices for a torrent, in the form in which the catalogue stores them.

func (t *Torrent) keptLimits() []int64 {
	l := t.Limits()
	if l == (Limits{}) {
		return nil
	}
	return []int64{l.Up, l.Down, l.PeerUp, l.PeerDown}
}

// limitsOf is the reverse of keptLimits. A later version may have stored more values, or fewer.
func limitsOf(kept []int64) (l Limits) {
	for i, n := range kept {
		switch i {
		case 0:
			l.Up = n
		case 1:
			l.Down = n
		case 2:
			l.PeerUp = n
		case 3:
			l.PeerDown = n
		}
	}
	return l
}

func (t *Torrent) keptShare() *catalogue.ShareLimits {
	s := t.sharing.own.Load()
	if s == nil {
		return nil
	}
	return &catalogue.ShareLimits{
		Thousandths: int64(math.Round(min(s.Ratio, maxRatio) * 1000)),
		SeedTime:    s.SeedTime.Truncate(time.Second), IdleTime: s.IdleTime.Truncate(time.Second), Then: uint8(s.Then),
	}
}

// maxRatio bounds the stored ratio, so that its thousandths fit an int64.
const maxRatio = 1e9

func shareOf(kept *catalogue.ShareLimits) *ShareLimits {
	if kept == nil {
		return nil
	}
	s := &ShareLimits{Ratio: float64(kept.Thousandths) / 1000, SeedTime: kept.SeedTime, IdleTime: kept.IdleTime, Then: quota.Act(kept.Then)}
	if !s.Check() {
		s.Then = quota.Pause // unknown action of a later version
	}
	return s
}

// keepPaths stores the folder and the names of a torrent's files in c.
func (t *Torrent) keepPaths(c *catalogue.Choices) {
	w := t.content.Where()
	c.Dir, c.Suffix, c.IncompleteDir, c.Renamed = w.Dir, w.Suffix, w.IncompleteDir, nil
	for _, i := range slices.Sorted(maps.Keys(w.Named)) {
		c.Renamed = append(c.Renamed, catalogue.Rename{File: i, Path: w.Named[i]})
	}
}

// pathsOf is the reverse of keepPaths. Where the journal of a torrent differs, the journal is right.
func pathsOf(c *catalogue.Choices) *Paths {
	if c.Suffix == "" && c.IncompleteDir == "" && len(c.Renamed) == 0 {
		return nil
	}
	p := &Paths{Suffix: c.Suffix, IncompleteDir: c.IncompleteDir}
	for _, r := range c.Renamed {
		if p.Named == nil {
			p.Named = Names{}
		}
		p.Named[r.File] = r.Path
	}
	return p
}
