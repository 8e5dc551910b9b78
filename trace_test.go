package shoal

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/value/trace"
)

// shelf is a file that may be looked at while it is written.
type shelf struct {
	mu     sync.Mutex
	b      bytes.Buffer
	writes int
	err    error
}

func (s *shelf) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	if s.err != nil {
		return 0, s.err
	}
	return s.b.Write(b)
}

func (s *shelf) lines() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.b.String(), "\n")
}

// What was recorded is in the file soon, whether or not anything comes after it: a process
// that is killed loses the last moment. Records that come together are written together.
func TestTraceSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &shelf{}
		w := newTraceWriter(f)
		one := trace.Record{What: "dial", Piece: trace.No, Block: trace.No}
		w.record(one)
		time.Sleep(traceEvery + time.Millisecond)
		if n := f.lines(); n != 1 {
			t.Errorf("%d lines in the file after %v, want 1", n, traceEvery)
		}
		for range 1000 {
			w.record(one)
		}
		time.Sleep(traceEvery + time.Millisecond)
		if n := f.lines(); n != 1001 || f.writes > 3 {
			t.Errorf("%d lines by %d writes, want 1001 by few", n, f.writes)
		}
		w.record(one)
		if err := w.close(); err != nil || f.lines() != 1002 {
			t.Errorf("%d lines at the end, %v", f.lines(), err)
		}
		w.record(one) // too late, and no harm
	})
}

// A file that takes nothing more is told at the end, and costs no memory.
func TestTraceFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("no space left")
		w := newTraceWriter(&shelf{err: full})
		for range 3 {
			w.record(trace.Record{What: "dial"})
			time.Sleep(time.Second)
		}
		if err := w.close(); !errors.Is(err, full) {
			t.Errorf("the end: %v", err)
		}
	})
}
