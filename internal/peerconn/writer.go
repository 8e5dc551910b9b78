package peerconn

import (
	"errors"
	"net"
	"os"
	"sync"

	"shoal/internal/block"
	"shoal/internal/netio"
	"shoal/internal/wire"
)

// burst is how many blocks go out with one read of the disk and one write to
// the socket.
const burst = 16

// writer sends what the outbox holds: control bytes first, then blocks, many
// with one call.
type writer struct {
	c       *Conn
	control []byte
	uploads []block.Ref
	more    []byte // control bytes that came while uploads waited for their turn

	headers [burst * wire.PieceHeader]byte
	payload []byte
	vec     [2*burst + 1][]byte
	bufs    net.Buffers // a field, so that handing it on does not allocate
}

func (c *Conn) writeLoop() {
	defer c.t.Group.Done()
	w := &writer{c: c}
	for {
		select {
		case <-c.out.wake:
		case <-c.done:
			w.release()
			return
		}
		err := w.drain()
		if err == nil {
			err = c.out.finished()
		}
		if err != nil {
			c.Close(err)
			w.release()
			return
		}
	}
}

// drain sends until the outbox is empty.
func (w *writer) drain() error {
	for {
		w.control, w.uploads = w.c.out.swap(w.control, w.uploads)
		if len(w.control) == 0 && len(w.uploads) == 0 {
			w.release()
			return nil
		}
		control, uploads := w.control, w.uploads
		for len(control) > 0 || len(uploads) > 0 {
			n := min(len(uploads), burst)
			if w.c.up.Quantum() > 0 {
				var err error
				if control, n, err = w.turn(control, uploads[:n]); err != nil {
					return err
				}
			}
			if err := w.send(control, uploads[:n]); err != nil {
				return err
			}
			control, uploads = nil, uploads[n:]
		}
	}
}

// send writes control bytes and blocks with one call.
func (w *writer) send(control []byte, refs []block.Ref) error {
	vec := w.vec[:0]
	if len(control) > 0 {
		vec = append(vec, control)
	}
	var total int
	if len(refs) > 0 {
		for _, r := range refs {
			total += int(r.Length)
		}
		if cap(w.payload) < total {
			w.release()
			w.payload = w.c.t.Spare.get(burst * block.Size)
		}
		payload := w.payload[:total]
		if err := w.c.t.Source.Read(refs, payload); err != nil {
			w.c.t.Unreadable(refs[0], err)
			return err
		}
		headers := w.headers[:0]
		for _, r := range refs {
			at := len(headers)
			headers = wire.AppendPieceHeader(headers, r)
			vec = append(vec, headers[at:], payload[:r.Length])
			payload = payload[r.Length:]
		}
	}
	if err := w.c.deadline(); err != nil {
		return gone(err)
	}
	w.bufs = vec
	_, err := w.bufs.WriteTo(w.c.nc)
	clear(vec)
	if err != nil {
		return gone(err)
	}
	if len(refs) > 0 {
		w.c.t.Sent(w.c.key, len(refs), int64(total))
	}
	return nil
}

// gone says in plain words how a write ended. A write that takes too long is a peer that
// does not read.
func gone(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return unread{err}
	}
	return netio.Plain(err)
}

// unread is ErrFlooded because of a write that took too long.
type unread struct{ err error }

func (unread) Error() string     { return ErrFlooded.Error() }
func (u unread) Unwrap() []error { return []error{ErrFlooded, u.err} }

// release gives the upload buffer back while there is nothing to send.
func (w *writer) release() {
	if w.payload != nil {
		w.c.t.Spare.put(w.payload)
		w.payload = nil
	}
}

// Spares keeps large buffers that connections are done with, a few for the
// whole engine: how many exist at a time is bounded by the connections that have
// data flowing.
type Spares struct {
	mu    sync.Mutex
	free  [][]byte
	inUse int64
}

// maxSpares bounds the buffers kept unused: 2 MiB.
const maxSpares = 8

func (s *Spares) get(n int) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse += int64(largeBuffer)
	if last := len(s.free) - 1; last >= 0 {
		b := s.free[last]
		s.free = s.free[:last]
		return b[:n]
	}
	return make([]byte, largeBuffer)[:n]
}

func (s *Spares) put(b []byte) {
	if cap(b) != largeBuffer {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inUse -= largeBuffer
	if len(s.free) < maxSpares {
		s.free = append(s.free, b[:largeBuffer])
	}
}

// Bytes is the memory in use and kept, for statistics.
func (s *Spares) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse + int64(len(s.free))*largeBuffer
}
