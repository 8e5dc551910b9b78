package catalogue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"shoal/internal/files/resume"
	"shoal/internal/value/infohash"
	"shoal/metainfo"
)

// Errors that callers choose by.
var (
	// ErrUnknown: there is no such torrent.
	ErrUnknown = errors.New("no such torrent in the catalogue")
	// ErrClosed: the catalogue was closed.
	ErrClosed = errors.New("the catalogue is closed")
	// ErrMetainfo: the metainfo is not that of the info-hash.
	ErrMetainfo = errors.New("not the metainfo of this torrent")
)

// Catalogue is an open folder of torrents.
type Catalogue struct {
	fs      resume.FS // nil: nothing is kept
	looksOn bool      // another one has it: nothing is written
	unlock  func()

	mu     sync.Mutex
	closed bool

	// What is known, and goes into the list.
	rows      map[infohash.Hash]*row
	last      int64  // the highest place
	rev       uint64 // of what was written last; goes up with every entry and every list
	settings  Settings
	unknown   []metainfo.Entry
	listDirty bool

	// What is to be written.
	pending      map[infohash.Hash][]byte // entries as they will be
	pendingBytes int
	removed      map[infohash.Hash]bool
	renamed      bool // names have changed that are not durable yet

	// Files that are there, and were not read or not set aside. That is done before
	// another takes their name.
	inTheWay map[string]bool

	writers    int // files written at once
	maxPending int // bytes of pending that Put does not wait for
}

const (
	// defaultWriters is how many files are written and synced at once. File systems
	// make what several sync at the same time durable together.
	defaultWriters = 32
	// defaultPending bounds the memory of what is put and not written yet.
	defaultPending = 8 << 20
)

// Len gives the number of torrents.
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

// Put adds a torrent at the end of the list, or gives one that is there new metainfo,
// choices and state; its place it keeps. It refers to nothing of e afterwards. After an
// error nothing has changed. The error is ErrMetainfo, ErrClosed, or what the system
// says when there is much to be written.
func (c *Catalogue) Put(e Entry) error {
	if e.Torrent == nil || e.Torrent.InfoHash != e.InfoHash {
		t, err := metainfo.Parse(e.Metainfo)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrMetainfo, err)
		}
		if t.InfoHash != e.InfoHash {
			return fmt.Errorf("%w: it is that of %v", ErrMetainfo, t.InfoHash)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	return c.put(&e)
}

// put is Put of an entry that is known to be one. c.mu is held.
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
		c.listDirty = c.listDirty || r != nil // which has another place for it
		c.last++
		c.rows[e.InfoHash] = &row{State: e.State, place: c.last, unlisted: true, fresh: r == nil}
	case r.State != e.State, r.unlisted:
		r.State = e.State
		c.listDirty = true
	}
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

// encode gives a torrent's file as of now.
func (c *Catalogue) encode(e *Entry) []byte {
	b := make([]byte, 0, frameSize+len(e.Metainfo)+512+len(e.Priorities))
	return seal(b, kindEntry, func(b []byte) []byte { return e.appendFields(b, c.rev) }, e.Metainfo)
}

func (s State) bounded() State {
	s.Uploaded = min(max(s.Uploaded, 0), maxCount)
	s.Downloaded = min(max(s.Downloaded, 0), maxCount)
	return s
}

// Update lets change change what is kept of a torrent, but for its info-hash and
// metainfo. For the state alone, SetState costs less. The error is ErrUnknown, or one of
// Put, or what the system says when it can't read the entry.
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
	return c.put(&e)
}

// entry reads what is kept of a torrent in a file of its own. c.mu is held.
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
		e.Choices = Choices{} // as Open said
	}
	e.Metainfo = f.body
	return e, nil
}

// Get gives all that is kept of a torrent, its metainfo read from its file. The error
// is ErrUnknown, ErrClosed, or what the system says when it can't read the entry; with
// no folder there is nothing to give but what State does.
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
		if e.Torrent, e.Metainfo = parseMetainfo(e.Metainfo, h); e.Torrent == nil {
			return Entry{}, fmt.Errorf("read the entry of the torrent: %w", ErrMetainfo)
		}
		e.fit()
	}
	e.State = r.State
	return e, nil
}

// Order gives the torrents in the order of the list.
func (c *Catalogue) Order() []infohash.Hash {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.DeleteFunc(c.order(), func(h infohash.Hash) bool { return c.rows[h].gone })
}

// SetState notes the state of a torrent; the next Flush writes those of all. The error
// is ErrUnknown or ErrClosed.
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

// State gives the state of a torrent, as it was set last.
func (c *Catalogue) State(h infohash.Hash) (State, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rows[h]
	if r == nil || r.gone {
		return State{}, false
	}
	return r.State, true
}

// Move puts a torrent at place to of the list, from 0; those behind it move on. The
// error is ErrUnknown or ErrClosed.
func (c *Catalogue) Move(h infohash.Hash, to int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	moved, err := c.row(h)
	if err != nil {
		return err
	}
	// Those that are not loaded have a place in the list, and none that is seen.
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

// Remove forgets a torrent. Its files are not touched. The error is ErrUnknown or
// ErrClosed.
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

// row gives the row of a torrent that is loaded. c.mu is held.
func (c *Catalogue) row(h infohash.Hash) (*row, error) {
	if c.closed {
		return nil, ErrClosed
	}
	if r := c.rows[h]; r != nil && !r.gone {
		return r, nil
	}
	return nil, ErrUnknown
}

// Settings gives the engine's settings, a copy.
func (c *Catalogue) Settings() Settings {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.settings)
}

// SetSettings keeps the engine's settings, in place of all that were there.
func (c *Catalogue) SetSettings(s Settings) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	if !maps.Equal(c.settings, s) {
		c.settings = maps.Clone(s)
		c.listDirty = true
	}
	return nil
}
