package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"path"

	"shoal/internal/value/fault"
	"shoal/metainfo"
)

// part is the one file of a torrent for bytes of skipped files: a wanted piece can begin in one
// file and end in the next one, which is skipped. The skipped file is not created for that, not
// even as a stub. The layout of the torrent alone decides what the part file contains, and where,
// so there is no table to damage. It contains two fragments of each file, in the order of the
// torrent: the one that shares the file's first piece with what comes before, and the one that
// shares its last piece with what follows.
//
// A file that exists is used, skipped or not. A file that does not exist has these bytes in the
// part file until the user wants it or something else of it is written: we then create it with
// these bytes in it (decision 0047).
type part struct {
	Entry          // its name and its length
	at     []int64 // offset of each entry's fragments
	pieces int64   // piece length, in bytes
}

// Mover is an FS that can rename and remove files. Without it, a file that leaves the part file is
// written under its final name.
type Mover interface {
	// Rename renames a file in one step. It replaces nothing: a taken name is fs.ErrExist.
	Rename(from, to string) error
	Remove(name string) error
}

// moveSuffix follows the name of a file while we move it out of the part file, or copy it. No file
// of a torrent has it (metainfo.SafeName).
const moveSuffix = ".shoal-new"

// temporary returns the name of a file while we make it: in the same folder, unique to it, and
// within the length that file systems accept.
func temporary(name string) string {
	if len(path.Base(name))+len(moveSuffix) <= metainfo.MaxName {
		return name + moveSuffix
	}
	sum := sha256.Sum256([]byte(path.Base(name)))
	return path.Join(path.Dir(name), hex.EncodeToString(sum[:])+moveSuffix)
}

// UsePart sends the bytes of skipped files to the part file with that name. Call it before anything
// is read or written. pieceLength is the torrent's, in bytes.
func (f *Files) UsePart(name string, pieceLength int64) {
	if pieceLength <= 0 {
		return
	}
	p := &part{Entry: Entry{Path: name, Offset: f.size}, at: make([]int64, len(f.entries)), pieces: pieceLength}
	for i := range f.entries {
		p.at[i] = p.Length
		head, tail := f.fragments(i, pieceLength)
		p.Length += head + f.entries[i].Length - tail
	}
	if p.Length > 0 {
		f.part = p
	}
}

// PartOf returns the part file of a torrent as an entry after all others; false when the torrent
// needs none.
func PartOf(entries []Entry, info *metainfo.Info) (Entry, bool) {
	if len(entries) < 2 || info.PieceLength <= 0 {
		return Entry{}, false
	}
	last := entries[len(entries)-1]
	f := &Files{entries: entries, size: last.Offset + last.Length}
	e := Entry{Path: PartName(info), Offset: f.size}
	for i := range entries {
		head, tail := f.fragments(i, info.PieceLength)
		e.Length += head + entries[i].Length - tail
	}
	return e, e.Length > 0
}

// PartEntry returns the part file as an entry after all others; false when the torrent needs none.
func (f *Files) PartEntry() (Entry, bool) {
	if f.part == nil {
		return Entry{}, false
	}
	return f.part.Entry, true
}

// fragments returns where in file i its head fragment ends, and where its tail fragment begins.
// They do not overlap.
func (f *Files) fragments(i int, pieces int64) (head, tail int64) {
	e := &f.entries[i]
	if e.Pad || e.Length == 0 {
		return 0, e.Length
	}
	if into := e.Offset % pieces; into != 0 {
		head = min(pieces-into, e.Length)
	}
	tail = e.Length
	if end := e.Offset + e.Length; end%pieces != 0 && end < f.size {
		tail = max(e.Length-end%pieces, head)
	}
	return head, tail
}

// hasFragments reports whether the part file can hold bytes of file i.
func (f *Files) hasFragments(i int) bool {
	head, tail := f.fragments(i, f.part.pieces)
	return head > 0 || tail < f.entries[i].Length
}

// inPart returns where in the part file a range of file i lies; false when the range is not inside
// one of its fragments.
func (f *Files) inPart(i int, off, n int64) (at int64, ok bool) {
	if f.part == nil {
		return 0, false
	}
	switch head, tail := f.fragments(i, f.part.pieces); {
	case off+n <= head:
		return f.part.at[i] + off, true
	case off >= tail:
		return f.part.at[i] + head + off - tail, true
	case off < head && head == tail:
		return f.part.at[i] + off, true
	}
	return 0, false
}

// entry returns entry i, or the part file for the index after the last one.
func (f *Files) entry(i int) *Entry {
	if i == len(f.entries) {
		return &f.part.Entry
	}
	return &f.entries[i]
}

// Skip sets which files are skipped; nil means none. It does not move any bytes: see MoveOut.
func (f *Files) Skip(skipped []bool) {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	f.skipped = skipped
}

// Skipped reports whether a file is skipped.
func (f *Files) Skipped(i int) bool {
	f.pool.mu.Lock()
	defer f.pool.mu.Unlock()
	return f.skipped != nil && f.skipped[i]
}

// where returns the file that a read or write of entry i uses, its own or the part file, and the
// offset in it.
func (f *Files) where(i int, mode Mode, off, n int64) (o *openFile, at int64, err error) {
	own := mode
	at, may := f.inPart(i, off, n)
	if may && mode == Create && f.Skipped(i) {
		own = Write // use its own file if it exists, do not create it
	}
	o, err = f.pool.acquire(f, i, own)
	if err == nil || !may || KindOf(err) != Missing && !(mode == Read || own == Write) ||
		KindOf(err) != Missing && KindOf(err).Then() != fault.Refuse {
		return o, off, err
	}
	if mode == Read {
		if p, perr := f.pool.acquire(f, len(f.entries), Read); perr == nil {
			return p, at, nil
		}
		return nil, 0, err // the error of its own file
	}
	o, err = f.pool.acquire(f, len(f.entries), Create)
	return o, at, err
}

// isPart reports whether o is the part file.
func (o *openFile) isPart() bool { return o.slot.entry == len(o.slot.files.entries) }

// hasPart reports whether the part file exists.
func (f *Files) hasPart() bool {
	if f.part == nil {
		return false
	}
	_, err := f.fs.Lstat(f.part.Path)
	return err == nil
}

// InPart returns the wanted files whose bytes lie in the part file: those that need MoveOut.
func (f *Files) InPart() (entries []int) {
	if !f.hasPart() {
		return nil
	}
	for i := range f.entries {
		if !f.hasFragments(i) || f.entries[i].Pad || f.Skipped(i) {
			continue
		}
		if _, err := f.fs.Lstat(f.entries[i].Path); errors.Is(err, fs.ErrNotExist) {
			entries = append(entries, i)
		}
	}
	return entries
}

// MoveOut creates file i with its bytes from the part file, which keeps them. If the process stops
// in the middle, the file does not exist.
func (f *Files) MoveOut(ctx context.Context, i int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	h, err := f.moveOut(i)
	if err != nil {
		return tooLong(fail("create", f.entries[i].Path, err), f.entries[i].Length)
	}
	return fail("create", f.entries[i].Path, h.Close())
}

// moveOut is MoveOut, and returns the file open.
func (f *Files) moveOut(i int) (Handle, error) {
	name := f.entries[i].Path
	tmp := name
	mover, moves := f.fs.(Mover)
	if moves {
		tmp = temporary(name)
	}
	h, err := f.fs.Open(tmp, Create)
	if errors.Is(err, fs.ErrNotExist) {
		if err := f.mkdirs(path.Dir(name)); err != nil {
			return nil, err
		}
		h, err = f.fs.Open(tmp, Create)
	}
	if moves && errors.Is(err, fs.ErrExist) { // left by an interrupted run
		if err := mover.Remove(tmp); err != nil {
			return nil, err
		}
		h, err = f.fs.Open(tmp, Create)
	}
	if err != nil {
		return nil, err
	}
	if err := f.copyFragments(i, h); err != nil {
		h.Close()
		return nil, err
	}
	if moves {
		err := fs.ErrExist // somebody else created it first
		if _, lerr := f.fs.Lstat(name); lerr != nil {
			err = mover.Rename(tmp, name)
		}
		if err != nil {
			h.Close()
			_ = mover.Remove(tmp)
			return nil, err
		}
	}
	f.named(path.Dir(name))
	return h, nil
}

// copyFragments copies file i's bytes from the part file and makes them durable: from now on the
// journal's claims about its pieces mean these bytes.
func (f *Files) copyFragments(i int, to Handle) error {
	p, err := f.fs.Open(f.part.Path, Read) // not from the pool: a caller that holds one of its slots must not wait for another
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.Close()
	head, tail := f.fragments(i, f.part.pieces)
	for _, r := range [2]struct{ from, to, at int64 }{
		{0, head, f.part.at[i]},
		{tail, f.entries[i].Length, f.part.at[i] + head},
	} {
		buf := make([]byte, min(r.to-r.from, 256<<10))
		for off := r.from; off < r.to; {
			b := buf[:min(int64(len(buf)), r.to-off)]
			n, err := p.ReadV([][]byte{b}, r.at+off-r.from)
			if n > 0 {
				if _, werr := to.WriteV([][]byte{b[:n]}, off); werr != nil {
					return werr
				}
			}
			if errors.Is(err, io.EOF) {
				break // the part file ends here
			}
			if err != nil {
				return err
			}
			off += int64(n)
		}
	}
	return to.Sync()
}

// PartIsDone reports whether there is a part file that nothing needs any more: every file that
// could have bytes in it exists.
func (f *Files) PartIsDone() bool {
	if !f.hasPart() {
		return false
	}
	for i := range f.entries {
		if !f.hasFragments(i) || f.entries[i].Pad {
			continue
		}
		if _, err := f.fs.Lstat(f.entries[i].Path); err != nil {
			return false
		}
	}
	_, moves := f.fs.(Mover)
	return moves
}

// RemovePart removes the part file.
func (f *Files) RemovePart() error {
	f.pool.mu.Lock()
	if s := f.slotIfAny(len(f.entries)); s != nil {
		if s.open != nil {
			f.pool.drop(s)
		}
		s.synced = s.written
	}
	f.pool.mu.Unlock()
	return fail("remove", f.part.Path, f.fs.(Mover).Remove(f.part.Path))
}

func (f *Files) slotIfAny(i int) *slot {
	if f.slots == nil {
		return nil
	}
	return f.slots[i]
}
