package webseed

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/value/block"
	"shoal/internal/value/plural"
)

// run is one fetch in progress: it cuts the bytes into blocks.
type run struct {
	c   *Conn
	ctx context.Context
	act *webplan.Act

	ref    block.Ref // next block
	left   uint32    // blocks left, including ref
	cur    *block.Block
	filled int

	items []Item
	end   *webplan.Result
	file  int  // current file
	whole bool // a whole file came where we asked for its beginning
}

func (r *run) do() error {
	c := r.c
	if c.bad != nil {
		return fail(webplan.Refused, "%v", c.bad)
	}
	if c.source.Pieces {
		return r.pieces()
	}
	if !r.act.Resume {
		c.leave()
	}
	for _, s := range r.act.Segments {
		r.file = s.File
		if s.Pad {
			if err := r.fill(zeros{}, s.Length); err != nil {
				return err
			}
			continue
		}
		var err error
		if r.act.Whole {
			err = r.stream(s)
		} else {
			err = r.segment(s)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// zeros is the content of padding.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// at returns the URL of a file, or where its last redirect led.
func (r *run) at(index int) (target, error) {
	if m := r.c.moved; m.ok && m.file == index {
		return m.to, nil
	}
	t, ok := r.c.base.file(r.c.t.Info, index)
	if !ok {
		return target{}, fail(webplan.Absent, "the file's name can't be part of a URL")
	}
	return t, nil
}

// open requests a part of a file, or all of it when to is 0.
func (r *run) open(index int, from, to int64) (*answer, error) {
	c := r.c
	t, err := r.at(index)
	if err != nil {
		return nil, err
	}
	// If a redirect led here from the internet, no further one may lead into a local network.
	known := c.moved.ok && c.moved.file == index
	a, err := c.askFrom(r.ctx, t, from, to, known && c.moved.public)
	if err != nil {
		c.moved.ok = false
		return nil, err
	}
	if a.StatusCode >= 300 {
		c.moved.ok = false
		if known { // it may have moved again
			c.hangUp()
			return r.open(index, from, to)
		}
		return a, nil
	}
	if a.target != t || known {
		c.moved = moved{file: index, to: a.target, ok: true, public: c.wire.public}
	} else {
		c.moved.ok = false
	}
	return a, nil
}

// segment fetches a part of a file.
func (r *run) segment(s webplan.Segment) error {
	c := r.c
	length := c.t.Info.Files[s.File].Length
	from, to := s.Offset, s.Offset+s.Length
	if from == 0 && to == length {
		to = 0 // all of it needs no range
	}
	a, err := r.open(s.File, from, to)
	if err != nil {
		return err
	}
	whole, err := partial(a, from, s.Offset+s.Length, length)
	if err != nil {
		return err
	}
	c.wire.in.left = bodyLimit(s.Length)
	if err := r.fill(a.Body, s.Length); err != nil {
		return err
	}
	if !whole || to == 0 {
		return r.over(a)
	}
	// It is a whole file: this is the last segment, and a later run continues the stream.
	r.whole = true
	c.wire.in.left = bodyLimit(length)
	c.stream = stream{body: a.Body, file: s.File, at: s.Length}
	return nil
}

// bodyLimit bounds the bytes to read for a body: its chunks have heads.
func bodyLimit(n int64) int64 { return 2*n + maxHead }

// over checks that an answer is at its end, so that the connection can be used again.
func (r *run) over(a *answer) error {
	c := r.c
	if a.ContentLength < 0 && c.wire.buf.Buffered() == 0 {
		c.hangUp() // its end may never come
		return nil
	}
	var one [1]byte
	if n, err := a.Body.Read(one[:]); n > 0 || !errors.Is(err, io.EOF) {
		c.hangUp()
		if n > 0 {
			return fail(webplan.Broken, "%v", errLonger)
		}
		return nil
	}
	if a.Close {
		c.hangUp()
	}
	return nil
}

// stream fetches a part of a file from a server without ranges: it continues the open answer, or
// starts one and discards the bytes before the part.
func (r *run) stream(s webplan.Segment) error {
	c := r.c
	length := c.t.Info.Files[s.File].Length
	if st := &c.stream; st.body == nil || st.file != s.File || st.at+s.Skip != s.Offset {
		c.leave()
		if s.Skip != s.Offset {
			// The answer to continue is gone.
			return fail(webplan.Broken, "the server closed the connection")
		}
		a, err := r.open(s.File, 0, 0)
		if err != nil {
			return err
		}
		if _, err := partial(a, 0, length, length); err != nil {
			return err
		}
		c.stream = stream{body: a.Body, file: s.File}
		c.wire.in.left = bodyLimit(length)
	}
	st := &c.stream
	if err := r.skip(st.body, s.Skip); err != nil {
		return err
	}
	if err := r.fill(st.body, s.Length); err != nil {
		return err
	}
	st.at = s.Offset + s.Length
	if st.at == length {
		c.hangUp()
	}
	return nil
}

// leave ends the open answer. What is left of it would be taken for the answer to the next request, so
// the connection ends with it.
func (c *Conn) leave() {
	if c.stream.body != nil {
		c.hangUp()
	}
}

// skip discards bytes. They count against the rate limits like others.
func (r *run) skip(src io.Reader, n int64) error {
	for n > 0 {
		part := min(n, block.Size)
		if !r.c.pay(r.ctx, int(part)) {
			return r.ctx.Err()
		}
		r.c.deadline()
		if _, err := io.CopyN(io.Discard, src, part); err != nil {
			return err
		}
		n -= part
	}
	return nil
}

// pieces fetches blocks of a piece (BEP 17).
func (r *run) pieces() error {
	c := r.c
	g := c.geo
	size := g.PieceSize(r.ref.Piece)
	length := min(r.act.Run.Blocks*block.Size, size-r.ref.Begin)
	t := c.base.blocks(c.t.InfoHash, r.ref.Piece, r.ref.Begin, length, length == size)
	a, err := c.askFrom(r.ctx, t, 0, 0, false)
	if err != nil {
		return err
	}
	if err := plainBody(a); err != nil {
		return err
	}
	switch {
	case a.StatusCode == http.StatusServiceUnavailable:
		return r.later(a)
	case a.StatusCode == http.StatusNotFound, a.StatusCode == http.StatusGone:
		return refusal(a)
	case a.StatusCode != http.StatusOK:
		return fail(webplan.Broken, "HTTP status %d", a.StatusCode)
	case a.ContentLength >= 0 && a.ContentLength != int64(length):
		return fail(webplan.Broken, "the answer has %s where the request says %s", plural.Of(a.ContentLength, "byte"), plural.Group(length))
	}
	c.wire.in.left = bodyLimit(int64(length))
	if err := r.fill(a.Body, int64(length)); err != nil {
		return err
	}
	return r.over(a)
}

// later reads how long a server wants no requests: the body has the number of seconds (BEP 17).
func (r *run) later(a *answer) error {
	f := &failure{webplan.Result{Outcome: webplan.Busy, Text: "HTTP status 503"}}
	r.c.wire.in.left = 1 << 10
	body, _ := io.ReadAll(io.LimitReader(a.Body, 16))
	if n, err := strconv.ParseUint(strings.TrimSpace(string(body)), 10, 31); err == nil {
		f.RetryIn = time.Duration(n) * time.Second
	}
	return f
}

// fill reads n bytes of the run from src, block by block.
func (r *run) fill(src io.Reader, n int64) error {
	c := r.c
	for n > 0 {
		if r.cur == nil {
			if err := r.take(); err != nil {
				return err
			}
		}
		part := min(n, int64(len(r.cur.Data)-r.filled))
		got, err := io.ReadFull(src, r.cur.Data[r.filled:r.filled+int(part)])
		r.filled += got
		n -= int64(got)
		if err != nil {
			return err
		}
		if r.filled < len(r.cur.Data) {
			continue
		}
		r.items = append(r.items, Item{r.ref, r.cur})
		r.cur, r.filled = nil, 0
		r.advance()
		more := c.wire != nil && c.wire.buf.Buffered() > 0
		if r.left > 0 && (len(r.items) >= batchBlocks || !more) && !r.deliver() {
			return context.Canceled
		}
	}
	return nil
}

// take gets a buffer for the next block, and waits for the rate limits. It delivers finished blocks
// before it waits.
func (r *run) take() error {
	c := r.c
	if r.left == 0 {
		return fail(webplan.Broken, "%v", errLonger)
	}
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	if !c.exempt && !c.turn.Ask(int(r.ref.Length)) {
		if !r.deliver() {
			return context.Canceled
		}
		select {
		case <-c.turn.C():
		case <-r.ctx.Done():
			c.turn.Leave()
			return r.ctx.Err()
		}
	}
	b := c.t.Buffers.TryGet()
	if b == nil {
		if !r.deliver() {
			return context.Canceled
		}
		if b = c.t.Buffers.Get(r.ctx.Done()); b == nil {
			return r.ctx.Err()
		}
	}
	b.Data = b.Buf[:r.ref.Length]
	r.cur, r.filled = b, 0
	c.deadline()
	return nil
}

// advance moves to the next block.
func (r *run) advance() {
	g := r.c.geo
	r.left--
	piece, index := r.ref.Piece, r.ref.Index()+1
	if index == g.Blocks(piece) {
		piece, index = piece+1, 0
	}
	r.ref = g.Block(piece, index)
}

// deliver delivers the finished blocks. It returns false when the torrent has ended.
func (r *run) deliver() bool {
	if len(r.items) == 0 && r.end == nil {
		return true
	}
	b := &Batch{Fetch: r.act.ID, Items: r.items, End: r.end}
	if !r.c.t.Deliver(b) {
		r.drop()
		return false
	}
	r.items = nil
	return true
}

// release returns the buffer of an incomplete block.
func (r *run) release() {
	if r.cur != nil {
		r.c.t.Buffers.Put(r.cur)
		r.cur = nil
	}
}

// drop returns the buffers that the torrent did not take.
func (r *run) drop() {
	r.release()
	for _, it := range r.items {
		r.c.t.Buffers.Put(it.Block)
	}
	r.items = nil
}
