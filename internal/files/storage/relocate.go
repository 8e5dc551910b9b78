package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Relocated is what Relocate did.
type Relocated struct {
	Linked bool     // all files are the same as before, under a second name
	made   []string // files that were made; removed by Undo
	to     FS
}

// Linker is an FS that can give a file of another folder a second name, the same, in this
// one. Where that can't be, it is an error, and the file is copied.
type Linker interface {
	Link(from FS, name string) error
}

// Relocate brings those of a torrent's files that exist in the folder from into the
// folder to: by a second name for the same file where the volume is the same, else by a
// copy. The old ones stay until RemoveFiles. Nothing that is there is written over: what
// has the same bytes is used, anything else ends it, and what was made until then is taken
// away. progress is told the bytes done of all that there are.
func Relocate(ctx context.Context, from, to FS, entries []Entry, progress func(done, total int64)) (*Relocated, error) {
	r := &Relocated{Linked: true, to: to}
	if a, aerr := from.Lstat("."); aerr == nil {
		if b, berr := to.Lstat("."); berr == nil && sameFile(a, b) {
			return nil, errors.New("the files are there already")
		}
	}
	total, done := int64(0), int64(0)
	for i := range entries {
		if info, err := from.Lstat(entries[i].Path); err == nil && !entries[i].Pad {
			total += info.Size()
		}
	}
	var folders []string
	for i := range entries {
		e := &entries[i]
		if e.Pad {
			continue
		}
		err := ctx.Err()
		linked := false
		if err == nil {
			linked, err = r.link(from, e.Path)
		}
		if err == nil && !linked {
			err = r.file(ctx, from, e.Path, func(n int64) {
				done += n
				if progress != nil {
					progress(done, total)
				}
			})
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			r.Undo()
			return nil, tooLong(fail("move", e.Path, err), e.Length)
		}
		for dir := path.Dir(e.Path); !slices.Contains(folders, dir); dir = path.Dir(dir) {
			folders = append(folders, dir)
		}
	}
	for _, dir := range folders {
		if err := to.SyncDir(dir); err != nil {
			r.Undo()
			return nil, fail("sync", dir, err)
		}
	}
	return r, nil
}

// sameFile reports whether two are one file, as far as the system tells.
func sameFile(a, b fs.FileInfo) bool {
	x, _, ok := identify(a)
	y, _, also := identify(b)
	if c, twin := a.(fileIDer); twin {
		d, other := b.(fileIDer)
		return other && sameID(c, d)
	}
	return ok && also && x == y || sameInfo(a, b)
}

// fileIDer is how files of twins of the operating system are told apart.
type fileIDer interface{ FileID() (device, inode uint64) }

func sameID(a, b fileIDer) bool {
	x, y := a.FileID()
	v, w := b.FileID()
	return x == v && y == w
}

// file brings one file over.
func (r *Relocated) file(ctx context.Context, from FS, name string, moved func(int64)) error {
	seen, err := from.Lstat(name)
	if err != nil {
		return err
	}
	if !seen.Mode().IsRegular() {
		return fmt.Errorf("%w but a %s", ErrUnsafe, noun(seen.Mode()))
	}
	there, err := r.to.Lstat(name)
	switch {
	case err == nil && sameFile(seen, there):
		moved(seen.Size())
		return nil
	case err == nil:
		r.Linked = false
		return r.same(ctx, from, name, seen, there, moved)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := r.mkdirs(path.Dir(name)); err != nil {
		return err
	}
	if l, ok := r.to.(Linker); ok {
		err := l.Link(from, name)
		if err == nil {
			r.made = append(r.made, name)
			moved(seen.Size())
			return nil
		}
		if errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	r.Linked = false
	return r.copy(ctx, from, name, seen, moved)
}

// link brings over a symbolic link on the way to a file, and reports whether there is one. As
// with mv, what it leads to stays where it is.
func (r *Relocated) link(from FS, name string) (linked bool, err error) {
	l, ok := from.(*Linked)
	if !ok {
		return false, nil
	}
	at, t := l.through(name)
	if t == nil {
		return false, nil
	}
	if err := r.mkdirs(path.Dir(at)); err != nil {
		return true, err
	}
	made, linked, err := l.linkOn(r.to, name)
	if made != "" {
		r.made = append(r.made, made)
	}
	return linked, err
}

// mkdirs makes a folder and those it lies in, from the top.
func (r *Relocated) mkdirs(dir string) error {
	if dir == "." {
		return nil
	}
	if err := r.mkdirs(path.Dir(dir)); err != nil {
		return err
	}
	if err := r.to.Mkdir(dir); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// same reports, by an error, that what is there is something else.
func (r *Relocated) same(ctx context.Context, from FS, name string, seen, there fs.FileInfo, moved func(int64)) error {
	other := fmt.Errorf("%w: another file of that name is there; move it out of the way", fs.ErrExist)
	if !there.Mode().IsRegular() || there.Size() != seen.Size() {
		return other
	}
	a, err := from.Open(name, Read)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := r.to.Open(name, Read)
	if err != nil {
		return err
	}
	defer b.Close()
	equal, err := equalBytes(ctx, a, b, seen.Size(), moved)
	if err != nil {
		return err
	}
	if !equal {
		return other
	}
	// It may have been made a moment ago, by a move that was broken off.
	if err := b.Sync(); err != nil && !errors.Is(err, fs.ErrPermission) { // Windows syncs only what may be written
		return err
	}
	return nil
}

// equalBytes compares the first size bytes of two files.
func equalBytes(ctx context.Context, a, b Handle, size int64, done func(int64)) (bool, error) {
	x, y := make([]byte, 256<<10), make([]byte, 256<<10)
	for off := int64(0); off < size; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n := min(size-off, int64(len(x)))
		if _, err := a.ReadV([][]byte{x[:n]}, off); err != nil {
			return false, err
		}
		if _, err := b.ReadV([][]byte{y[:n]}, off); err != nil {
			return false, err
		}
		if !bytes.Equal(x[:n], y[:n]) {
			return false, nil
		}
		off += n
		done(n)
	}
	return true, nil
}

// copy makes a file with the same bytes, under another name until it is whole and
// durable.
func (r *Relocated) copy(ctx context.Context, from FS, name string, seen fs.FileInfo, moved func(int64)) error {
	mover, ok := r.to.(Mover)
	if !ok {
		return errors.ErrUnsupported
	}
	in, err := from.Open(name, Read)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp := temporary(name)
	if _, err := r.to.Lstat(tmp); err == nil { // left by a stop
		if err := mover.Remove(tmp); err != nil {
			return err
		}
	}
	out, err := r.to.Open(tmp, Create)
	if err != nil {
		return err
	}
	err = copyAll(ctx, out, in, moved)
	if err == nil {
		err = out.Sync()
	}
	err = errors.Join(err, out.Close())
	if c, ok := r.to.(timeSetter); ok && err == nil {
		err = c.SetTime(tmp, seen.ModTime())
	}
	if err == nil {
		if _, lerr := r.to.Lstat(name); lerr == nil {
			err = fs.ErrExist // somebody was quicker
		} else {
			err = mover.Rename(tmp, name)
		}
	}
	if err != nil {
		_ = mover.Remove(tmp)
		return err
	}
	r.made = append(r.made, name)
	return nil
}

// timeSetter is an FS that can change the time of the last change of a file.
type timeSetter interface {
	SetTime(name string, at time.Time) error
}

func copyAll(ctx context.Context, out, in Handle, moved func(int64)) error {
	buf := make([]byte, 256<<10)
	for off := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := in.ReadV([][]byte{buf}, off)
		if n > 0 {
			if _, werr := out.WriteV([][]byte{buf[:n]}, off); werr != nil {
				return werr
			}
			moved(int64(n))
			off += int64(n)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// Undo takes away what was made.
func (r *Relocated) Undo() {
	if mover, ok := r.to.(Mover); ok {
		for _, name := range r.made {
			if l, ok := r.to.(*Linked); ok {
				if at, _ := l.through(name); at == name {
					_, _ = l.leaveLink(name)
					continue
				}
			}
			_ = mover.Remove(name)
		}
		removeFolders(mover, r.made)
	}
	r.made = nil
}

// RemoveFiles removes a torrent's files from a folder, and the folders that are empty
// then, durably: else they could be back after a loss of power, when nobody knows of them
// any more. What is no plain file stays; of a symbolic link that is followed the link goes, and
// what it leads to stays.
func RemoveFiles(folder FS, entries []Entry) error {
	mover, ok := folder.(Mover)
	if !ok {
		return errors.ErrUnsupported
	}
	var names []string
	for i := range entries {
		if entries[i].Pad {
			continue
		}
		if l, ok := folder.(*Linked); ok { // the link goes, and what it leads to stays
			if at, t := l.through(entries[i].Path); t != nil {
				if _, err := l.leaveLink(entries[i].Path); err != nil {
					return fail("remove", at, err)
				}
				names = append(names, at)
				continue
			}
		}
		info, err := folder.Lstat(entries[i].Path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err != nil {
			return fail("look up", entries[i].Path, err)
		}
		if err := mover.Remove(entries[i].Path); err != nil {
			return fail("remove", entries[i].Path, err)
		}
		names = append(names, entries[i].Path)
	}
	removeFolders(mover, names)
	synced := map[string]bool{}
	for _, name := range names {
		for dir := path.Dir(name); !synced[dir]; dir = path.Dir(dir) {
			synced[dir] = true
			if err := folder.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fail("sync", dir, err)
			}
		}
	}
	return nil
}

// removeFolders removes the folders of these files that are empty, deepest first.
func removeFolders(mover Mover, names []string) {
	var dirs []string
	for _, name := range names {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			dirs = append(dirs, dir)
		}
	}
	slices.Sort(dirs)
	slices.SortStableFunc(dirs, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	for _, dir := range slices.Compact(dirs) {
		_ = mover.Remove(dir) // not when there is something in it
	}
}
