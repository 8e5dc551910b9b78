package content

import (
	"fmt"
	"slices"
	"strings"

	"shoal/internal/decide/filestate"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
	"shoal/metainfo"
)

// ownFile refuses a file that another torrent of the engine also has: in the same folder, by the same
// name. Its content belongs to the torrent that was there first, or that has something of it while we
// have nothing; then we do not overwrite it. What the others have fetched we find at our next check; if
// that is ours as well, nothing is left to write.
//
// It is called once for each file that is opened for writing, so it keeps nothing. Rewriting unchanged
// bytes is harmless (decision 0052).
func (o *session) ownFile(file int) error {
	if o.rewriting.Load() {
		return nil
	}
	if o.c.users.waits(file) {
		return errFirst
	}
	top, _, _ := strings.Cut(o.c.Path(file), "/")
	return o.c.ownOf(file, o.c.rivals(top))
}

// allOwn is ownFile for all files that we still have to write to: what we can't write we do not
// fetch.
func (o *session) allOwn(have *bitfield.Bitfield) error {
	c, last, r := o.c, "", rivals{}
	for i := range c.info.Files {
		f := &c.info.Files[i]
		if f.Pad || f.Length == 0 || o.files.Skipped(i) || c.allOf(i, have) {
			continue
		}
		if top, _, _ := strings.Cut(c.Path(i), "/"); top != last {
			last, r = top, c.rivals(top)
		}
		if err := c.ownOf(i, r); err != nil {
			return storage.Fail("write", c.Path(i), fmt.Errorf("%w: %w", storage.ErrUnsafe, err))
		}
	}
	return nil
}

// ownOf refuses a file that a rival also has, as filestate.Yields decides.
func (c *Content) ownOf(file int, r rivals) error {
	if len(r.before)+len(r.after) == 0 {
		return nil
	}
	name := c.Path(file)
	for n, other := range slices.Concat(r.before, r.after) {
		i := other.fileAt(name)
		if i >= 0 && filestate.Yields(n < len(r.before), other.hasOf(i), c.hasOf(file)) && c.oneFile(name, other.Path(i)) {
			return theirs(name, other)
		}
	}
	return nil
}

// oneFile reports whether two paths in the torrent's folder, which some file system takes for one, are
// one there.
func (c *Content) oneFile(a, b string) bool {
	if a == b {
		return true
	}
	folder, err := c.shared.pool.Folder(c.at.Load().given)
	if err != nil {
		return true
	}
	defer folder.Close()
	x, xerr := folder.Lstat(a)
	y, yerr := folder.Lstat(b)
	switch {
	case xerr == nil && yerr == nil:
		return storage.SameFile(x, y)
	case xerr == nil || yerr == nil:
		return false
	}
	ask := newTaste(folder, c.info.Hash)
	defer ask.close()
	return !ask.open || ask.folds()
}

func theirs(name string, other *Content) error {
	return fmt.Errorf("%s is a file of the torrent %s, too, which has it", name, other.info.Name)
}

// rivals returns the torrents in the same folder that may share a name of a file or folder with this
// one: those that were added before it, and those added later.
type rivals struct{ before, after []*Content }

func (c *Content) rivals(top string) (r rivals) {
	dir := c.at.Load().abs
	r.before, r.after = c.host.Rivals(func(other *Content) bool {
		at := other.at.Load()
		return at != nil && at.abs == dir && other.InFolder() &&
			(other.named.Load() != nil || metainfo.SamePath(other.info.Name, top))
	})
	return r
}

// fileAt returns the index of the file with a path on some file system; -1 for none.
func (c *Content) fileAt(name string) int {
	key := metainfo.PathKey(name)
	for i := range c.info.Files {
		if f := &c.info.Files[i]; !f.Pad && f.Length > 0 && metainfo.PathKey(c.Path(i)) == key {
			return i
		}
	}
	return -1
}

// allOf reports whether all pieces of a file are in a set.
func (c *Content) allOf(file int, have *bitfield.Bitfield) bool {
	f, size := &c.info.Files[file], int64(c.geom.PieceLength)
	for p := f.Offset / size; p <= (f.Offset+f.Length-1)/size; p++ {
		if !have.Has(uint32(p)) {
			return false
		}
	}
	return true
}

// hasOf reports whether we have a piece of a file.
func (c *Content) hasOf(file int) bool {
	f, size := &c.info.Files[file], int64(c.geom.PieceLength)
	for p := f.Offset / size; f.Length > 0 && p <= (f.Offset+f.Length-1)/size; p++ {
		if c.verified.has(uint32(p)) {
			return true
		}
	}
	return false
}
