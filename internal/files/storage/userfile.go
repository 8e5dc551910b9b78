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

// Files that existed before a torrent and are not the torrent's belong to the user: we never
// overwrite a byte of them. See decision 0132.

// asideSuffix follows the name of a user's file that had the name of a torrent's file.
const asideSuffix = ".before-shoal"

// SetAside renames a file within its folder, because a torrent needs its name, and makes that
// durable. taken reports names that the torrent needs as well. Of a symbolic link that we follow,
// SetAside renames the link. It is one step: a stop at any moment leaves the file whole, under the
// one name or the other.
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
			continue // a name that we can't look up counts as taken
		}
		switch err := m.Rename(name, as); {
		case errors.Is(err, fs.ErrExist):
			continue // somebody else took the name first
		case err != nil:
			return "", fail("rename", name, err)
		}
		return as, fail("sync", path.Dir(name), fsys.SyncDir(path.Dir(name)))
	}
	return "", fail("rename", name, fmt.Errorf("every name like %s is taken: move some of these files elsewhere", path.Base(asideName(name, 1))))
}

// asideName returns the n-th name to try for a file that is set aside, within the length that
// systems accept.
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

// LinksOf returns how many names a file has (hard links); 1 where the system does not report it.
func LinksOf(info fs.FileInfo) uint64 {
	if own, ok := info.(interface{ Links() uint64 }); ok { // a twin of the system
		return own.Links()
	}
	if _, links, ok := identify(info); ok {
		return links
	}
	return 1
}

// Unshare replaces a file that has several names (hard links) with a copy, so that later writes to
// it do not show under the other names. The copy is whole and durable before it replaces the file.
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
	if _, err := fsys.Lstat(tmp); err == nil { // left by an interrupted run
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

// likeness copies the mode and the modification time of the original to its copy, and lets us write
// to it.
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

// dataFinder is a Handle that can find its holes.
type dataFinder interface {
	// NextData returns where the next data begins at or after off, or the end of the file when only
	// a hole is left. It returns false where the system does not report holes.
	NextData(off, size int64) (int64, bool)
}

// OnlyZeros reports whether a file contains only zeros, as files do that other clients
// preallocated: overwriting it loses nothing.
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

// SameBytes reports whether two files have the same content.
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
