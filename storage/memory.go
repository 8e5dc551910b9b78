package storage

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// Memory keeps the bytes of a torrent in memory, for tests and for torrents that nobody needs
// after the program ends. A file takes memory up to the last byte that was written to it.
type Memory struct {
	entries []Entry
	size    int64

	mu     sync.Mutex
	files  [][]byte // by entry; nil: the file does not exist
	when   []time.Time
	closed bool
}

// NewMemory returns an empty storage of these files.
func NewMemory(files []Entry) *Memory {
	m := &Memory{entries: slices.Clone(files), files: make([][]byte, len(files)), when: make([]time.Time, len(files))}
	for _, e := range files {
		m.size += e.Length
	}
	return m
}

// Size implements Storage.
func (m *Memory) Size() int64 { return m.size }

// ReadAt implements Storage.
func (m *Memory) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, ErrRange
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var end error
	if rest := max(m.size-off, 0); int64(len(p)) > rest {
		p, end = p[:rest], io.EOF
	}
	n, err := m.each(off, p, func(i int, b []byte, at int64) (int, error) {
		if m.entries[i].Pad {
			clear(b)
			return len(b), nil
		}
		have := m.files[i]
		n := copy(b, have[min(at, int64(len(have))):])
		switch {
		case n == len(b):
			return n, nil
		case len(have) == 0:
			return 0, fmt.Errorf("read %s: %w", m.entries[i].Path, ErrMissing)
		}
		return n, fmt.Errorf("read %s: %w: %w", m.entries[i].Path, ErrMissing, io.ErrUnexpectedEOF)
	})
	if err == nil {
		err = end
	}
	return n, err
}

// ReadV implements Storage.
func (m *Memory) ReadV(bufs [][]byte, off int64) error {
	if err := m.within(bufs, off); err != nil {
		return err
	}
	for _, b := range bufs {
		if _, err := m.ReadAt(b, off); err != nil {
			return err
		}
		off += int64(len(b))
	}
	return nil
}

// WriteV implements Storage.
func (m *Memory) WriteV(bufs [][]byte, off int64) error {
	if err := m.within(bufs, off); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range bufs {
		if _, err := m.each(off, b, func(i int, b []byte, at int64) (int, error) {
			if m.entries[i].Pad {
				return len(b), nil
			}
			if end := at + int64(len(b)); end > int64(len(m.files[i])) {
				m.files[i] = append(m.files[i], make([]byte, end-int64(len(m.files[i])))...)
			}
			m.when[i] = time.Now()
			return copy(m.files[i][at:], b), nil
		}); err != nil {
			return err
		}
		off += int64(len(b))
	}
	return nil
}

// within refuses a range outside the span.
func (m *Memory) within(bufs [][]byte, off int64) error {
	rest := m.size - off
	for _, b := range bufs {
		rest -= int64(len(b))
	}
	if off < 0 || rest < 0 {
		return ErrRange
	}
	return nil
}

// each calls do for the part of b in each file, and returns the number of bytes done. m.mu is held.
func (m *Memory) each(off int64, b []byte, do func(i int, b []byte, at int64) (int, error)) (done int, err error) {
	if m.closed {
		return 0, ErrClosed
	}
	for i, e := range m.entries {
		at := off + int64(done) - e.Offset
		if len(b) == 0 || at >= e.Length || at < 0 {
			continue
		}
		n, err := do(i, b[:min(int64(len(b)), e.Length-at)], at)
		if done += n; err != nil {
			return done, err
		}
		b = b[n:]
	}
	return done, nil
}

// Prepare implements Storage.
func (m *Memory) Prepare(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return ErrClosed
	}
	for i, e := range m.entries {
		if e.Length == 0 && !e.Pad && m.files[i] == nil {
			m.files[i], m.when[i] = []byte{}, time.Now()
		}
	}
	return nil
}

// Sync implements Storage; memory is as durable as it gets.
func (m *Memory) Sync(ctx context.Context) error { return ctx.Err() }

// State implements Storage.
func (m *Memory) State() ([]FileState, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, ErrClosed
	}
	all := make([]FileState, len(m.entries))
	for i, e := range m.entries {
		all[i] = FileState{Entry: e, Exists: m.files[i] != nil, Size: int64(len(m.files[i])), ModTime: m.when[i]}
	}
	return all, nil
}

// Close implements Storage.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.files = true, nil
	return nil
}
