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

// Relocated is the result of Relocate.
type Relocated struct {
	Linked bool     // all files are hard links: the same files under a second name
	made   []string // files that Relocate created; Undo removes them
	to     FS
}

// Linker is an FS that can hard-link a file of another folder into this one. Where the system
// can't, Link fails and the caller copies the file.
type Linker interface {
	Link(from FS, name string) error
}

// Relocate brings the existing files of a torrent from one folder into another: as hard links on
// the same volume, else as copies. The old ones stay until RemoveFiles. Relocate overwrites
// nothing: it uses a file with the same bytes, and fails on any other, after it has removed what it
// created. It calls progress with the bytes done and the total.
func Relocate(ctx context.Context, from, to FS, entries []Entry, progress func(done, total int64)) (*Relocated, error) {
	r := &Relocated{Linked: true, to: to}
	if a, aerr := from.Lstat("."); aerr == nil {
		if b, berr := to.Lstat("."); berr == nil && sameFile(a, b) {
			return nil, errors.New("the source and the destination are the same folder")
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

// sameFile reports whether two are one file, as far as the system can tell.
func sameFile(a, b fs.FileInfo) bool {
	x, _, ok := identify(a)
	y, _, also := identify(b)
	if c, twin := a.(fileIDer); twin {
		d, other := b.(fileIDer)
		return other && sameID(c, d)
	}
	return ok && also && x == y || sameInfo(a, b)
}

// fileIDer distinguishes the files of a twin of the operating system.
type fileIDer interface{ FileID() (device, inode uint64) }

func sameID(a, b fileIDer) bool {
	x, y := a.FileID()
	v, w := b.FileID()
	return x == v && y == w
}

// file relocates one file.
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

// link relocates a symbolic link on the way to a file, and reports whether there is one. As with
// mv, the target of the link stays where it is.
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

// mkdirs creates a folder and its parents, from the top down.
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

// same returns an error unless the existing file has the same bytes.
func (r *Relocated) same(ctx context.Context, from FS, name string, seen, there fs.FileInfo, moved func(int64)) error {
	other := fmt.Errorf("%w: the destination has another file of that name; move it away", fs.ErrExist)
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
	// An interrupted move may have written it a moment ago, so sync it.
	if err := b.Sync(); err != nil && !errors.Is(err, fs.ErrPermission) { // Windows syncs only writable files
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

// copy copies a file under a temporary name, and renames it once it is whole and durable.
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
	if _, err := r.to.Lstat(tmp); err == nil { // left by an interrupted run
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
			err = fs.ErrExist // somebody else created it first
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

// timeSetter is an FS that can set a file's modification time.
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

// Undo removes what Relocate created.
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

// RemoveFiles removes a torrent's files from a folder, and the folders that become empty. It makes
// that durable: after a loss of power the files could come back, when no torrent owns them any
// more. What is not a plain file stays. Of a symbolic link that we follow, the link goes and its
// target stays.
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
		if l, ok := folder.(*Linked); ok { // the link goes, and its target stays
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

// removeFolders removes the empty folders of these files, deepest first.
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
		_ = mover.Remove(dir) // fails when it is not empty
	}
}
