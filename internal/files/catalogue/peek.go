package catalogue

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"shoal/internal/files/resume"
	"shoal/internal/value/infohash"
)

// ReadEntry reads the file of one torrent in a folder that another catalogue may have
// open. Files are replaced whole, so the entry is one that was written; totals are those
// of the entry, and the list may have newer ones. The error is ErrUnknown when there is no
// such file, or says why it can't be used.
func ReadEntry(fsys resume.FS, h infohash.Hash) (Entry, error) {
	c := &Catalogue{fs: fsys}
	b, err := c.read(fileName(h), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return Entry{}, fmt.Errorf("%w: %v", ErrUnknown, h)
	}
	e := examine(h, b, err)
	if e.Torrent == nil {
		if e.problem != nil {
			return Entry{}, fmt.Errorf("read the entry of the torrent %v: %s", h, e.problem)
		}
		return Entry{}, fmt.Errorf("read the entry of the torrent: %w", ErrMetainfo)
	}
	return e.Entry, nil
}

// Peek reads a folder that another catalogue may have open, and changes nothing in it:
// what is wrong is told, and not put right. A torrent that comes or goes meanwhile may be told
// as a problem. The errors are those of Open, but for ErrInUse.
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

// peeks is how often a folder is read in which something seems to be wrong: it may have been
// read while it was written.
const peeks = 2

// Hashes gives the torrents that have a file in a folder, in the order of their
// info-hashes; as with ReadEntry, another catalogue may have it open.
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
