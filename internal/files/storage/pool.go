package storage

import "sync"

// DefaultOpenFiles is the default bound on open files. It is far below what systems allow a
// process, and enough that an ordinary torrent never opens a file twice.
const DefaultOpenFiles = 256

// Pool bounds the files that all storages of an engine hold open together. A file stays open after
// use until another one needs its slot; the least recently used file is closed. When all are in
// use, the next caller waits: a use is a single read or write, and no caller holds two.
type Pool struct {
	counters Counters
	max      int

	mu   sync.Mutex // never held during I/O
	free sync.Cond  // signals a free slot
	open int        // slots taken, by open files and by files that are being opened
	idle list       // open files not in use, oldest first

	folders     map[string]*sharedFolder // by path
	behindLinks int                      // of these, the ones that a link of the user leads to
	openFolder  func(dir string) (FS, error)
}

// OpenFoldersWith makes Folder open folders with another function: tests use twins of the operating
// system. Call it before anything else.
func (p *Pool) OpenFoldersWith(open func(dir string) (FS, error)) { p.openFolder = open }

// NewPool makes a pool of at most max open files; 0 means DefaultOpenFiles.
func NewPool(max int) *Pool {
	if max <= 0 {
		max = DefaultOpenFiles
	}
	p := &Pool{max: max}
	p.free.L = &p.mu
	p.idle.init()
	return p
}

// Counters returns the counters of the calls made through this pool.
func (p *Pool) Counters() *Counters { return &p.counters }

// OpenFiles returns the number of files open now.
func (p *Pool) OpenFiles() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.open
}

// Open returns the files that are open and unused right now, by their index in each storage.
func (p *Pool) Open() map[*Files][]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make(map[*Files][]int)
	for o := p.idle.first(); o != nil; o = p.idle.after(o) {
		all[o.slot.files] = append(all[o.slot.files], o.slot.entry)
	}
	return all
}

// openFile is an open file and its users. Pool.mu guards all fields except Handle, which the users
// call.
type openFile struct {
	Handle
	slot     *slot
	writable bool
	users    int
	retired  bool // its last user closes it
	prev     *openFile
	next     *openFile
}

// acquire returns the open file of f's entry i, and opens it if needed. Each acquire is followed by
// one release.
func (p *Pool) acquire(f *Files, i int, mode Mode) (*openFile, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		s, err := f.slot(i)
		if err != nil {
			return nil, err
		}
		if o := s.open; o != nil && (o.writable || mode == Read) {
			p.use(o)
			return o, nil
		}
		// Take the slot before opening the file, so that the bound holds.
		old, ok := p.place()
		if !ok {
			p.free.Wait()
			continue
		}
		p.mu.Unlock()
		discard(old)
		h, writable, err := f.open(i, mode)
		away := err == nil && writable && f.away(h)
		p.mu.Lock()
		if err == nil {
			if now, err := f.slot(i); err == nil {
				s = now // the slot of before may be forgotten
			}
			s.away = s.away || away
			return p.install(s, &openFile{Handle: h, slot: s, writable: writable, users: 1})
		}
		// The system's limit is lower than ours: close an idle file and try again.
		if KindOf(err) == TooManyFiles {
			if old = p.victim(); old != nil {
				p.leave()
				p.unlocked(func() { discard(old) })
				p.leave()
				continue
			}
		}
		p.leave()
		return nil, err
	}
}

// unlocked runs a slow function without the lock.
func (p *Pool) unlocked(do func()) {
	p.mu.Unlock()
	defer p.mu.Lock()
	do()
}

// place takes a slot for one more open file. When it returns a file, the caller closes that one
// first.
func (p *Pool) place() (old *openFile, ok bool) {
	if p.open < p.max {
		p.open++
		return nil, true
	}
	old = p.victim()
	return old, old != nil
}

// victim removes an idle file from the pool, which the caller discards; the caller inherits its
// slot. It takes the least recently used clean file, or, if none is clean, the least recently used
// one: unsynced data must be synced first. It returns nil when all files are in use.
func (p *Pool) victim() *openFile {
	var old *openFile
	for o := p.idle.first(); o != nil; o = p.idle.after(o) {
		if !o.slot.dirty() || o.slot.files.covers(o.slot) {
			old = o
			break
		}
		if old == nil {
			old = o
		}
	}
	if old != nil {
		p.idle.remove(old)
		old.slot.open = nil
		old.slot.files.forget(old.slot.entry)
	}
	return old
}

// discard closes a victim. It syncs the file first: closing the last handle makes the system forget
// that a write failed.
func discard(o *openFile) {
	if o == nil {
		return
	}
	f := o.slot.files
	f.pool.mu.Lock()
	covered := f.covers(o.slot)
	f.pool.mu.Unlock()
	if !covered { // a Group hears of what fails later
		_ = f.syncFile(o) // an error stays in the slot, for the next Sync
	}
	o.Close()
}

// install makes o the open file of its slot. If somebody else installed one first, install uses
// that one when its mode suffices.
func (p *Pool) install(s *slot, o *openFile) (*openFile, error) {
	theirs := s.open
	switch {
	case s.files.closed:
		p.finish(o)
		return nil, ErrClosed
	case theirs != nil && (theirs.writable || !o.writable):
		p.use(theirs)
		p.finish(o)
		return theirs, nil
	}
	s.open = o
	if theirs != nil { // read-only: no longer needed
		p.retire(theirs)
	}
	return o, nil
}

// drop closes the open file of a slot after its last use.
func (p *Pool) drop(s *slot) {
	o := s.open
	s.open = nil
	p.retire(o)
}

// retire makes the last user close a file, or closes it now when it has no user.
func (p *Pool) retire(o *openFile) {
	o.retired = true
	if o.users == 0 {
		p.idle.remove(o)
		p.finish(o)
	}
}

// finish closes a file that is in no list, and frees its slot.
func (p *Pool) finish(o *openFile) {
	p.unlocked(func() { o.Close() })
	p.leave()
}

// use starts a use of an open file.
func (p *Pool) use(o *openFile) {
	if o.users == 0 {
		p.idle.remove(o)
	}
	o.users++
}

// release ends a use.
func (p *Pool) release(o *openFile) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.users--; o.users > 0 {
		return
	}
	if o.retired {
		p.finish(o)
		return
	}
	p.idle.add(o)
	p.free.Signal()
}

// leave frees a slot.
func (p *Pool) leave() {
	p.open--
	p.free.Signal()
}

// close retires all open files of f. It reports whether f was open before.
func (p *Pool) close(f *Files) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if f.closed {
		return false
	}
	f.closed = true // from here on nobody opens a file of f
	for _, s := range f.slots {
		if s == nil || s.open == nil {
			continue
		}
		p.drop(s)
	}
	f.leaveGroup()
	return true
}

// Release closes the files that are open for writing, so that the next write opens and claims them
// again. Files with writes that are not synced stay open.
func (f *Files) Release() {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	for _, s := range f.slots {
		if s == nil || s.open == nil || !s.open.writable || s.dirty() {
			continue
		}
		f.pool.drop(s)
	}
}

// Reopen closes file i after its last use, so that the next use opens whatever its name leads to
// then: another file has the name now, or soon will. Writes that are not synced stay so; the next
// Sync opens what has the name then.
func (f *Files) Reopen(i int) {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	if s := f.slotIfAny(i); s != nil && s.open != nil {
		f.pool.drop(s)
	}
}

// list is an intrusive ring of open files with a sentinel; written out, as in decision 0177.
type list struct{ head openFile }

func (l *list) init() { l.head.prev, l.head.next = &l.head, &l.head }

func (l *list) first() *openFile {
	if l.head.next == &l.head {
		return nil
	}
	return l.head.next
}

func (l *list) after(o *openFile) *openFile {
	if o.next == &l.head {
		return nil
	}
	return o.next
}

func (l *list) add(o *openFile) {
	o.prev, o.next = l.head.prev, &l.head
	o.prev.next, l.head.prev = o, o
}

func (l *list) remove(o *openFile) {
	o.prev.next, o.next.prev = o.next, o.prev
	o.prev, o.next = nil, nil
}
