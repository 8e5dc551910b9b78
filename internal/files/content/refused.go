package content

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"shoal/internal/decide/swarm/picker"
	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/fault"
	"shoal/internal/value/mono"
)

// refusals are the files of a torrent that its file system refuses: it does not take the name or the
// length, or a folder lies where the file has to be. They are left out as if they were skipped, so that
// the other files are fetched.
type refusals struct {
	mu    sync.Mutex
	files map[int]error
	told  map[int]bool // files of which the user knows
	fresh bool         // the swarm does not know of the latest change
}

// ErrNotKept is in the chain of what Wait returns when the file system refused files.
var ErrNotKept = errors.New("not kept")

// refused reports whether a file is refused.
func (r *refusals) refused(file int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.files[file] != nil
}

// none reports whether no file is refused.
func (r *refusals) none() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.files) == 0
}

// forget lets every file be tried again.
func (r *refusals) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fresh = r.fresh || len(r.files) > 0
	clear(r.files)
}

// news reports, once, that other files than before are left out.
func (r *refusals) news() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	fresh := r.fresh
	r.fresh = false
	return fresh
}

// knows reports whether the file of that name is refused.
func (r *refusals) knows(files []storage.Entry, name string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.files {
		if files[i].Path == name {
			return true
		}
	}
	return false
}

// add notes files, and returns those of which the user does not know.
func (r *refusals) add(files []int, err error) (untold []int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.files == nil {
		r.files, r.told = map[int]error{}, map[int]bool{}
	}
	r.fresh = true
	for _, i := range files {
		r.files[i] = err
		if !r.told[i] {
			r.told[i] = true
			untold = append(untold, i)
		}
	}
	return untold
}

// err returns why a torrent whose other files are complete is not; nil when it is.
func (r *refusals) err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.files) == 0 {
		return nil
	}
	first := slices.Min(slices.Collect(maps.Keys(r.files)))
	if len(r.files) == 1 {
		return fmt.Errorf("%w: the other files are complete: %w", ErrNotKept, r.files[first])
	}
	return fmt.Errorf("%w: %d files; the others are complete: %w", ErrNotKept, len(r.files), r.files[first])
}

// leftOut leaves out the files that an error of the file system is about, if the error concerns these
// files alone and others are wanted. It reports whether it did; otherwise the torrent waits.
func (c *Content) leftOut(o *session, err error) bool {
	e, ok := errors.AsType[*storage.Error](err)
	if !ok || o == nil || o.files == nil || e.Kind.Then() != fault.Refuse || c.opt.SeedOnly {
		return false
	}
	if c.refused.knows(o.lay.Files, e.Path) {
		return true // of a write that was under way when the file was left out
	}
	files := c.concerned(o, e)
	if len(files) == 0 || !c.othersWanted(files) {
		return false
	}
	untold := c.refused.add(files, err)
	o.files.Skip(c.skipped())
	switch len(untold) {
	case 0:
	case 1:
		c.say(fmt.Sprintf("%s is left out, the other files are fetched: %v", o.lay.Files[untold[0]].Path, err))
	default:
		c.say(fmt.Sprintf("%d files are left out, the others are fetched: %v", len(untold), err))
	}
	return true
}

// concerned returns the wanted files that a failure is about: the one of that name, or those in the
// folder of that name. Where we lack the right to create a new file, it is the folder that does not
// allow it, so no other new file in it can be created.
func (c *Content) concerned(o *session, e *storage.Error) (files []int) {
	there := func(name string) bool {
		_, err := o.files.Folder().Lstat(name)
		return !errors.Is(err, fs.ErrNotExist)
	}
	folder := ""
	if e.Kind == storage.NoPermission && !there(e.Path) && !takesFiles(o.files.Folder(), path.Dir(e.Path)) {
		folder = path.Dir(e.Path) + "/"
		if folder == "./" {
			folder = ""
		}
	} else {
		folder = e.Path + "/"
	}
	for i := range c.info.Files {
		name := o.lay.Files[i].Path
		switch {
		case c.info.Files[i].Pad || o.files.Skipped(i):
		case name == e.Path:
			files = append(files, i)
		case strings.HasPrefix(name, folder) && (folder == e.Path+"/" || path.Dir(name) == path.Dir(e.Path) && !there(name)):
			files = append(files, i)
		}
	}
	return files
}

// takesFiles reports whether a new file can be created in a folder, by creating one.
func takesFiles(folder storage.FS, dir string) bool {
	mover, ok := folder.(storage.Mover)
	if !ok {
		return false
	}
	name := path.Join(dir, "."+randomName()+".shoal-new") // no file of a torrent has this suffix
	h, err := folder.Open(name, storage.Create)
	if err != nil {
		return false
	}
	return errors.Join(h.Close(), mover.Remove(name)) == nil
}

// othersWanted reports whether a file with bytes is wanted besides these.
func (c *Content) othersWanted(files []int) bool {
	for i := range c.info.Files {
		if f := &c.info.Files[i]; !f.Pad && f.Length > 0 && c.keeps(i) && !slices.Contains(files, i) {
			return true
		}
	}
	return false
}

// keeps reports whether a file is wanted and not refused.
func (c *Content) keeps(file int) bool {
	return c.Priority(file) != picker.Skip && !c.refused.refused(file)
}

// keeping does something with all files, and repeats it without those that are refused on the way.
func (o *session) keeping(do func() error) error {
	for {
		if err := do(); err == nil || !o.c.leftOut(o, err) {
			return err
		}
	}
}

// adoptKept claims what was found, except for pieces of files that turn out to be refused: some of
// these are written once more.
func (o *session) adoptKept(ctx context.Context, seen resume.Seen, have *bitfield.Bitfield) error {
	for {
		err := o.adopt(ctx, seen, have)
		if err == nil || !o.c.leftOut(o, err) {
			return err
		}
		n := have.Count()
		o.c.refused.giveUp(o.c, have)
		if have.Count() == n {
			return err
		}
		if seen, err = resume.Look(o.files.Folder(), o.lay.Files); err != nil {
			return err
		}
		o.c.users.hide(&seen)
	}
}

// giveUp removes the pieces of refused files from a set.
func (r *refusals) giveUp(c *Content, have *bitfield.Bitfield) {
	r.mu.Lock()
	defer r.mu.Unlock()
	size := int64(c.geom.PieceLength)
	for i := range r.files {
		f := &c.info.Files[i]
		for p := f.Offset / size; f.Length > 0 && p <= (f.Offset+f.Length-1)/size; p++ {
			have.Clear(uint32(p))
		}
	}
}

// Unkept reports, once, whether the files that are left out have changed: then other pieces are wanted
// than before.
func (c *Content) Unkept() bool { return c.refused.news() }

// NotKept returns why a torrent whose other files are complete is not; nil when it is. Any goroutine may
// call it.
func (c *Content) NotKept() error { return c.refused.err() }

// TryRefused opens the files again when a failure that held everything up is over and files were left
// out. Otherwise they would stay out until the next start, although the same missing right may have been
// the reason.
func (c *Content) TryRefused(now mono.Time) {
	if !c.refused.none() {
		c.machine.Spoilt(now)
	}
}
