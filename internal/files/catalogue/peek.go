package catalogue

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"shoal/internal/files/resume"
	"shoal/internal/value/infohash"
)

// ReadEntry reads the file of one torrent in a folder that another catalogue can have open. Files
// are replaced whole, so it reads some version that was written. Totals are those of the entry; the
// list can have newer ones. The error is ErrUnknown when there is no such file, or says why the
// file can't be used.
func ReadEntry(fsys resume.FS, h infohash.Hash) (Entry, error) {
	c := &Catalogue{fs: fsys}
	b, err := c.read(fileName(h), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, fmt.Errorf("%w: %v", ErrUnknown, h)
	}
	e := examine(h, b, err)
	if e.Torrent == nil && !e.ok {
		if e.problem != nil {
			return Entry{}, fmt.Errorf("read the entry of the torrent %v: %s", h, e.problem)
		}
		return Entry{}, fmt.Errorf("read the entry of the torrent: %w", ErrMetainfo)
	}
	return e.Entry, nil
}

// Peek reads a folder that another catalogue can have open, and changes nothing: it reports
// problems and corrects none. It can report a torrent that is added or removed meanwhile as a
// problem. The errors are those of Open, except ErrInUse.
func Peek(fsys resume.FS) (*Loaded, error) {
	var lo *Loaded
	var err error
	for range peeks {
		c := newCatalogue(fsys)
		c.looksOn = true
		if lo, err = c.load(); err == nil && len(lo.Problems) == 0 {
			break
		}
	}
	return lo, err
}

// peeks is how often Peek reads a folder with problems: another process may have been writing it.
const peeks = 2

// Hashes returns the torrents that have a file in a folder, sorted by info-hash. As with ReadEntry,
// another catalogue can have the folder open.
func Hashes(fsys resume.FS) ([]infohash.Hash, error) {
	names, err := fsys.List()
	if err != nil {
		return nil, fmt.Errorf("list the catalogue: %w", err)
	}
	var all []infohash.Hash
	for _, name := range names {
		if h, ok := parseName(name); ok {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b infohash.Hash) int { return slices.Compare(a[:], b[:]) })
	return all, nil
}
