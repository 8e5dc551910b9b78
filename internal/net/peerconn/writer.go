package peerconn

import (
	"errors"
	"net"
	"os"
	"sync"

	"shoal/internal/format/wire"
	"shoal/internal/net/netio"
	"shoal/internal/value/block"
)

// burst is how many blocks go out with one read of the disk and one write to the socket.
const burst = 16

// writer sends the content of the outbox: control bytes first, then parts of the metadata, then
// blocks, many with one call.
type writer struct {
	c     *Conn
	spare pending // emptied buffers for the outbox to fill again
	more  []byte  // the same, for control bytes that came while others waited for their turn

	headers [burst * wire.PieceHeader]byte
	payload []byte
	vec     [2*burst + 1][]byte
	bufs    net.Buffers // a field, so that passing it does not allocate
	sink    *sink       // nil where net.Buffers writes
}

func (c *Conn) writeLoop() {
	defer c.t.Group.Done()
	w := &writer{c: c, sink: newSink(c.nc)}
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
		p, dropped := w.c.out.swap(w.spare)
		w.spare = p
		w.unsent(dropped)
		if p.none() {
			w.release()
			return nil
		}
		for !p.none() {
			if err := w.step(&p); err != nil {
				return err
			}
		}
	}
}

// step sends the next of what the writer has.
func (w *writer) step(p *pending) error {
	if taken, dropped := w.c.out.takenBack(); taken {
		w.unsent(dropped + len(p.uploads))
		p.uploads = nil
		return nil
	}
	quantum := w.c.up.Quantum()
	switch {
	case len(p.parts) > 0:
		if granted, err := w.turn(p, len(p.parts[0]), quantum); err != nil || !granted {
			return err
		}
		if err := w.sendPart(p); err != nil {
			return err
		}
	case len(p.uploads) > 0:
		n := min(len(p.uploads), burst)
		if quantum > 0 {
			n = min(n, max(quantum/block.Size, 1))
		}
		size := 0
		for _, r := range p.uploads[:n] {
			size += wire.PieceHeader + int(r.Length)
		}
		if granted, err := w.turn(p, size, quantum); err != nil || !granted {
			return err
		}
		return w.send(p, n)
	default:
		if quantum > 0 {
			w.c.up.Charge(len(p.control))
		}
		return w.send(p, 0)
	}
	return nil
}

// write writes what is in bufs with as few calls as possible, and consumes it.
func (w *writer) write() (int64, error) {
	if w.sink != nil {
		return w.sink.write(&w.bufs)
	}
	return w.bufs.WriteTo(w.c.nc)
}

// unsent reports blocks that were taken back.
func (w *writer) unsent(blocks int) {
	if blocks > 0 {
		w.c.t.Unsent(w.c.key, blocks)
	}
}

// sendPart writes the control bytes and the next part of the metadata.
func (w *writer) sendPart(p *pending) error {
	w.bufs = append(w.control(p), p.parts[0])
	p.control, p.parts = nil, p.parts[1:]
	for len(w.bufs) > 0 {
		if _, err := w.c.deadline(false); err != nil {
			return gone(err)
		}
		if _, err := w.write(); err != nil && !w.wasInterrupted(err) {
			return gone(err)
		}
	}
	clear(w.vec[:2])
	w.c.t.PartsSent(w.c.key, 1)
	return nil
}

// wasInterrupted reports whether a write ended because blocks were taken back.
func (w *writer) wasInterrupted(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) && w.c.out.interrupted()
}

// control starts a vector with the control bytes, if there are any.
func (w *writer) control(p *pending) [][]byte {
	if len(p.control) == 0 {
		return w.vec[:0]
	}
	return append(w.vec[:0], p.control)
}

// send writes the control bytes and the next n blocks with one call. When these are taken back
// meanwhile, it stops after the current message (decision 0048).
func (w *writer) send(p *pending, n int) error {
	refs := p.uploads[:n]
	vec := w.control(p)
	if n > 0 {
		var err error
		if vec, err = w.read(vec, refs); err != nil {
			return err
		}
	}
	if ok, err := w.c.deadline(n > 0); err != nil || !ok {
		clear(vec)
		return gone(err)
	}
	w.bufs = vec
	wrote, err := w.write()
	clear(vec)
	if err != nil {
		if !w.wasInterrupted(err) {
			return gone(err)
		}
		if n, err = w.finish(p.control, refs, int(wrote)); err != nil {
			return gone(err)
		}
	}
	p.control, p.uploads = nil, p.uploads[n:]
	if n > 0 {
		total := 0
		for _, r := range refs[:n] {
			total += int(r.Length)
		}
		w.c.link.Sent(total)
		w.c.t.Sent(w.c.key, n, int64(total))
	}
	return nil
}

// read reads blocks from the disk, and appends their messages to vec.
func (w *writer) read(vec [][]byte, refs []block.Ref) ([][]byte, error) {
	total := 0
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
		return vec, err
	}
	headers := w.headers[:0]
	for _, r := range refs {
		at := len(headers)
		headers = wire.AppendPieceHeader(headers, r)
		vec = append(vec, headers[at:], payload[:r.Length])
		payload = payload[r.Length:]
	}
	return vec, nil
}

// finish writes the rest of the message in which a write of control bytes and blocks was
// interrupted after wrote bytes. It returns how many blocks are then written.
func (w *writer) finish(control []byte, refs []block.Ref, wrote int) (n int, err error) {
	if wrote < len(control) {
		return 0, w.whole(control[wrote:])
	}
	wrote -= len(control)
	from := 0
	for i, r := range refs {
		if wrote == 0 {
			return i, nil
		}
		head := w.headers[i*wire.PieceHeader:][:wire.PieceHeader]
		data := w.payload[from:][:r.Length]
		from += int(r.Length)
		switch {
		case wrote < len(head):
			if err := w.whole(head[wrote:]); err != nil {
				return i, err
			}
			return i + 1, w.whole(data)
		case wrote < len(head)+len(data):
			return i + 1, w.whole(data[wrote-len(head):])
		}
		wrote -= len(head) + len(data)
	}
	return len(refs), nil
}

// whole writes all of b, even if blocks are taken back meanwhile.
func (w *writer) whole(b []byte) error {
	for len(b) > 0 {
		if _, err := w.c.deadline(false); err != nil {
			return err
		}
		n, err := w.c.nc.Write(b)
		b = b[n:]
		if err != nil && !w.wasInterrupted(err) {
			return err
		}
	}
	return nil
}

// gone describes how a write ended. A write that takes too long means a peer that does not read.
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

// release returns the upload buffer while there is nothing to send.
func (w *writer) release() {
	if w.payload != nil {
		w.c.t.Spare.put(w.payload)
		w.payload = nil
	}
}

// Spares keeps a few large buffers for reuse, for the whole engine. The connections whose data
// flows bound how many are in use.
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

// Bytes returns the memory in use and kept for reuse, for statistics.
func (s *Spares) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inUse + int64(len(s.free))*largeBuffer
}
