package peerconn

import (
	"net"
	"time"

	"shoal/internal/value/mono"
)

// streamSource is a source without a low-water mark: other systems, and streams other than TCP.
// While its reader waits for a beat, it does not look at the stream, so that packets gather in the
// system's buffer.
// It looks at once while a stream could fill that buffer.
type streamSource struct {
	c     *Conn
	timer *time.Timer // nil before the first beat
	empty bool        // the latest read took everything that was there, as far as we know

	beat      mono.Time // the beat that follows
	came, was int       // bytes since the beat before it, and in the time between the two before
}

// streamMost is how many bytes a stream may bring between two beats and still wait: half of the
// least window that systems start with, 64 KiB.
const streamMost = 32 << 10

func (s *streamSource) read(prepare func() [][]byte, _ func(), w wait) (int, error) {
	if w.beat != s.beat {
		s.beat, s.came, s.was = w.beat, 0, s.came
	}
	if w.until > 0 && s.empty && s.came < streamMost && s.was < streamMost && !s.pause(w.until) {
		return 0, net.ErrClosed
	}
	b := prepare()[0]
	n, err := s.c.nc.Read(b)
	s.came += n
	s.empty = n < len(b)
	return n, err
}

// pause waits; it returns false when the connection has ended.
func (s *streamSource) pause(d time.Duration) bool {
	if s.timer == nil {
		s.timer = time.NewTimer(d)
	} else {
		s.timer.Reset(d)
	}
	select {
	case <-s.timer.C:
		return true
	case <-s.c.done:
		s.timer.Stop()
		return false
	}
}

func (s *streamSource) quiet() {}
