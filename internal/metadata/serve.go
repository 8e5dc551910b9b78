package metadata

import (
	"time"

	"shoal/internal/mono"
)

// Server decides when a peer is given the parts of the metadata that it asks for: a
// few at once, then a steady flow, so that a peer which reads slowly is not buried in
// them, and one that asks for everything again and again gets no more than that. The
// zero Server is ready.
type Server struct {
	waiting []uint32 // asked for, oldest first
	tokens  int
	filled  mono.Time
}

// Of each peer.
const (
	serveBurst = 16                    // parts at once: 256 KiB
	serveEvery = 50 * time.Millisecond // then one: 320 KiB/s
	maxWaiting = 64                    // parts asked for and not sent; beyond it is said no
)

// Asked takes a request. False: there are too many, and it is to be rejected.
func (s *Server) Asked(now mono.Time, piece uint32) bool {
	if s.filled.IsZero() {
		s.tokens, s.filled = serveBurst, now
	}
	if len(s.waiting) >= maxWaiting {
		return false
	}
	s.waiting = append(s.waiting, piece)
	return true
}

// Next gives a part to send now; false when there is none.
func (s *Server) Next(now mono.Time) (piece uint32, ok bool) {
	if n := int(now.Sub(s.filled) / serveEvery); n > 0 {
		s.tokens = min(s.tokens+n, serveBurst)
		s.filled = s.filled.Add(time.Duration(n) * serveEvery)
	}
	if len(s.waiting) == 0 || s.tokens == 0 {
		return 0, false
	}
	piece = s.waiting[0]
	s.waiting = s.waiting[1:]
	s.tokens--
	return piece, true
}

// Deadline is when Next has something again; mono.Never when nothing waits.
func (s *Server) Deadline() mono.Time {
	switch {
	case len(s.waiting) == 0:
		return mono.Never
	case s.tokens > 0:
		return s.filled
	}
	return s.filled.Add(serveEvery)
}
