package sim

import (
	"fmt"
	"time"

	"shoal/internal/value/mono"
)

// Reader reads a torrent during the download, as a player does: one piece after the other, each for
// the time that it plays, and it stops while the next one is missing.
type Reader struct {
	n     *Node
	id    uint32
	ahead uint32 // pieces wanted, including the current one
	rate  int64  // rate of playing, in bytes a second

	at      uint32
	jumps   int
	waiting bool
	since   mono.Time // start of the current wait
	first   bool      // nothing was read since the last jump

	// The results.
	Jumps  []time.Duration // wait after each jump
	Stalls time.Duration   // all other waits together
}

// Read starts a reader at a piece.
func (n *Node) Read(id, from, ahead uint32, rate int64) *Reader {
	r := &Reader{n: n, id: id, ahead: ahead, rate: rate}
	n.readers = append(n.readers, r)
	r.Jump(from)
	return r
}

// Jump continues at another piece.
func (r *Reader) Jump(to uint32) {
	r.at, r.first = to, true
	r.jumps++
	r.waiting, r.since = true, r.n.w.now
	r.urge()
	r.look()
}

// Close ends the reader.
func (r *Reader) Close() {
	r.jumps++
	r.waiting = false
	r.n.Urge(r.id, 0, 0)
}

func (r *Reader) urge() {
	r.n.Urge(r.id, r.at, min(r.at+r.ahead, r.n.w.Geometry.Pieces))
}

// look continues when the next piece is there.
func (r *Reader) look() {
	if !r.waiting || !r.n.disk.verified.Has(r.at) {
		return
	}
	waited := r.n.w.now.Sub(r.since)
	r.waiting = false
	if r.first {
		r.first = false
		r.Jumps = append(r.Jumps, waited)
	} else {
		r.Stalls += waited
	}
	jumps := r.jumps
	r.n.w.after(time.Duration(int64(r.n.w.Geometry.PieceSize(r.at))*int64(time.Second)/r.rate), func() {
		if r.jumps != jumps {
			return
		}
		r.at++
		if r.at == r.n.w.Geometry.Pieces {
			r.Close()
			return
		}
		r.waiting, r.since = true, r.n.w.now
		r.urge()
		r.look()
	})
}

// String summarizes the results.
func (r *Reader) String() string {
	return fmt.Sprintf("at piece %d, waited %v after jumps and %v in between", r.at, r.Jumps, r.Stalls)
}
