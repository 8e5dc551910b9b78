package catalogue

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"shoal/internal/files/resume"
	"shoal/internal/value/infohash"
	"shoal/metainfo"
)

// Errors that callers distinguish.
var (
	// ErrUnknown is returned when the catalogue does not have the torrent.
	ErrUnknown = errors.New("no such torrent in the catalogue")
	// ErrClosed is returned after Close.
	ErrClosed = errors.New("the catalogue is closed")
	// ErrMetainfo is returned for metainfo that does not have the info-hash.
	ErrMetainfo = errors.New("not the metainfo of this torrent")
)

// Catalogue is an open folder of torrents.
type Catalogue struct {
	fs      resume.FS // nil: keep nothing
	looksOn bool      // another process has the folder open: write nothing
	unlock  func()

	mu     sync.Mutex
	closed bool

	// What goes into the list.
	rows      map[infohash.Hash]*row
	last      int64  // highest place in the order
	rev       uint64 // revision of the last write; grows with every entry and every list
	settings  Settings
	unknown   []metainfo.Entry
	listDirty bool

	// What is to be written.
	pending      map[infohash.Hash][]byte // entries in the form to write
	pendingBytes int
	removed      map[infohash.Hash]bool
	renamed      bool // some new names are not durable yet

	// Existing files that were not read or set aside. We set them aside before another file takes
	// their name.
	inTheWay map[string]bool

	writers    int // number of files written at once
	maxPending int // bytes of pending from which Put writes first
}

const (
	// defaultWriters is how many files are written and synced at once: file systems make what
	// several sync at the same time durable together.
	defaultWriters = 32
	// defaultPending bounds the memory of entries that are not written yet, in bytes.
	defaultPending = 8 << 20
)

// Len returns the number of torrents.
func (c *Catalogue) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, r := range c.rows {
		if !r.gone {
			n++
		}
	}
	return n
}

// HasMetainfo reports whether the catalogue has the metainfo of a torrent.
func (c *Catalogue) HasMetainfo(h infohash.Hash) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rows[h]
	return r != nil && !r.gone && !r.linkOnly
}

// Put adds a torrent at the end of the list, or replaces the metainfo, choices and state of an
// existing one, which keeps its place. It keeps no reference to e. After an error nothing has
// changed. The error is ErrMetainfo, ErrClosed, or that of a write, when much is pending.
func (c *Catalogue) Put(e Entry) error {
	if !e.linkOnly() && (e.Torrent == nil || e.Torrent.InfoHash != e.InfoHash) {
		t, err := metainfo.Parse(e.Metainfo)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMetainfo, err)
		}
		if t.InfoHash != e.InfoHash {
			return fmt.Errorf("%w: it belongs to %v", ErrMetainfo, t.InfoHash)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	return c.put(&e)
}

// put is Put for an entry known to be valid. The caller holds c.mu.
func (c *Catalogue) put(e *Entry) error {
	if c.pendingBytes > c.maxPending {
		if err := c.writePending(context.Background()); err != nil {
			return err
		}
	}
	e.State = e.State.bounded()
	r := c.rows[e.InfoHash]
	switch {
	case r == nil || r.gone:
		c.listDirty = c.listDirty || r != nil // the list has another place for it
		c.last++
		c.rows[e.InfoHash] = &row{State: e.State, place: c.last, unlisted: true, fresh: r == nil}
	case r.State != e.State, r.unlisted:
		r.State = e.State
		c.listDirty = true
	}
	c.rows[e.InfoHash].linkOnly = len(e.Metainfo) == 0
	delete(c.removed, e.InfoHash)
	if c.fs == nil {
		return nil
	}
	c.rev++
	b := c.encode(e)
	c.pendingBytes += len(b) - len(c.pending[e.InfoHash])
	c.pending[e.InfoHash] = b
	return nil
}

// encode returns a torrent's file as of now.
func (c *Catalogue) encode(e *Entry) []byte {
	b := make([]byte, 0, frameSize+len(e.Metainfo)+512+len(e.Priorities))
	return seal(b, kindEntry, func(b []byte) []byte { return e.appendFields(b, c.rev) }, e.Metainfo)
}

func (s State) bounded() State {
	s.Uploaded = min(max(s.Uploaded, 0), maxCount)
	s.Downloaded = min(max(s.Downloaded, 0), maxCount)
	return s
}

// Update calls change to change a torrent's choices and state. To change only the state, SetState
// costs less. The error is ErrUnknown, one of Put, or that of reading the entry.
func (c *Catalogue) Update(h infohash.Hash, change func(*Choices, *State)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.row(h)
	if err != nil {
		return err
	}
	e := Entry{InfoHash: h}
	if c.fs != nil {
		if e, err = c.entry(h); err != nil {
			return err
		}
	}
	e.State = r.State
	change(&e.Choices, &e.State)
	if len(e.Metainfo) == 0 && c.fs != nil && !e.linkOnly() {
		return fmt.Errorf("%w: it has neither metainfo nor a magnet link", ErrMetainfo)
	}
	return c.put(&e)
}

// entry reads a torrent's entry from its file. The caller holds c.mu.
func (c *Catalogue) entry(h infohash.Hash) (e Entry, err error) {
	b := c.pending[h]
	if b == nil {
		if b, err = c.read(fileName(h), nil); err != nil {
			return e, fmt.Errorf("read the entry of the torrent: %w", err)
		}
	}
	f, err := unseal(b, kindEntry)
	if err != nil {
		return e, fmt.Errorf("read the entry of the torrent: %w", err)
	}
	e.InfoHash = h
	if _, err := e.parseFields(f.fields); err != nil {
		e.Choices = Choices{} // as Open reported
	}
	e.Metainfo = f.body
	return e, nil
}

// Get returns everything about a torrent, with the metainfo read from its file. The error is
// ErrUnknown, ErrClosed, or that of reading the entry. Without a folder it returns only what State
// does.
func (c *Catalogue) Get(h infohash.Hash) (Entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.row(h)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{InfoHash: h}
	if c.fs != nil {
		if e, err = c.entry(h); err != nil {
			return Entry{}, err
		}
		if e.Torrent, e.Metainfo = parseMetainfo(e.Metainfo, h); e.Torrent == nil && !e.linkOnly() {
			return Entry{}, fmt.Errorf("read the entry of the torrent: %w", ErrMetainfo)
		}
		e.fit()
	}
	e.State = r.State
	return e, nil
}

// Order returns the torrents in the order of the list.
func (c *Catalogue) Order() []infohash.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(c.order(), func(h infohash.Hash) bool { return c.rows[h].gone })
}

// SetState sets the state of a torrent; the next Flush writes all states. The error is ErrUnknown
// or ErrClosed.
func (c *Catalogue) SetState(h infohash.Hash, s State) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.row(h)
	if err != nil {
		return err
	}
	if s = s.bounded(); r.State != s {
		r.State = s
		c.listDirty = true
	}
	return nil
}

// State returns the state of a torrent, as it was set last.
func (c *Catalogue) State(h infohash.Hash) (State, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rows[h]
	if r == nil || r.gone {
		return State{}, false
	}
	return r.State, true
}

// Move moves a torrent to place to of the list, counted from 0; those after it move down. The error
// is ErrUnknown or ErrClosed.
func (c *Catalogue) Move(h infohash.Hash, to int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	moved, err := c.row(h)
	if err != nil {
		return err
	}
	// Torrents that are not loaded keep their place in the list, which the caller does not see.
	c.last = 0
	next := func(r *row) {
		c.last++
		r.place = c.last
	}
	seen := 0
	for _, other := range c.order() {
		r := c.rows[other]
		if r == moved {
			continue
		}
		if seen == max(to, 0) {
			next(moved)
			seen++
		}
		next(r)
		if !r.gone {
			seen++
		}
	}
	if seen <= max(to, 0) {
		next(moved)
	}
	c.listDirty = true
	return nil
}

// Remove removes a torrent from the catalogue. It does not touch the torrent's files. The error is
// ErrUnknown or ErrClosed.
func (c *Catalogue) Remove(h infohash.Hash) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, err := c.row(h)
	if err != nil {
		return err
	}
	c.pendingBytes -= len(c.pending[h])
	delete(c.pending, h)
	if c.fs == nil || r.fresh {
		delete(c.rows, h)
		return nil
	}
	r.gone, r.removed = true, true
	c.removed[h], c.listDirty = true, true
	return nil
}

// row returns the row of a loaded torrent. The caller holds c.mu.
func (c *Catalogue) row(h infohash.Hash) (*row, error) {
	if c.closed {
		return nil, ErrClosed
	}
	if r := c.rows[h]; r != nil && !r.gone {
		return r, nil
	}
	return nil, ErrUnknown
}
