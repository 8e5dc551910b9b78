package resume

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
)

// Loaded is what a journal said when it was opened.
type Loaded struct {
	Found bool // there was a journal, whatever it is worth
	Clean bool // the torrent was closed in order
	Torn  bool // a stop cut off the last records, which are lost

	// Damaged says what is wrong with a journal that something other than a stop has changed; then
	// nothing in it counts. Empty when all is well.
	Damaged string

	Dir   string // folder of the files
	Names Names  // names of files that differ from the torrent's; see Layout

	// Renaming says that a stop interrupted a rename: call FinishRenames before looking at any
	// file.
	Renaming bool

	Have *bitfield.Bitfield // claimed: verified and durable; Compare says which claims still hold; read-only

	lay  *Layout
	st   *state // shared with the journal until that changes
	boot Boot
	same bool // no loss of power since

	noted int64 // time of the last change of the journal that is on the device; nanoseconds since 1970
}

// Noted reports whether a file existed when the journal was last written.
func (lo *Loaded) Noted(i int) bool {
	return i < len(lo.st.files) && (lo.st.files[i].Exists || lo.st.safe[i].Exists)
}

// maxFile bounds the length of a journal that we read: a snapshot of the torrent and the records up
// to the next one, generously, in bytes.
func maxFile(l *Layout) int64 {
	const identity, fixed = 64, maxDir + 4096
	snapshot := fixed + 2*int64(bitfield.WireLen(l.Geometry.Pieces)) + 2*identity*int64(len(l.Files))
	return 4 * (snapshot + maxNames(l) + logLimit)
}

// load reads a journal. It returns errors of the file system only; Loaded says what is wrong with
// the content.
func load(fsys FS, l *Layout, boot Boot, names Names) (*Loaded, *state, file, error) {
	lo := &Loaded{lay: l, boot: boot, Clean: true}
	var b []byte
	err := fs.ErrNotExist
	if fsys != nil {
		b, lo.noted, err = readFile(fsys, l.FileName(), maxFile(l))
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		lo.st, lo.same = newState(l), true
		lo.st.names = names.naming()
		lo.Have = lo.st.have
		return lo, lo.st, file{renew: true}, nil
	case errors.Is(err, errLarge):
		lo.Damaged = errLarge.Error()
	case err != nil:
		return nil, nil, file{}, fmt.Errorf("read the journal: %w", err)
	}
	lo.Found = true
	var f file
	if lo.Damaged == "" {
		f = lo.decode(b)
	}
	st := lo.st
	if lo.Damaged != "" {
		lo.st, lo.Clean, f = newState(l), false, file{renew: true}
		lo.st.doubt = bitfield.New(l.Geometry.Pieces)
		lo.st.doubt.SetAll()
		lo.st.names = names.naming()
		st = newState(l) // an empty state: we do not even know that we wrote the journal
		st.names = lo.st.names
	}
	lo.Have = lo.st.have
	return lo, st, f, nil
}

// decode reads the records.
func (lo *Loaded) decode(b []byte) file {
	l := lo.lay
	first, err := parseRecord(b, &l.InfoHash)
	if err == nil && (first.kind != kindSnapshot || first.seq != 0) {
		err = errors.New("it does not begin with a snapshot")
	}
	if err == nil {
		lo.st, err = parseSnapshot(first.payload, l)
	}
	if err != nil {
		lo.Damaged = err.Error()
		return file{}
	}
	lo.same = lo.boot.same(lo.st.boot)
	at, seq := first.size, uint64(1)
	for at < len(b) {
		r, err := parseRecord(b[at:], &l.InfoHash)
		if err == nil && (r.seq != seq || !lo.st.apply(r, l)) {
			lo.Damaged = fmt.Sprintf("record %d at byte %d is ill-formed", seq, at)
			return file{}
		}
		if err != nil {
			// A stop cuts off what was not durable. In the same run of the system the file only
			// ends within its last record.
			if vouchedFor(b, at, &l.InfoHash, lo.same) {
				lo.Damaged = fmt.Sprintf("record %d at byte %d: %v", seq, at, err)
				return file{}
			}
			lo.Torn = true
			break
		}
		at, seq = at+r.size, seq+1
	}
	lo.Clean = lo.st.clean
	lo.Dir = lo.st.dir
	return file{end: int64(at), base: int64(first.size), seq: seq, synced: int64(first.size), renew: lo.Torn || lo.st.boot != lo.boot.ID}
}

var errLarge = errors.New("the journal is too long for this torrent")

func readFile(fsys FS, name string, max int64) (b []byte, changed int64, err error) {
	h, err := fsys.Open(name, storage.Read)
	if err != nil {
		return nil, 0, err
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return nil, 0, err
	}
	if info.Size() > max {
		return nil, 0, errLarge
	}
	b = make([]byte, info.Size())
	if _, err := h.ReadV([][]byte{b}, 0); err != nil {
		return nil, 0, err
	}
	return b, info.ModTime().UnixNano(), nil
}

func (s *state) clone() *state {
	c := *s
	c.have, c.doubt = s.have.Clone(), s.doubts()
	c.files, c.safe = slices.Clone(s.files), slices.Clone(s.safe)
	return &c
}
