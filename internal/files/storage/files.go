package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
	"sync"
	"time"

	"shoal/internal/value/fault"
)

// writeBehind is how many bytes we write to a file before we ask the system to start writing them
// back. It is large enough to cost one call in sixteen, and small enough that dirty pages do not
// pile up and the last Sync finds the device already at work.
const writeBehind = 16 << 20

// Config is what Files needs besides the entries.
type Config struct {
	FS   FS    // folder for the files; the caller closes it
	Pool *Pool // pool of open files, shared by all storages of an engine

	// GroupFrom is the number of files from which on the storage makes files durable in Groups,
	// however few at a time; 0 for where that is worth it. It is for tests.
	GroupFrom int
}

// Files is a Storage of plain files in a folder, laid out as the torrent says.
type Files struct {
	fs      FS
	pool    *Pool
	entries []Entry
	size    int64
	part    *part                           // nil when no two files share a piece
	skipped []bool                          // guarded by pool.mu
	closeFS bool                            // Close closes the folder, too
	check   func(entry int, h Handle) error // check after each read; nil for none
	mine    func(entry int) error           // reports why a file must not be written to; nil allows all

	// Guarded by pool.mu.
	slots  []*slot             // by entry; nil until first used, and again when nothing is to be known of it
	unsync []int               // entries written to since they were last clean
	names  map[string]struct{} // folders with new names that are not yet synced
	ids    map[fileID]int32    // entries written to, by identity on disk
	closed bool

	grouped    Group // covers the writes of the slots that name it; nil for none
	ungrouped  bool  // the folder has none
	groupFrom  int   // number of files from which on a Group is used
	groupLeast int   // and of those that it syncs

	syncing chan struct{} // holds a token while a Sync runs; the first Sync makes it
}

// slot is the state of a file that has been used. Guarded by Pool.mu.
type slot struct {
	files *Files
	entry int
	open  *openFile

	written, synced uint64 // number of writes that returned, and how many of those are synced
	failed          error  // error of a failed sync: the content of the file is unknown
	listed          bool   // in Files.unsync
	group           Group  // covers all unsynced writes; nil for none
	away            bool   // it may be on another volume than the folder

	behind, from, to int64 // bytes written since the last start of write-back, and their range
}

func (s *slot) dirty() bool { return s.written > s.synced }

// New lays a torrent out in a folder. The entries are in the order of the torrent's bytes, without
// gaps; their paths are safe and distinct. New does not open or create anything.
func New(entries []Entry, c Config) (*Files, error) {
	f := &Files{fs: c.FS, pool: c.Pool, entries: entries, groupFrom: groupFiles, groupLeast: groupLeast}
	if c.GroupFrom > 0 {
		f.groupFrom, f.groupLeast = c.GroupFrom, 1
	}
	for _, e := range entries {
		if e.Offset != f.size || e.Length < 0 {
			return nil, fmt.Errorf("storage: file %q starts at %d; the files before it end at %d", e.Path, e.Offset, f.size)
		}
		if !e.Pad && !ValidPath(e.Path) {
			return nil, fmt.Errorf("storage: file %q: the path could lead out of the folder", e.Path)
		}
		f.size += e.Length
	}
	return f, nil
}

// Size implements Storage.
func (f *Files) Size() int64 { return f.size }

// slot returns the slot of entry i. The caller holds the pool's lock.
func (f *Files) slot(i int) (*slot, error) {
	if f.closed {
		return nil, ErrClosed
	}
	if f.slots == nil {
		f.slots = make([]*slot, len(f.entries)+1) // one more for the part file
	}
	if f.slots[i] == nil {
		f.slots[i] = &slot{files: f, entry: i}
	}
	return f.slots[i], nil
}

// scratch is the memory of a call in progress.
type scratch struct {
	one  [1][]byte
	bufs [][]byte
}

var scratches = sync.Pool{New: func() any { return new(scratch) }}

// ReadAt implements Storage.
func (f *Files) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, ErrRange
	}
	var end error
	if off+int64(len(p)) > f.size {
		p, end = p[:max(f.size-off, 0)], io.EOF
	}
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	sc.one[0] = p
	n, err := f.each(sc.one[:], off, sc, f.readFile)
	sc.one[0] = nil
	if err == nil {
		err = end
	}
	return int(n), err
}

// ReadV implements Storage.
func (f *Files) ReadV(bufs [][]byte, off int64) error {
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	_, err := f.each(bufs, off, sc, f.readFile)
	return err
}

// WriteV implements Storage.
func (f *Files) WriteV(bufs [][]byte, off int64) error {
	sc := scratches.Get().(*scratch)
	defer scratches.Put(sc)
	_, err := f.each(bufs, off, sc, f.writeFile)
	return err
}

// each splits the buffers at the borders between files, and calls do for each file in the range
// with the offset in that file. It returns the number of bytes done.
func (f *Files) each(bufs [][]byte, off int64, sc *scratch, do func(i int, bufs [][]byte, off, n int64) (int64, error)) (int64, error) {
	var want int64
	for _, b := range bufs {
		want += int64(len(b))
	}
	if off < 0 || want > f.size-off {
		return 0, fmt.Errorf("%w: %d bytes at %d of %d", ErrRange, want, off, f.size)
	}
	i := sort.Search(len(f.entries), func(i int) bool {
		return f.entries[i].Offset+f.entries[i].Length > off
	})
	var done int64
	rest := cutter{bufs: bufs}
	for done < want {
		e := &f.entries[i]
		at := off + done - e.Offset
		n := min(want-done, e.Length-at)
		part := bufs
		if n < want { // the range spans several files
			sc.bufs = rest.cut(sc.bufs[:0], n)
			part = sc.bufs
		}
		if n > 0 {
			got, err := do(i, part, at, n)
			done += got
			if err != nil {
				clear(sc.bufs)
				return done, err
			}
		}
		i++
	}
	clear(sc.bufs) // drop the references to the buffers
	return done, nil
}

// cutter splits a list of buffers at given lengths.
type cutter struct {
	bufs [][]byte
	skip int // bytes of bufs[0] already returned
}

// cut appends the next n bytes to dst, as slices of the buffers.
func (c *cutter) cut(dst [][]byte, n int64) [][]byte {
	for n > 0 {
		b := c.bufs[0][c.skip:]
		if int64(len(b)) > n {
			c.skip += int(n)
			return append(dst, b[:n])
		}
		dst = append(dst, b)
		n -= int64(len(b))
		c.bufs, c.skip = c.bufs[1:], 0
	}
	return dst
}

func (f *Files) readFile(i int, bufs [][]byte, off, n int64) (int64, error) {
	if f.entries[i].Pad {
		for _, b := range bufs {
			clear(b)
		}
		return n, nil
	}
	o, at, err := f.where(i, Read, off, n)
	if err != nil {
		return 0, err
	}
	got, err := o.ReadV(bufs, at)
	if inPart, may := f.inPart(i, off, n); err == io.EOF && may && !o.isPart() {
		// The part file can hold the bytes that this file is missing.
		if p, perr := f.pool.acquire(f, len(f.entries), Read); perr == nil {
			f.pool.release(o)
			o = p
			got, err = o.ReadV(bufs, inPart)
		}
	}
	if err == nil && f.check != nil {
		if err = f.check(o.slot.entry, o.Handle); err != nil {
			got = 0
		}
	}
	f.pool.release(o)
	f.pool.counters.reads.Add(1)
	f.pool.counters.readBytes.Add(int64(got))
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		err = fail("read", f.entries[i].Path, err)
	}
	return int64(got), err
}

// leastUncached is the smallest range, in bytes, that is worth a call to drop it from the cache.
const leastUncached = 64 << 10

// Uncache tells the system that nobody will read this durable range soon, so that it can reuse the
// memory in its page cache. It is a hint (decision 0053).
func (f *Files) Uncache(off, n int64) {
	i := sort.Search(len(f.entries), func(i int) bool {
		return f.entries[i].Offset+f.entries[i].Length > off
	})
	for ; n > 0 && i < len(f.entries); i++ {
		e := &f.entries[i]
		at := off - e.Offset
		part := min(n, e.Length-at)
		if part >= leastUncached && !e.Pad {
			if o, at, err := f.where(i, Read, at, part); err == nil {
				o.Uncache(at, part)
				f.pool.release(o)
				f.pool.counters.uncached.Add(part)
			}
		}
		off, n = off+part, n-part
	}
}

func (f *Files) writeFile(i int, bufs [][]byte, off, n int64) (int64, error) {
	if f.entries[i].Pad {
		return n, nil
	}
	g := f.group() // before the write, so that it covers it
	o, off, err := f.where(i, Create, off, n)
	if err != nil {
		return 0, err
	}
	got, err := o.WriteV(bufs, off)
	if at, may := f.inPart(i, off, n); err != nil && may && !o.isPart() && f.Skipped(i) && classify("write", err) == TooLarge {
		f.pool.release(o)
		if o, err = f.pool.acquire(f, len(f.entries), Create); err != nil {
			return 0, err
		}
		off = at
		got, err = o.WriteV(bufs, off)
	}
	f.pool.counters.writes.Add(1)
	f.pool.counters.writtenBytes.Add(int64(got))
	if got > 0 {
		if from, n := f.wrote(o.slot, g, off, int64(got)); n > 0 {
			o.StartWrite(from, n)
			f.pool.counters.hints.Add(1)
		}
	}
	f.pool.release(o)
	if err != nil {
		err = tooLong(fail("write", f.entries[i].Path, err), f.entry(i).Length)
	}
	return int64(got), err
}

// wrote records a write. It returns the range to start writing back now; a length of 0 means none.
func (f *Files) wrote(s *slot, g Group, off, n int64) (from, length int64) {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	if now := f.slots[s.entry]; now == nil {
		f.slots[s.entry] = s // it was closed and forgotten, but for this write
	} else {
		s = now
	}
	if !s.listed {
		f.unsync = append(f.unsync, s.entry)
		s.listed = true
	}
	if clean := !s.dirty(); s.away {
		s.group = nil
	} else if clean {
		s.group = g
	} else if s.group != g {
		s.group = nil
	}
	s.written++
	if s.behind == 0 {
		s.from, s.to = off, off+n
	}
	s.from, s.to = min(s.from, off), max(s.to, off+n)
	if s.behind += n; s.behind < writeBehind {
		return 0, 0
	}
	s.behind = 0
	return s.from, s.to - s.from
}

// open opens entry i. With mode Create it creates the file if there is none.
func (f *Files) open(i int, mode Mode) (h Handle, writable bool, err error) {
	name := f.entry(i).Path
	if mode == Read {
		h, err = f.fs.Open(name, Read)
	} else {
		h, err = f.fs.Open(name, Write)
		if mode == Create && errors.Is(err, fs.ErrNotExist) {
			if h, err = f.create(i); errors.Is(err, fs.ErrExist) {
				h, err = f.fs.Open(name, Write) // somebody else created it first
			}
		}
	}
	if err != nil {
		return nil, false, fail("open", name, err)
	}
	f.pool.counters.opens.Add(1)
	if mode == Read {
		return h, false, nil
	}
	if err := f.claim(i, h); err != nil {
		h.Close()
		return nil, false, fail("open", name, err)
	}
	return h, true, nil
}

// create creates a file and its parent folders.
func (f *Files) create(i int) (Handle, error) {
	name := f.entry(i).Path
	if i < len(f.entries) && f.hasPart() {
		return f.moveOut(i)
	}
	h, err := f.fs.Open(name, Create)
	if errors.Is(err, fs.ErrNotExist) {
		if err := f.mkdirs(path.Dir(name)); err != nil {
			return nil, err
		}
		h, err = f.fs.Open(name, Create)
	}
	if err == nil {
		f.named(path.Dir(name))
	}
	return h, err
}

// mkdirs creates a folder and its parents, from the top down.
func (f *Files) mkdirs(dir string) error {
	for end := 0; end < len(dir); end++ {
		next := strings.IndexByte(dir[end:], '/')
		if next < 0 {
			next = len(dir) - end
		}
		end += next
		switch err := f.fs.Mkdir(dir[:end]); {
		case err == nil:
			f.named(path.Dir(dir[:end]))
		case !errors.Is(err, fs.ErrExist):
			return err
		}
	}
	return nil
}

// named records that a folder contains a new name, which the next Sync makes durable.
func (f *Files) named(dir string) {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	f.name(dir)
}

// name is named for a caller that holds pool.mu.
func (f *Files) name(dir string) {
	if f.names == nil {
		f.names = make(map[string]struct{})
	}
	f.names[dir] = struct{}{}
}

// CheckWrites makes every open for writing call check first; an error of check refuses the write
// and says why. Set it before other goroutines use the storage.
func (f *Files) CheckWrites(check func(entry int) error) { f.mine = check }

// claim refuses to write to a file that is, through a link, also another entry of the torrent: the
// two would overwrite each other. Reading such files is harmless.
func (f *Files) claim(i int, h Handle) error {
	if f.mine != nil && i < len(f.entries) {
		if err := f.mine(i); err != nil {
			return fmt.Errorf("%w: %w", ErrUnsafe, err)
		}
	}
	if len(f.entries) == 1 {
		return nil
	}
	id, links, ok, err := identityOf(h)
	if err != nil || !ok {
		return err
	}
	if links > 1 { // rare: compare with every entry
		for j := range f.entries {
			if err := f.differs(i, j, id); err != nil {
				return err
			}
		}
	}
	// When one folder is a link to another one inside the torrent, the file has one link only:
	// compare with the files that we opened.
	f.pool.mu.Lock()
	other, taken := f.ids[id]
	f.pool.mu.Unlock()
	if taken {
		if err := f.differs(i, int(other), id); err != nil {
			return err
		}
	}
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	if f.ids == nil {
		f.ids = make(map[fileID]int32)
	}
	f.ids[id] = int32(i)
	return nil
}

// away reports whether a file that is opened for writing may be on another volume than the folder.
func (f *Files) away(h Handle) bool {
	f.pool.mu.Lock()
	g, none := f.grouped, f.ungrouped || len(f.entries) < f.groupFrom
	f.pool.mu.Unlock()
	if g == nil {
		return !none // a Group may begin while the file is open
	}
	info, err := h.Stat()
	return err != nil || !g.Holds(lookFrom(info, nil))
}

// identityOf is identify for an open file.
func identityOf(h Handle) (id fileID, links uint64, ok bool, err error) {
	if own, is := h.(interface{ identity() (fileID, uint64, bool) }); is {
		if id, links, ok = own.identity(); ok {
			return id, links, ok, nil
		}
	}
	info, err := h.Stat()
	if err == nil {
		id, links, ok = identify(info)
	}
	return id, links, ok, err
}

// differs returns an error when entry j, another entry than i, is also the file id. It looks the
// path up again, because a new file can have the identity of a deleted one.
func (f *Files) differs(i, j int, id fileID) error {
	if e := f.entry(j); j != i && !e.Pad {
		if info, err := f.fs.Lstat(e.Path); err == nil {
			if other, _, ok := identify(info); ok && other == id {
				return fmt.Errorf("%w: it is the same file as %s", ErrUnsafe, e.Path)
			}
		}
	}
	return nil
}

// Prepare implements Storage.
func (f *Files) Prepare(ctx context.Context) error {
	made := ""
	for i, e := range f.entries {
		if e.Pad || f.Skipped(i) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if dir := path.Dir(e.Path); dir != "." && dir != made {
			if err := f.mkdirs(dir); err != nil {
				return fail("create", dir, err)
			}
			made = dir
		}
		if e.Length == 0 {
			o, err := f.pool.acquire(f, i, Read) // it can exist and be read-only
			if KindOf(err) == Missing {
				o, err = f.pool.acquire(f, i, Create)
			}
			if err != nil {
				return err
			}
			f.pool.release(o)
		}
	}
	return nil
}

// State implements Storage.
func (f *Files) State() ([]FileState, error) {
	states := make([]FileState, len(f.entries))
	hasPart := f.hasPart()
	var failed error
	LookAll(f.fs, len(f.entries), func(i int) string {
		states[i].Entry = f.entries[i]
		if f.entries[i].Pad || failed != nil {
			return ""
		}
		return f.entries[i].Path
	}, func(i int, at Look, err error) {
		if errors.Is(err, fs.ErrNotExist) {
			states[i].InPart = hasPart
			return
		}
		if err == nil && !at.Plain {
			err = ErrUnsafe
		}
		if err = fail("look up", f.entries[i].Path, err); KindOf(err).Then() == fault.Refuse {
			states[i].Err, states[i].InPart = err, hasPart // the other files are still usable
			return
		}
		if err != nil {
			failed = err
			return
		}
		states[i].Exists, states[i].Size, states[i].ModTime = true, at.Size, time.Unix(0, at.ModTime)
	})
	if failed != nil {
		return nil, failed
	}
	return states, nil
}

// Close implements Storage.
func (f *Files) Close() error {
	if f.pool.close(f) && f.closeFS {
		return f.fs.Close()
	}
	return nil
}
