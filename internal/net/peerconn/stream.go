package peerconn

import (
	"net"

	"shoal/internal/mailbox"
	"shoal/internal/value/mono"
)

// streamSource is a source without a low-water mark: other systems, and streams other than TCP.
// While its reader waits for a beat, it does not look at the stream, so that packets gather in the
// system's buffer.
// It looks at once while a stream could fill that buffer.
type streamSource struct {
	c     *Conn
	alarm mailbox.Waiter
	rung  chan struct{} // capacity 1: it is the beat, or was one
	empty bool          // the latest read took everything that was there, as far as we know

	beat      mono.Time // the beat that follows
	came, was int       // bytes since the beat before it, and in the time between the two before
}

// streamMost is how many bytes a stream may bring between two beats and still wait: half of the
// least window that systems start with, 64 KiB.
const streamMost = 32 << 10

func newStream(c *Conn) *streamSource {
	s := &streamSource{c: c, rung: make(chan struct{}, 1)}
	s.alarm = mailbox.NewWaiter(func() {
		select {
		case s.rung <- struct{}{}:
		default:
		}
	})
	return s
}

func (s *streamSource) read(prepare func() [][]byte, _ func(), w wait) (int, error) {
	if w.beat != s.beat {
		s.beat, s.came, s.was = w.beat, 0, s.came
	}
	if w.beat > 0 && s.empty && s.came < streamMost && s.was < streamMost && !s.pause(w.beat) {
		return 0, net.ErrClosed
	}
	b := prepare()[0]
	n, err := s.c.nc.Read(b)
	s.came += n
	s.empty = n < len(b)
	return n, err
}

// pause waits until a beat; it returns false when the connection has ended.
func (s *streamSource) pause(beat mono.Time) bool {
	for beats := s.c.t.Beats; beats.Now() < beat; { // an alarm of an earlier wait may come late
		beats.Set(&s.alarm, beat)
		select {
		case <-s.rung:
		case <-s.c.done:
			beats.Clear(&s.alarm)
			return false
		}
	}
	return true
}

func (s *streamSource) quiet() {}
