package content

import (
	"slices"
	"sync"
)

// cold holds verified pieces that nobody will read soon: every connected peer has them, and no reader
// is open. Once such a piece is durable, its memory in the system's cache is worth more to the next
// piece (decision 0053).
type cold struct {
	mu     sync.Mutex
	pieces map[uint32]struct{} // verified and not durable yet: one group of the committer, or two
}

func (c *cold) add(piece uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pieces == nil {
		c.pieces = make(map[uint32]struct{})
	}
	c.pieces[piece] = struct{}{}
}

// take removes the cold ones of these pieces and returns them in order.
func (c *cold) take(pieces []uint32) (out []uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range pieces {
		if _, ok := c.pieces[p]; ok {
			delete(c.pieces, p)
			out = append(out, p)
		}
	}
	if len(c.pieces) == 0 {
		c.pieces = nil
	}
	slices.Sort(out)
	return out
}

// uncache drops the cached bytes of those of the pieces that are cold.
func (o *session) uncache(durable []uint32) {
	pieces := o.cold.take(durable)
	g := o.c.geom
	for i := 0; i < len(pieces); {
		first, n := pieces[i], int64(0)
		for i < len(pieces) && int64(pieces[i]) == int64(first)+n {
			n, i = n+1, i+1
		}
		off := int64(first) * int64(g.PieceLength)
		o.files.Uncache(off, min(n*int64(g.PieceLength), g.Total-off))
	}
}
