package sim

import (
	"fmt"
	"time"

	"shoal/internal/value/mono"
)

// Reader reads a torrent while it is fetched, as a player does: a piece after the
// other, each for the time that it plays, and it stops while the next one is missing.
type Reader struct {
	n     *Node
	id    uint32
	ahead uint32 // pieces wanted, the one that it reads included
	rate  int64  // bytes a second that it plays

	at      uint32
	jumps   int
	waiting bool
	since   mono.Time // when it began to wait
	first   bool      // since it jumped it has read nothing

	// What came of it.
	Jumps  []time.Duration // how long it waited after each jump
	Stalls time.Duration   // and all together in between
}

// Read lets somebody read from a piece on.
func (n *Node) Read(id, from, ahead uint32, rate int64) *Reader {
	r := &Reader{n: n, id: id, ahead: ahead, rate: rate}
	n.readers = append(n.readers, r)
	r.Jump(from)
	return r
}

// Jump goes on with another piece.
func (r *Reader) Jump(to uint32) {
	r.at, r.first = to, true
	r.jumps++
	r.waiting, r.since = true, r.n.w.now
	r.urge()
	r.look()
}

// Close ends it.
func (r *Reader) Close() {
	r.jumps++
	r.waiting = false
	r.n.Urge(r.id, 0, 0)
}

func (r *Reader) urge() {
	r.n.Urge(r.id, r.at, min(r.at+r.ahead, r.n.w.Geometry.Pieces))
}

// look goes on when the next piece is there.
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

// String tells how it went.
func (r *Reader) String() string {
	return fmt.Sprintf("at piece %d, waited %v after jumps and %v in between", r.at, r.Jumps, r.Stalls)
}
