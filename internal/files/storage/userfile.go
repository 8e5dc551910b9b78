package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"shoal/metainfo"
)

// Files that lay there before a torrent and are not the torrent's: they are the user's, and
// no byte of them is written over. See decision 0132.

// asideSuffix is behind the name of a file of the user that had the name of one of a torrent.
const asideSuffix = ".before-shoal"

// SetAside gives a file another name beside it, since a torrent needs the one that it has, and
// makes that durable. taken reports names that the torrent needs as well. Of a symbolic link
// that is followed it is the link that gets the name. It is one step: a stop at any moment
// leaves the file whole, under the one name or the other.
func SetAside(fsys FS, name string, taken func(string) bool) (as string, err error) {
	m, ok := fsys.(Mover)
	if !ok {
		return "", fail("rename", name, errors.ErrUnsupported)
	}
	for n := 1; n < 10_000; n++ {
		as = asideName(name, n)
		if taken(as) {
			continue
		}
		if _, err := fsys.Lstat(as); !errors.Is(err, fs.ErrNotExist) {
			continue // also what can't be looked up is something
		}
		switch err := m.Rename(name, as); {
		case errors.Is(err, fs.ErrExist):
			continue // somebody was quicker
		case err != nil:
			return "", fail("rename", name, err)
		}
		return as, fail("sync", path.Dir(name), fsys.SyncDir(path.Dir(name)))
	}
	return "", fail("rename", name, fmt.Errorf("every name like %s is taken: move some of these files elsewhere", path.Base(asideName(name, 1))))
}

// asideName returns the n-th name for a file that is set aside, no longer than systems take.
func asideName(name string, n int) string {
	dir, base := path.Split(name)
	end := asideSuffix
	if n > 1 {
		end += fmt.Sprintf("-%d", n)
	}
	if most := metainfo.MaxName - len(end); len(base) > most {
		cut := most
		for cut > most-utf8.UTFMax && !utf8.RuneStart(base[cut]) {
			cut--
		}
		base = strings.TrimRight(base[:cut], ". ")
	}
	return dir + base + end
}

// LinksOf returns how many names a file has (hard links); 1 where the system does not tell.
func LinksOf(info fs.FileInfo) uint64 {
	if own, ok := info.(interface{ Links() uint64 }); ok { // a twin of the system
		return own.Links()
	}
	if _, links, ok := identify(info); ok {
		return links
	}
	return 1
}

// Unshare puts a copy in the place of a file that has several names (hard links), so that what
// is written to it from then on does not show under the others. The copy is whole and durable
// before it takes the place.
func Unshare(ctx context.Context, fsys FS, name string) error {
	switch f := fsys.(type) {
	case *Unfinished:
		return f.call(name, func(at string) error { return Unshare(ctx, f.FS, at) })
	case *Linked:
		return f.call(name, func(fsys FS, at string) error { return Unshare(ctx, fsys, at) })
	}
	return fail("copy", name, unshare(ctx, fsys, name))
}

func unshare(ctx context.Context, fsys FS, name string) error {
	r, ok := fsys.(Replacer)
	m, also := fsys.(Mover)
	if !ok || !also {
		return errors.ErrUnsupported
	}
	info, err := fsys.Lstat(name)
	if err != nil {
		return err
	}
	in, err := fsys.Open(name, Read)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp := temporary(name)
	if _, err := fsys.Lstat(tmp); err == nil { // left by a stop
		if err := m.Remove(tmp); err != nil {
			return err
		}
	}
	out, err := fsys.Open(tmp, Create)
	if err != nil {
		return err
	}
	err = copyAll(ctx, out, in, func(int64) {})
	if err == nil {
		err = out.Sync()
	}
	err = errors.Join(err, out.Close())
	if err == nil {
		err = likeness(fsys, tmp, info)
	}
	if err == nil {
		err = r.Replace(tmp, name)
	}
	if err != nil {
		_ = m.Remove(tmp)
		return err
	}
	return fsys.SyncDir(path.Dir(name))
}

// likeness gives a copy the mode and the time of the file that it was made of, and the right
// for us to write to it.
func likeness(fsys FS, tmp string, info fs.FileInfo) error {
	if c, ok := fsys.(interface {
		SetMode(name string, mode fs.FileMode) error
	}); ok {
		if err := c.SetMode(tmp, info.Mode().Perm()|0o200); err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	if c, ok := fsys.(timeSetter); ok {
		return c.SetTime(tmp, info.ModTime())
	}
	return nil
}

// dataFinder is a Handle that knows where its holes are.
type dataFinder interface {
	// NextData returns where the next data begins at or behind off; the end of the file when
	// there is only a hole. False where the system does not tell.
	NextData(off, size int64) (int64, bool)
}

// OnlyZeros reports whether a file holds nothing but zeros, as those do that other clients
// reserve room with: nothing is lost when it is written over.
func OnlyZeros(ctx context.Context, fsys FS, name string) (bool, error) {
	h, err := fsys.Open(name, Read)
	if err != nil {
		return false, fail("open", name, err)
	}
	defer h.Close()
	info, err := h.Stat()
	if err != nil {
		return false, fail("read", name, err)
	}
	d, finds := h.(dataFinder)
	buf := make([]byte, len(zeros))
	for off := int64(0); off < info.Size(); {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		if finds {
			if at, ok := d.NextData(off, info.Size()); ok && at > off {
				off = at
				continue
			}
		}
		b := buf[:min(int64(len(buf)), info.Size()-off)]
		n, err := h.ReadV([][]byte{b}, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return false, fail("read", name, err)
		}
		if n == 0 {
			break
		}
		if !bytes.Equal(b[:n], zeros[:n]) {
			return false, nil
		}
		off += int64(n)
	}
	return true, nil
}

// SameBytes reports whether two files hold the same.
func SameBytes(ctx context.Context, fsys FS, one, other string) (bool, error) {
	a, err := fsys.Open(one, Read)
	if err != nil {
		return false, fail("open", one, err)
	}
	defer a.Close()
	b, err := fsys.Open(other, Read)
	if err != nil {
		return false, fail("open", other, err)
	}
	defer b.Close()
	x, err := a.Stat()
	if err != nil {
		return false, fail("read", one, err)
	}
	y, err := b.Stat()
	if err != nil {
		return false, fail("read", other, err)
	}
	if x.Size() != y.Size() {
		return false, nil
	}
	same, err := equalBytes(ctx, a, b, x.Size(), func(int64) {})
	return same, fail("read", one, err)
}
