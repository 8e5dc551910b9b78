package metadata

import (
	"time"

	"shoal/internal/value/mono"
)

// Server decides when a peer gets the parts of the metadata that it requests. Two copies go
// as fast as the peer and the limits allow: that is what an honest peer needs, with some to
// spare for parts that it requests twice. A peer that keeps requesting gets a steady flow and
// no more. The writer has few parts at a time, so a peer that does not read holds little
// memory. The zero Server is ready to use (decision 0122).
type Server struct {
	waiting []uint32 // requested parts, oldest first
	out     int      // parts with the writer
	tokens  int
	filled  mono.Time
}

// Bounds for each peer.
const (
	serveCopies = 2
	serveBurst  = 16                    // parts at once, for metadata of a few parts
	serveEvery  = 50 * time.Millisecond // then one part each: 320 KiB/s
	maxWaiting  = 64                    // parts requested and not sent; further requests are rejected
	maxOut      = 4                     // parts with the writer: 64 KiB
)

// Asked takes a request for one of parts parts. It reports false when too many wait: the
// caller rejects the request.
func (s *Server) Asked(now mono.Time, piece, parts uint32) bool {
	if s.filled.IsZero() {
		s.tokens, s.filled = max(serveCopies*int(parts), serveBurst), now
	}
	if len(s.waiting) >= maxWaiting {
		return false
	}
	s.waiting = append(s.waiting, piece)
	return true
}

// Next returns a part to send now; false when there is none.
func (s *Server) Next(now mono.Time) (piece uint32, ok bool) {
	if n := int(now.Sub(s.filled) / serveEvery); n > 0 {
		s.tokens = max(min(s.tokens+n, serveBurst), s.tokens)
		s.filled = s.filled.Add(time.Duration(n) * serveEvery)
	}
	if len(s.waiting) == 0 || s.tokens == 0 || s.out >= maxOut {
		return 0, false
	}
	piece = s.waiting[0]
	s.waiting = s.waiting[1:]
	s.tokens--
	s.out++
	return piece, true
}

// Sent says that this many parts were written, or will not be.
func (s *Server) Sent(parts int) { s.out -= parts }

// Deadline returns when Next has a part again; mono.Never when nothing waits, or when Sent
// comes first.
func (s *Server) Deadline() mono.Time {
	switch {
	case len(s.waiting) == 0, s.out >= maxOut:
		return mono.Never
	case s.tokens > 0:
		return s.filled
	}
	return s.filled.Add(serveEvery)
}
