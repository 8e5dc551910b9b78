package shoal

import (
	"fmt"
	"io"
	"sync"
	"time"

	"shoal/internal/value/trace"
)

// traceWriter turns trace records into JSON lines. Deciding code only appends
// to a buffer; one goroutine writes it out, at most traceEvery after the first record
// in it: a process that is killed loses the last burst and no more. When writing falls
// too far behind, records are left out and counted.
type traceWriter struct {
	w    io.Writer
	wake chan struct{}
	end  chan struct{} // closed when no record comes any more
	done chan struct{}

	mu     sync.Mutex
	buf    []byte
	lost   int
	closed bool
	err    error
}

// traceEvery is how long records gather before they are written. A busy engine makes a
// hundred thousand a second, and a write for each few would slow it down; people who
// watch the file do not notice a twentieth of a second.
const traceEvery = 50 * time.Millisecond

// maxTrace bounds the trace that waits to be written, in bytes.
const maxTrace = 16 << 20

func newTraceWriter(w io.Writer) *traceWriter {
	t := &traceWriter{w: w, wake: make(chan struct{}, 1), end: make(chan struct{}), done: make(chan struct{})}
	go t.run()
	return t
}

func (t *traceWriter) record(r trace.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed || t.err != nil:
		return
	case len(t.buf) > maxTrace:
		t.lost++
		return
	case t.lost > 0:
		t.buf = fmt.Appendf(t.buf, "{\"lost_records\":%d}\n", t.lost)
		t.lost = 0
	}
	t.buf = append(r.AppendJSON(t.buf), '\n')
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *traceWriter) run() {
	defer close(t.done)
	var spare []byte
	gather := time.NewTimer(0)
	defer gather.Stop()
	<-gather.C
	for range t.wake {
		gather.Reset(traceEvery)
		select {
		case <-gather.C:
		case <-t.end:
		}
		t.mu.Lock()
		out := t.buf
		t.buf = spare[:0]
		t.mu.Unlock()
		if _, err := t.w.Write(out); err != nil {
			t.mu.Lock()
			t.err = fmt.Errorf("write the trace: %w", err)
			t.mu.Unlock()
		}
		spare = out
	}
}

// close writes what waits and returns the first error of writing.
func (t *traceWriter) close() error {
	t.mu.Lock()
	t.closed = true
	select {
	case t.wake <- struct{}{}:
	default:
	}
	close(t.wake)
	close(t.end)
	t.mu.Unlock()
	<-t.done
	return t.err
}
