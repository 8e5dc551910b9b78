package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Relocated is what Relocate did.
type Relocated struct {
	Linked bool     // all files are the same as before, under a second name
	made   []string // files that were made; removed by Undo
	to     *os.Root
}

// Relocate brings those of a torrent's files that exist in the folder from into the
// folder to: by a second name for the same file where the volume is the same, else by a
// copy. The old ones stay until RemoveFiles. Nothing that is there is written over: what
// has the same bytes is used, anything else ends it, and what was made until then is taken
// away. progress is told the bytes done of all that there are.
func Relocate(ctx context.Context, from, to string, entries []Entry, progress func(done, total int64)) (*Relocated, error) {
	old, err := os.OpenRoot(from)
	if err != nil {
		return nil, fail("open", from, err)
	}
	defer old.Close()
	root, err := os.OpenRoot(to)
	if err != nil {
		return nil, fail("open", to, err)
	}
	r := &Relocated{Linked: true, to: root}
	if a, aerr := old.Stat("."); aerr == nil {
		if b, berr := root.Stat("."); berr == nil && os.SameFile(a, b) {
			root.Close()
			return nil, fmt.Errorf("move to %s: the files are there already", to)
		}
	}
	total, done := int64(0), int64(0)
	for i := range entries {
		if info, err := old.Lstat(entries[i].Path); err == nil && !entries[i].Pad {
			total += info.Size()
		}
	}
	var folders []string
	for i := range entries {
		e := &entries[i]
		if e.Pad {
			continue
		}
		if err = ctx.Err(); err == nil {
			err = r.file(ctx, old, e.Path, func(n int64) {
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
			return nil, fail("move", e.Path, err)
		}
		for dir := path.Dir(e.Path); !slices.Contains(folders, dir); dir = path.Dir(dir) {
			folders = append(folders, dir)
		}
	}
	for _, dir := range folders {
		if err := (folder{root}).SyncDir(dir); err != nil {
			r.Undo()
			return nil, fail("sync", dir, err)
		}
	}
	return r, nil
}

// file brings one file over.
func (r *Relocated) file(ctx context.Context, old *os.Root, name string, moved func(int64)) error {
	seen, err := old.Lstat(name)
	if err != nil {
		return err
	}
	if !seen.Mode().IsRegular() {
		return fmt.Errorf("%w but a %s", ErrUnsafe, noun(seen.Mode()))
	}
	if there, err := r.to.Lstat(name); err == nil {
		if os.SameFile(seen, there) {
			moved(seen.Size())
			return nil
		}
		r.Linked = false
		return r.same(ctx, old, name, seen, there, moved)
	}
	if err := r.to.MkdirAll(path.Dir(name), 0o777); err != nil {
		return refused(err)
	}
	if err := link(old, r.to, name); err == nil {
		r.made = append(r.made, name)
		moved(seen.Size())
		return nil
	} else if errors.Is(err, fs.ErrExist) {
		return err
	}
	r.Linked = false
	return r.copy(ctx, old, name, seen, moved)
}

// same reports, by an error, that what is there is something else.
func (r *Relocated) same(ctx context.Context, old *os.Root, name string, seen, there fs.FileInfo, moved func(int64)) error {
	other := fmt.Errorf("%w: another file of that name is there; move it out of the way", fs.ErrExist)
	if !there.Mode().IsRegular() || there.Size() != seen.Size() {
		return other
	}
	a, err := old.Open(name)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := r.to.Open(name)
	if err != nil {
		return err
	}
	defer b.Close()
	x, y := make([]byte, 256<<10), make([]byte, 256<<10)
	for left := seen.Size(); left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(left, int64(len(x)))
		if _, err := io.ReadFull(a, x[:n]); err != nil {
			return err
		}
		if _, err := io.ReadFull(b, y[:n]); err != nil {
			return err
		}
		if !bytes.Equal(x[:n], y[:n]) {
			return other
		}
		left -= n
		moved(n)
	}
	return nil
}

// copy makes a file with the same bytes, under another name until it is whole and
// durable.
func (r *Relocated) copy(ctx context.Context, old *os.Root, name string, seen fs.FileInfo, moved func(int64)) error {
	in, err := old.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	tmp := temporary(name)
	_ = r.to.Remove(tmp) // left by a stop
	out, err := r.to.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	buf := make([]byte, 256<<10)
	for err == nil {
		var n int
		if n, err = in.Read(buf); n > 0 {
			if _, werr := out.Write(buf[:n]); werr != nil {
				err = werr
			}
			moved(int64(n))
		}
		if err == nil {
			err = ctx.Err()
		}
	}
	if err == io.EOF {
		err = out.Sync()
	}
	err = errors.Join(err, out.Close())
	if err == nil {
		err = r.to.Chtimes(tmp, seen.ModTime(), seen.ModTime())
	}
	if err == nil {
		if _, lerr := r.to.Lstat(name); lerr == nil {
			err = fs.ErrExist // somebody was quicker
		} else {
			err = rename(r.to, tmp, name)
		}
	}
	if err != nil {
		_ = r.to.Remove(tmp)
		return err
	}
	r.made = append(r.made, name)
	return nil
}

// Undo takes away what was made.
func (r *Relocated) Undo() {
	for _, name := range r.made {
		_ = r.to.Remove(name)
	}
	removeFolders(r.to, r.made)
	r.made = nil
	r.Close()
}

// Close keeps what was made.
func (r *Relocated) Close() { r.to.Close() }

// RemoveFiles removes a torrent's files from a folder, and the folders that are empty
// then. What is no plain file stays.
func RemoveFiles(dir string, entries []Entry) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fail("open", dir, err)
	}
	defer root.Close()
	var names []string
	for i := range entries {
		if entries[i].Pad {
			continue
		}
		info, err := root.Lstat(entries[i].Path)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if err := root.Remove(entries[i].Path); err != nil {
			return fail("remove", entries[i].Path, refused(err))
		}
		names = append(names, entries[i].Path)
	}
	removeFolders(root, names)
	return nil
}

// removeFolders removes the folders of these files that are empty, deepest first.
func removeFolders(root *os.Root, names []string) {
	var dirs []string
	for _, name := range names {
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			dirs = append(dirs, dir)
		}
	}
	slices.SortFunc(dirs, func(a, b string) int { return strings.Count(b, "/") - strings.Count(a, "/") })
	for _, dir := range slices.Compact(dirs) {
		_ = root.Remove(dir) // not when there is something in it
	}
}
