package content

import (
	"fmt"
	"sync"
	"sync/atomic"

	"shoal/internal/files/disk"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// source is what connections read from: the disk of the current session.
type source struct {
	cur  atomic.Pointer[disk.Torrent]
	open atomic.Pointer[session] // for Shared.Watch
}

func (s *source) set(o *session) {
	s.open.Store(o)
	if o == nil {
		s.cur.Store(nil)
	} else {
		s.cur.Store(o.disk)
	}
}

// Read reads blocks that we have, for peers. Any goroutine may call it.
func (c *Content) Read(refs []block.Ref, dst []byte) error { return c.source.read(refs, dst) }

func (s *source) read(refs []block.Ref, dst []byte) error {
	d := s.cur.Load()
	if d == nil {
		return disk.ErrClosed
	}
	return d.Read(refs, dst)
}

// verified is the set of verified pieces, for readers. Any goroutine may use it.
type verified struct {
	mu     sync.Mutex
	pieces *bitfield.Bitfield // nil until we know what is on disk
	news   chan struct{}      // closed at the next change; nil while nobody waits
}

// changed returns a channel that is closed at the next change.
func (h *verified) changed() <-chan struct{} {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.news == nil {
		h.news = make(chan struct{})
	}
	return h.news
}

// tell wakes the readers that wait. h.mu is held.
func (h *verified) tell() {
	if h.news != nil {
		close(h.news)
		h.news = nil
	}
}

// nudge wakes the readers that wait: something other than the pieces has changed.
func (h *verified) nudge() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tell()
}

func (h *verified) set(have *bitfield.Bitfield) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pieces = have.Clone()
	h.tell()
}

func (h *verified) add(piece uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pieces.Set(piece)
	h.tell()
}

func (h *verified) has(piece uint32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pieces != nil && h.pieces.Has(piece)
}

// known reports whether we have known what is on disk.
func (h *verified) known() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pieces != nil
}

// ReadAt reads bytes that we have, and reports a failure to the loop. Any goroutine may call it.
func (c *Content) ReadAt(p []byte, off int64) (int, error) {
	d := c.source.cur.Load()
	if d == nil {
		return 0, fmt.Errorf("read %s: its files are not open", c.info.Name)
	}
	n, err := d.ReadAt(p, off)
	if n == len(p) {
		return n, nil
	}
	c.ReportUnreadable(uint32(off/int64(c.geom.PieceLength)), err)
	return n, err
}

// ReportUnreadable reports that a piece could not be read. Any goroutine may call it.
func (c *Content) ReportUnreadable(piece uint32, err error) { c.host.Post(&unreadable{piece, err}) }

// News returns a channel that is closed when pieces have come or gone, or Nudge was called.
func (c *Content) News() <-chan struct{} { return c.verified.changed() }

// Nudge wakes the readers that wait for News: something other than the pieces has changed.
func (c *Content) Nudge() { c.verified.nudge() }

// Have sets which pieces readers may read: those that Settled returned.
func (c *Content) Have(have *bitfield.Bitfield) { c.verified.set(have) }

// Has reports whether a piece is verified and its files can be read now.
func (c *Content) Has(piece uint32) bool { return c.source.cur.Load() != nil && c.verified.has(piece) }
