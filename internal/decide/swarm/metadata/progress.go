package metadata

// Progress is how much of the metadata we have, for display.
type Progress struct {
	Got, Size int64 // of the attempt that has most; 0: none

	Sources int   // peers that claim a size within the limit
	Limit   int64 // largest size that we fetch

	TooLarge     int   // peers that claim a larger one
	TooLargeSize int64 // the smallest of those; 0: none
}

// Progress returns how much of the metadata we have.
func (m *Machine) Progress() Progress {
	p := Progress{Limit: m.limit}
	for _, q := range m.peers {
		switch {
		case q.out:
		case q.size > 0:
			p.Sources++
		case q.beyond > 0:
			if p.TooLarge++; p.TooLargeSize == 0 || q.beyond < p.TooLargeSize {
				p.TooLargeSize = q.beyond
			}
		}
	}
	if m.raw != nil {
		p.Got, p.Size = int64(len(m.raw)), int64(len(m.raw))
		return p
	}
	for _, a := range m.attempts {
		if n := int64(len(a.parts)-a.missed) * PieceSize; n > p.Got || p.Size == 0 {
			p.Got, p.Size = min(n, a.size), a.size
		}
	}
	return p
}
