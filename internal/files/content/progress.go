package content

import (
	"sync/atomic"
	"time"

	"shoal/internal/value/bitfield"
	"shoal/metainfo"
)

// Progress counts a check while it runs. Any goroutine may read it.
type Progress struct {
	looked, found, bytes atomic.Int64
	doubt                atomic.Int64 // of the latest check
	began, known         atomic.Int64 // when the latest check began, and the number of pieces known then
}

// Progress returns the progress of the latest check.
func (c *Content) Progress() *Progress { return &c.progress }

// begin starts the count for a check of the pieces in doubt; the others are known. nil means that all
// are in doubt.
func (p *Progress) begin(pieces uint32, doubt *bitfield.Bitfield) {
	p.found.Store(0)
	p.bytes.Store(0)
	known := int64(0)
	if doubt != nil {
		known = int64(pieces - doubt.Count())
	}
	p.looked.Store(known)
	p.known.Store(known)
	p.began.Store(time.Now().UnixNano())
	p.doubt.Store(int64(pieces) - known)
}

// checked counts one checked piece. Disk workers call it.
func (p *Progress) checked(g *metainfo.Geometry, piece uint32, ok bool) {
	if ok {
		p.found.Add(1)
		p.bytes.Add(int64(g.PieceSize(piece)))
	}
	p.looked.Add(1)
}

// Looked returns how many pieces are known or checked.
func (p *Progress) Looked() int { return int(p.looked.Load()) }

// Found returns how many of the pieces in doubt match, and their bytes.
func (p *Progress) Found() (pieces uint32, bytes int64) {
	return uint32(p.found.Load()), p.bytes.Load()
}

// Doubt returns how many pieces were in doubt when the check began.
func (p *Progress) Doubt() int { return int(p.doubt.Load()) }

// Rate returns how many bytes a second the check has hashed.
func (p *Progress) Rate(pieceLength uint32) float64 {
	took := time.Duration(time.Now().UnixNano() - p.began.Load())
	if took <= 0 {
		return 0
	}
	return float64(p.looked.Load()-p.known.Load()) * float64(pieceLength) / max(took, 100*time.Millisecond).Seconds()
}
