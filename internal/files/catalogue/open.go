package catalogue

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/infohash"
	"shoal/metainfo"
)

// ErrInUse is returned when another process has the catalogue open.
var ErrInUse = errors.New("another shoal that is up keeps its torrents in this folder")

// ErrNewer is returned when a newer version, whose format we can't write, wrote the list.
var ErrNewer = errors.New("the list of torrents was written by a newer shoal: use that one, or choose another folder of state")

// Loaded is the content of a catalogue when it was opened.
type Loaded struct {
	Entries  []Entry // in the order of the list
	Problems []Problem
}

// maxFile bounds a file, in bytes: a torrent of the largest size, its priorities and names.
const maxFile = metainfo.MaxSize + 64<<20

func newCatalogue(fsys resume.FS) *Catalogue {
	return &Catalogue{
		fs: fsys, unlock: func() {},
		rows: map[infohash.Hash]*row{}, settings: Settings{},
		pending: map[infohash.Hash][]byte{}, removed: map[infohash.Hash]bool{}, inTheWay: map[string]bool{},
		writers: defaultWriters, maxPending: defaultPending,
	}
}

// Open opens the catalogue in fsys, which it uses until Close, and loads everything, on all cores.
// A nil fsys is for an engine that keeps nothing: the catalogue then accepts everything and keeps
// totals only.
//
// Damaged files do not make Open fail: Loaded.Problems reports them. The error is ErrInUse,
// ErrNewer, or that of listing the folder.
func Open(fsys resume.FS) (*Catalogue, *Loaded, error) {
	c := newCatalogue(fsys)
	if fsys == nil {
		return c, &Loaded{}, nil
	}
	if l, ok := fsys.(resume.Locker); ok {
		unlock, err := l.Lock(0)
		if errors.Is(err, resume.ErrInUse) {
			return nil, nil, ErrInUse
		}
		if err != nil {
			return nil, nil, fmt.Errorf("lock the catalogue: %w", err)
		}
		c.unlock = unlock
	}
	lo, err := c.load()
	if err != nil {
		c.unlock()
		return nil, nil, err
	}
	return c, lo, nil
}

// load reads the folder.
func (c *Catalogue) load() (*Loaded, error) {
	names, err := c.fs.List()
	if err != nil {
		return nil, fmt.Errorf("list the catalogue: %w", err)
	}
	var hashes []infohash.Hash
	for _, name := range names {
		if h, ok := parseName(name); ok {
			hashes = append(hashes, h)
		}
		if strings.HasSuffix(name, newSuffix) && !c.looksOn {
			_ = c.fs.Remove(name) // left by an interrupted run; if it stays, the next writer tries again
		}
	}
	slices.SortFunc(hashes, compareHashes)
	l, problems, err := c.loadList(names)
	if err != nil {
		return nil, err
	}
	loaded := c.loadEntries(hashes)
	c.renamed = true // perhaps, by a run that stopped before it could sync the folder
	lo := &Loaded{Problems: append(problems, c.missing(&l, hashes)...)}
	c.join(&l, loaded)
	for i := range loaded {
		e := &loaded[i]
		if e.ok {
			lo.Entries = append(lo.Entries, e.Entry)
		}
		if e.problem != nil {
			if !c.looksOn {
				c.settle(e)
			}
			lo.Problems = append(lo.Problems, *e.problem)
		}
	}
	if len(lo.Problems) > 0 && !c.looksOn {
		if err := c.flush(context.Background()); err != nil {
			lo.Problems = append(lo.Problems, Problem{File: ".", Text: "the corrections could not be written yet", Err: err})
		}
	}
	return lo, nil
}

// entry is one loaded file.
type entry struct {
	Entry
	rev     uint64
	ok      bool // the torrent is readable
	lost    bool // its choices are lost
	repair  bool // its file must be written again
	problem *Problem
}

// loadEntries reads the files of torrents, several at once.
func (c *Catalogue) loadEntries(hashes []infohash.Hash) []entry {
	loaded := make([]entry, len(hashes))
	bufs := make([][]byte, readersPerCore*runtime.GOMAXPROCS(0))
	sideBySide(len(bufs), len(hashes), func(worker, i int) {
		var err error
		bufs[worker], err = c.read(fileName(hashes[i]), bufs[worker])
		loaded[i] = examine(hashes[i], bufs[worker], err)
	})
	return loaded
}

// sideBySide calls do for 0 to n-1 on the given number of workers, and waits for all calls.
func sideBySide(workers, n int, do func(worker, i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for worker := range min(workers, n) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				do(worker, i)
			}
		})
	}
	wg.Wait()
}

// readersPerCore is how many files each core reads at once: some reads wait for the disk.
const readersPerCore = 2

// read reads a file, into buf if that is large enough, and returns the bytes.
func (c *Catalogue) read(name string, buf []byte) ([]byte, error) {
	h, err := c.fs.Open(name, storage.Read)
	if err != nil {
		return buf[:0], err
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return buf[:0], err
	}
	if info.Size() > maxFile {
		return buf[:0], fmt.Errorf("%w: %d bytes", metainfo.ErrTooLarge, info.Size())
	}
	buf = slices.Grow(buf[:0], int(info.Size()))[:info.Size()]
	n, err := h.ReadV([][]byte{buf}, 0)
	if errors.Is(err, io.EOF) {
		err = nil // the file became shorter
	}
	return buf[:n], err
}

// examine finds out what a torrent's file contains. It keeps no reference to b.
func examine(h infohash.Hash, b []byte, err error) entry {
	e := entry{Entry: Entry{InfoHash: h}}
	told := func(l Loss, text string, err error) entry {
		e.problem = &Problem{Loss: l, File: fileName(h), InfoHash: h, Text: text, Err: err}
		return e
	}
	if err != nil {
		return told(Withheld, "the file can't be read, so this torrent is not loaded: restart shoal when it can", err)
	}
	f, damage := unseal(b, kindEntry)
	if damage != nil && damage != errDamage {
		return told(Withheld, damage.Error()+", so this torrent is not loaded: use the newer shoal", nil)
	}
	var form error
	if f.fields != nil {
		e.rev, form = e.parseFields(f.fields)
	}
	if damage == nil {
		e.Torrent, e.Metainfo = parseMetainfo(f.body, h)
		if e.Torrent == nil && (len(f.body) > 0 || form != nil || !e.linkOnly()) {
			return told(Withheld, "the file contains another torrent than its name says, or one that shoal does not support, so it is not loaded: remove the file if you do not need it", nil)
		}
		e.ok = true
		if form != nil {
			e.forget()
			return told(Some, "the choices for this torrent are in an unknown form, so it is stopped: say where its files are, and start it", nil)
		}
		if !e.fit() {
			return told(Some, "the choices do not match the torrent's files and are dropped: check the torrent's files", nil)
		}
		if f.corrected {
			e.repair = true
			return told(Nothing, "one byte of the file was wrong; shoal corrected it", nil)
		}
		return e
	}
	var exact bool
	e.Torrent, e.Metainfo, exact = salvage(b, f, h)
	known := f.fields != nil && form == nil
	e.ok = e.Torrent != nil || known && e.linkOnly()
	e.repair = e.ok
	if !known {
		e.forget()
	} else if e.ok {
		e.fit()
	}
	switch {
	case e.ok && e.Torrent == nil:
		return told(Some, "the file is damaged; the magnet link and the choices are intact, and the metadata is fetched from peers", nil)
	case e.ok && e.lost:
		return told(Some, "the file is damaged; the info-hash verifies the torrent, "+trackers[exact]+", and its choices are lost, so it is stopped: say where its files are, and start it", nil)
	case e.ok:
		return told(Some, "the file is damaged; the info-hash verifies the torrent, "+trackers[exact]+", and its choices are intact", nil)
	}
	told(Torrent, "the file is damaged, and the torrent can't be recovered from it: add the torrent file again", nil)
	if known {
		e.problem.Text += fmt.Sprintf(", with the folder %q", e.Dir)
		left := e.Entry
		e.problem.Left = &left
	}
	return e
}

// trackers says what happened to everything except the info dictionary.
var trackers = map[bool]string{
	true:  "trackers and comment may be wrong",
	false: "trackers and comment are lost",
}

// forget handles a torrent whose choices are lost: it is stopped, so that nothing is downloaded
// into a folder that nobody chose.
func (e *entry) forget() {
	e.Choices, e.State, e.rev, e.lost = Choices{}, State{Stopped: true}, 0, true
}

// join combines list and entries: it makes rows for all existing entries, with the state of
// whichever is newer. It orders the entries as in the list; those that are not in the list follow,
// in the order of Put.
func (c *Catalogue) join(l *list, loaded []entry) {
	c.rev, c.unknown = l.rev, l.unknown
	if l.settings != nil {
		c.settings = l.settings
	}
	places := int64(len(l.order))
	for i := range loaded {
		e := &loaded[i]
		c.rev = max(c.rev, e.rev)
		r, listed := l.rows[e.InfoHash]
		if listed && r.removed {
			if l.newer(e.rev) { // a stop came before its removal
				e.ok, e.problem = false, nil
				r.gone = true
				c.rows[e.InfoHash], c.removed[e.InfoHash] = r, true
				continue
			}
			listed = false // it was put again later
		}
		if !listed {
			if !e.ok {
				continue
			}
			r = &row{State: e.State, unlisted: true}
		}
		if !e.ok && e.problem.Loss == Torrent {
			c.listDirty = true
			if e.problem.Left != nil && listed && l.newer(e.rev) {
				e.problem.Left.State = r.State
			}
			continue
		}
		switch {
		case !e.ok:
			r.gone = true
		case e.lost:
			r.Stopped = true
			e.State = r.State
		case listed && l.newer(e.rev):
			e.State = r.State
		default:
			r.State = e.State
		}
		r.linkOnly = e.Torrent == nil
		c.rows[e.InfoHash] = r
	}
	place := func(e *entry) int64 {
		if r := c.rows[e.InfoHash]; r != nil && r.place > 0 {
			return r.place
		}
		return places + 1
	}
	slices.SortStableFunc(loaded, func(a, b entry) int {
		return cmp.Or(cmp.Compare(place(&a), place(&b)), cmp.Compare(a.rev, b.rev))
	})
	for i := range loaded {
		if r := c.rows[loaded[i].InfoHash]; r != nil {
			r.place = int64(i) + 1
		}
	}
	c.last = int64(len(loaded))
}

// missing reports torrents that are in the list and have no entry.
func (c *Catalogue) missing(l *list, hashes []infohash.Hash) (problems []Problem) {
	for _, h := range l.order {
		if _, found := slices.BinarySearchFunc(hashes, h, compareHashes); found {
			continue
		}
		c.listDirty = true
		if r := l.rows[h]; !r.removed {
			problems = append(problems, Problem{
				Loss: Torrent, File: fileName(h), InfoHash: h, Text: "the file is missing: add the torrent file again",
				Left: &Entry{InfoHash: h, State: r.State},
			})
		}
	}
	return problems
}

// settle handles a damaged file: it sets the file aside, and schedules a new one with what is known
// about the torrent.
func (c *Catalogue) settle(e *entry) {
	name, p := fileName(e.InfoHash), e.problem
	var err error
	switch {
	case p.Loss == Withheld:
		c.inTheWay[name] = true
	case p.Loss == Torrent:
		p.Aside, err = c.moveAside(name)
	case e.repair:
		if p.Aside, err = c.copyAside(name); err != nil {
			c.inTheWay[name] = true
		} else {
			err = c.put(&e.Entry)
		}
	}
	if err != nil {
		p.Text += "; the correction could not be written, so this message comes again at the next start"
		p.Err = err
	}
}
