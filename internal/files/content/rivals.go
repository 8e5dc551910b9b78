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

// ownFile refuses a file that another torrent of the engine has, too: in the same folder and
// by the same name. What is in it is theirs when they were first, or have something of it
// and we have not; then it is not written over. What they have got we find when we look
// at it the next time; if that is ours as well, nothing is left to be written.
//
// It is asked once for each file that is opened to be written to, so nothing is kept for it.
// What is written again as it was read does no harm.
// Decision 0052 says why.
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

// allOwn is ownFile of all files that are still to be written to: what can't be written is
// not fetched.
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

// ownOf refuses a file that is one of those of a rival, as filestate.Yields decides.
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

// oneFile reports whether two paths in the torrent's folder, which some file system takes for
// one, are one there.
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

// rivals are the torrents in the same folder that may have a file or folder of one name:
// those that were added before this one, and those that came later.
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

// fileAt returns the number of the file that has a path on some file system; -1 for none.
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
