package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// ErrNotComing is returned when a read needs a piece that we do not have and do not fetch.
var ErrNotComing = errors.New("data not available: the torrent is not downloading")

// readerKeys is the last key assigned to a Reader; keys are unique in the process.
var readerKeys atomic.Uint32

// Reader reads a torrent's bytes as one span. For bytes that are missing it makes their
// pieces, and some that follow, urgent and waits for them. Several goroutines can call
// ReadAt; the latest call decides what is fetched ahead.
type Reader struct {
	t     *Torrent
	key   uint32
	ahead atomic.Int64
	end   atomic.Int64  // offset at which reading ahead ends
	said  atomic.Uint64 // pieces urged last: the first in the high half, the end in the low half
	done  atomic.Bool
}

// NewReader returns a Reader that fetches ahead this many bytes after each read, but nothing
// from byte end of the torrent on. While the Reader is open the torrent bypasses the queue. In
// a paused torrent the Reader returns the data that we have.
func (t *Torrent) NewReader(ahead, end int64) *Reader {
	r := &Reader{t: t, key: readerKeys.Add(1)}
	r.ahead.Store(ahead)
	r.end.Store(min(end, t.geom().Total))
	t.readers.Add(1)
	t.e.queue.force(t)
	return r
}

// SetAhead changes how many bytes are fetched ahead.
func (r *Reader) SetAhead(n int64) { r.ahead.Store(max(n, 0)) }

// Close ends the Reader: its pieces are not urgent any more.
func (r *Reader) Close() error {
	if r.done.CompareAndSwap(false, true) {
		r.t.readers.Add(-1)
		r.t.e.queue.force(r.t)
	}
	r.t.do(urge{reader: r.key})
	return nil
}

// ReadAt reads like io.ReaderAt, from byte off of the torrent. It waits until we have the
// pieces, ctx ends, or the torrent ends.
func (r *Reader) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	g := r.t.geom()
	if off < 0 || off >= g.Total {
		return 0, io.EOF
	}
	var end error
	if most := g.Total - off; int64(len(p)) > most {
		p, end = p[:most], io.EOF
	}
	size := int64(g.PieceLength)
	n := 0
	for n < len(p) {
		at := off + int64(n)
		if err := r.wait(ctx, uint32(at/size)); err != nil {
			return n, err
		}
		part := p[n:]
		if left := size - at%size; int64(len(part)) > left {
			part = part[:left]
		}
		got, err := r.t.content.ReadAt(part, at)
		n += got
		if err != nil {
			// The data was changed or lost a moment ago, and the content knows: wait once more.
			if ctx.Err() != nil {
				return n, ctx.Err()
			}
			if err := r.wait(ctx, uint32(at/size)); err != nil {
				return n, err
			}
			if got, err = r.t.content.ReadAt(p[n:n+len(part)-got], at+int64(got)); err != nil {
				return n + got, err
			}
			n += got
		}
	}
	return n, end
}

// wait waits for one piece, and makes it and those behind it urgent.
func (r *Reader) wait(ctx context.Context, piece uint32) error {
	t := r.t
	size := int64(t.geom().PieceLength)
	to := piece + 1
	if last := min(int64(piece)*size+size+r.ahead.Load(), r.end.Load()); last > 0 {
		to = max(to, uint32((last+size-1)/size))
	}
	want := uint64(piece)<<32 | uint64(to)
	if r.said.Load() == want && t.Has(piece) {
		return nil
	}
	for {
		news := t.content.News()
		// Sent each time a reader comes to a piece, even to one that we have: so the pieces
		// behind it are requested before they are needed. Sent again after each change: before
		// the files are checked there is no swarm to receive it.
		if !t.do(urge{reader: r.key, from: piece, to: to}) {
			return t.Err()
		}
		if t.Has(piece) {
			r.said.Store(want)
			return nil
		}
		if s := t.Stats(); s.State == Incomplete || s.State == Paused {
			return fmt.Errorf("piece %d of %s: %w", piece, t.Info().Name, ErrNotComing)
		}
		select {
		case <-news:
		case <-t.life.stopped.C():
			return t.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
