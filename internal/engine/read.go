package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
)

// ErrNotComing is why a read gives up: the torrent does not fetch, and does not have it.
var ErrNotComing = errors.New("it is not there, and the torrent is not fetching")

// readerKeys gives every reader of a process its own key.
var readerKeys atomic.Uint32

// Reader reads a torrent's bytes as one span, also those that are still to come: it
// waits for their pieces, which are fetched first, with some of what follows. ReadAt may
// be called from several goroutines; the latest call says what is fetched ahead.
type Reader struct {
	t     *Torrent
	key   uint32
	ahead atomic.Int64
	end   atomic.Int64  // bytes from here on are of no interest
	said  atomic.Uint64 // the pieces that were urged last: from, and to before
	done  atomic.Bool
}

// NewReader makes a reader that fetches so many bytes ahead of what is read, and
// nothing from byte end of the torrent on. Until it is closed the torrent does not wait in
// line. One that is paused gives what it has.
func (t *Torrent) NewReader(ahead, end int64) *Reader {
	r := &Reader{t: t, key: readerKeys.Add(1)}
	r.ahead.Store(ahead)
	r.end.Store(min(end, t.geom.Total))
	t.readers.Add(1)
	t.e.line.force(t)
	return r
}

// SetAhead changes how many bytes are fetched ahead.
func (r *Reader) SetAhead(n int64) { r.ahead.Store(max(n, 0)) }

// Close says that nothing more will be read.
func (r *Reader) Close() error {
	if r.done.CompareAndSwap(false, true) {
		r.t.readers.Add(-1)
		r.t.e.line.force(r.t)
	}
	r.t.do(urge{reader: r.key})
	return nil
}

// ReadAt reads as io.ReaderAt does, from byte off of the torrent. It waits until the
// pieces are there, ctx ends, or the torrent does.
func (r *Reader) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	g := r.t.geom
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
			// It was changed or lost a moment ago. The torrent has heard of it.
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

// wait waits for one piece, and has it and those behind it fetched first.
func (r *Reader) wait(ctx context.Context, piece uint32) error {
	t := r.t
	size := int64(t.geom.PieceLength)
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
		// Said each time a reader comes to a piece, also to one that is there: so what
		// follows is on its way before it is needed. And again when things have changed:
		// before the files were looked at nobody hears it.
		if !t.do(urge{reader: r.key, from: piece, to: to}) {
			return t.Err()
		}
		if t.Has(piece) {
			r.said.Store(want)
			return nil
		}
		if s := t.Stats(); s.State == Incomplete || s.State == Paused {
			return fmt.Errorf("piece %d of %s: %w", piece, t.info.Name, ErrNotComing)
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
