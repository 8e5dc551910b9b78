package peerconn

import (
	"errors"
	"os"

	"shoal/internal/value/mono"
)

// At the pace of a line every packet would wake the reader: eleven times a block, each time for the
// price of several system calls and a thread or two. So a reader sleeps until there is something
// worth waking up for (decision 0200):
//
//   - in the middle of a block, until the rest of the block is there;
//   - while everything that the peer may send can wait (Conn.Patient), for a beat or a
//     few, or until the socket's buffer is a quarter full;
//   - otherwise until anything is there.
//
// The end of the stream and errors wake it at once.
//
// A connection on which nothing came for emptyBeats beats sleeps without beats again, so that silent
// peers cost nothing.
const emptyBeats = 32

// source is the stream of a connection, as its reader waits for it.
type source interface {
	// read waits as w says, calls prepare, and fills the returned buffers with one call. Before it
	// waits it calls idle; it calls prepare again afterwards. It returns os.ErrDeadlineExceeded when
	// the beat of w came first.
	read(prepare func() [][]byte, idle func(), w wait) (int, error)
	// quiet says that the reader does something else until it reads again: what arrives need not
	// wake anything.
	quiet()
}

// wait is what a reader waits for.
type wait struct {
	low  int       // bytes that must be there; 0 means a good part of the buffer, with a beat
	beat mono.Time // beat at which the wait ends; 0 means without an end
}

// waits returns what the next read waits for.
func (rd *reader) waits() wait {
	beats := int(rd.c.patience.Load())
	switch {
	case beats > 0 && rd.empty < emptyBeats:
		return wait{beat: rd.c.t.Beats.Now().NextBeats(beats)}
	case rd.cur != nil && rd.r == rd.w:
		return wait{low: len(rd.cur.Data) - rd.filled}
	}
	return wait{low: 1}
}

// receive calls the source until a call brings something or fails. Where only the time to wait has
// passed, it decides again how to wait before the next call.
func (rd *reader) receive(prepare func() [][]byte, idle func()) (int, error) {
	for {
		w := rd.waits()
		n, err := rd.src.read(prepare, idle, w)
		if n > 0 || err == nil || w.beat == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			rd.empty = 0
			return n, err
		}
		rd.empty++
	}
}

// receiveOne reads into one buffer.
func (rd *reader) receiveOne(b []byte) (int, error) {
	rd.one[0] = b
	n, err := rd.receive(rd.oneFunc, rd.idle)
	rd.one[0] = nil
	return n, err
}

func nothing() {}
