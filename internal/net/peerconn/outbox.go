package peerconn

import (
	"net"
	"sync"
	"time"

	"shoal/internal/value/block"
)

// Sending is what a connection is given to send at once.
type Sending struct {
	Control []byte      // whole messages, copied; they overtake everything that is not yet on its way
	Parts   [][]byte    // whole messages with parts of the metadata, which wait for their turn under a limit; taken over
	Uploads []block.Ref // blocks to send; copied

	// TakeBack drops the blocks that were given before and are not written: Control contains a
	// CHOKE, which forbids them (BEP 3). What is in the socket, and the rest of a block that was
	// begun, still goes out first. Torrent.Unsent reports how many were dropped (decision 0121).
	TakeBack bool
}

// Send appends control bytes and uploads to the outbox. It never blocks.
func (c *Conn) Send(control []byte, uploads []block.Ref) {
	c.Put(Sending{Control: control, Uploads: uploads})
}

// Put appends to the outbox, unless there is nothing to send. It never blocks. It closes the
// connection of a peer that lets more than maxPending bytes pile up.
func (c *Conn) Put(s Sending) {
	if len(s.Control) == 0 && len(s.Parts) == 0 && len(s.Uploads) == 0 && !s.TakeBack {
		return
	}
	if !c.out.append(s, c.nc) {
		c.Close(ErrFlooded)
	}
}

// maxPending bounds the control bytes, in bytes, that wait for a peer to read. The bitfield of the
// largest torrent has 256 KiB; HAVEs have 9 bytes and requests 17.
const maxPending = 1 << 20

// outbox is what waits to be sent: the loop appends, the writer swaps (decision 0007).
type outbox struct {
	wake chan struct{} // capacity 1: something waits

	mu      sync.Mutex
	control []byte
	parts   [][]byte
	uploads []block.Ref
	last    error // set: end with this reason after sending what waits
	lastBy  time.Time

	taken   bool // the writer must drop the blocks that it has
	dropped int  // blocks dropped here, and not yet reported
	poked   bool // a write was interrupted for that
}

// pending is what the writer has taken from the outbox.
type pending struct {
	control []byte
	parts   [][]byte
	uploads []block.Ref
}

func (p *pending) none() bool { return len(p.control) == 0 && len(p.parts) == 0 && len(p.uploads) == 0 }

// finish sets the reason to end with once everything waiting is sent, and the deadline for it.
func (o *outbox) finish(reason error, nc net.Conn) {
	o.mu.Lock()
	o.last, o.lastBy = reason, time.Now().Add(finishTimeout)
	if !o.poked { // otherwise the writer has not noticed yet, and sets it
		nc.SetWriteDeadline(o.lastBy)
	}
	o.mu.Unlock()
	o.rouse()
}

func (o *outbox) rouse() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// finished returns the reason to end when nothing waits any longer, else nil.
func (o *outbox) finished() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.control) > 0 || len(o.parts) > 0 || len(o.uploads) > 0 {
		return nil
	}
	return o.last
}

func (o *outbox) append(s Sending, nc net.Conn) bool {
	o.mu.Lock()
	if s.TakeBack {
		o.dropped += len(o.uploads)
		o.uploads = o.uploads[:0]
		o.taken = true
		if o.last == nil {
			o.poked = true
			nc.SetWriteDeadline(past) // ends a blocked write at once
		}
	}
	o.control = append(o.control, s.Control...)
	o.parts = append(o.parts, s.Parts...)
	o.uploads = append(o.uploads, s.Uploads...)
	ok := len(o.control) <= maxPending
	o.mu.Unlock()
	o.rouse()
	return ok
}

var past = time.Unix(1, 0)

// swap returns what waits and stores the emptied spares instead. dropped is the number of blocks
// taken back meanwhile. The writer calls it only when it has nothing itself.
func (o *outbox) swap(spare pending) (got pending, dropped int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	got = pending{o.control, o.parts, o.uploads}
	clear(spare.parts)
	o.control, o.parts, o.uploads = emptied(spare.control), spare.parts[:0], spare.uploads[:0]
	dropped, o.dropped, o.taken = o.dropped, 0, false
	return got, dropped
}

// urgent returns the waiting control bytes, and leaves the rest in place. last is set when the
// connection is to end, taken when the writer must drop the blocks that it has.
func (o *outbox) urgent(spare []byte) (control []byte, last error, taken bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	control = o.control
	o.control = emptied(spare)
	return control, o.last, o.taken
}

// takenBack reports, once, whether the writer must drop the blocks that it has, and how many were
// dropped here.
func (o *outbox) takenBack() (yes bool, dropped int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	yes, dropped = o.taken, o.dropped
	o.taken, o.dropped = false, 0
	return yes, dropped
}

// interrupted reports whether TakeBack interrupted the latest write.
func (o *outbox) interrupted() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.poked
}

// deadline sets the deadline of the next write. It returns false when that write contains blocks
// that were just taken back.
func (c *Conn) deadline(blocks bool) (ok bool, err error) {
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	switch {
	case blocks && c.out.taken:
		return false, nil
	case c.out.last != nil && !c.out.poked:
		return true, nil // Finish has set it
	}
	c.out.poked = false
	by := time.Now().Add(writeTimeout)
	if c.out.last != nil {
		by = c.out.lastBy
	}
	return true, c.nc.SetWriteDeadline(by)
}

// emptied returns a buffer for reuse, unless it has grown large: bitfields are the exception, and
// not every connection should keep room for one.
func emptied(b []byte) []byte {
	const most = 16 << 10
	if cap(b) > most {
		return nil
	}
	return b[:0]
}
