package content

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/bitfield"
	"shoal/metainfo"
)

// Kept says what happened to a file of the user that the torrent would have overwritten.
type Kept struct {
	Path string // path of the torrent's file
	As   string // path of the user's file now; empty: it still has its other names (hard links)
}

// errFirst means that we must look at a file before writing to it. The opening that returns errFirst
// is repeated, and then keeps the file.
var errFirst = fmt.Errorf("it was there before, and is looked at first: %w", resume.ErrChanged)

// keepUsers protects files of the user before anything is written. A file at the name of one of the
// torrent's that holds nothing of the torrent is set aside; for a file with several names (hard links)
// the torrent gets a copy. have and seen are what was found, and how; keepUsers updates seen with
// the files.
func (o *session) keepUsers(ctx context.Context, seen *resume.Seen, changed []int, have *bitfield.Bitfield) error {
	c := o.c
	if c.opt.Overwrite {
		return nil
	}
	var kept []Kept
	var err error
	last, others := "", rivals{}
	for i := range c.info.Files {
		f, is := &c.info.Files[i], seen.Files[i]
		if f.Pad || f.Length == 0 || !is.Exists || is.Size <= 0 || c.allOf(i, have) {
			continue
		}
		if top, _, _ := strings.Cut(c.Path(i), "/"); top != last {
			last, others = top, c.rivals(top)
		}
		if c.ownOf(i, others) != nil {
			continue // another torrent has it: nothing is written, and the user knows
		}
		var k *outcome
		if k, err = o.keepUser(ctx, i, slices.Contains(changed, i) && !o.loaded.PerhapsOurs(is) && !c.anyOf(i, have), have); err != nil {
			break
		}
		switch {
		case k == nil:
			continue
		case k.left:
			// It is not noted as ours, so that it still counts as the user's when it is wanted.
			seen.Files[i] = resume.Identity{}
			continue
		}
		kept = append(kept, k.Kept)
		o.files.Reopen(i)
		if seen.Files[i], err = o.lookAt(i); err != nil {
			break
		}
	}
	c.users.kept(c, kept)
	return err
}

// outcome says what happened to a file.
type outcome struct {
	Kept
	left bool // it is the user's and unchanged: nothing is written to it yet
}

// keepUser is keepUsers for one file that exists and is not complete. foreign says that it holds
// nothing of the torrent, as far as we know. It returns nil when there is nothing to do.
func (o *session) keepUser(ctx context.Context, i int, foreign bool, have *bitfield.Bitfield) (*outcome, error) {
	name, fsys := o.lay.Files[i].Path, o.files.Folder()
	info, err := fsys.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, storage.Fail("look up", name, err)
	}
	linked := storage.LinksOf(info) > 1
	if !foreign && !linked {
		return nil, nil
	}
	if foreign {
		zeros, err := storage.OnlyZeros(ctx, fsys, name)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		foreign = err != nil || !zeros // a file that can't be read still belongs to somebody
	}
	if !foreign && !linked {
		return nil, nil
	}
	if !o.isWritten(i, have) {
		o.c.users.later(i, foreign)
		if foreign {
			return &outcome{left: true}, nil
		}
		return nil, nil
	}
	if !foreign {
		return &outcome{Kept: Kept{Path: name}}, storage.Unshare(ctx, fsys, name)
	}
	as, err := storage.SetAside(fsys, name, func(as string) bool { return o.c.needs(as) })
	if err != nil {
		return nil, err
	}
	o.c.users.noteAside(i, as)
	return &outcome{Kept: Kept{Path: name, As: as}}, nil
}

// isWritten reports whether the torrent writes to a file. It does not write to a skipped file, unless
// a missing piece of a wanted file reaches into it.
func (o *session) isWritten(i int, have *bitfield.Bitfield) bool {
	c := o.c
	if !o.files.Skipped(i) {
		return true
	}
	prio := c.PiecePriorities()
	f, size := &c.info.Files[i], int64(c.geom.PieceLength)
	for p := f.Offset / size; prio != nil && p <= (f.Offset+f.Length-1)/size; p++ {
		if prio[p] > 0 && !have.Has(uint32(p)) {
			return true
		}
	}
	return false
}

// lookAt looks at a file as it is on disk now.
func (o *session) lookAt(i int) (resume.Identity, error) {
	files := make([]storage.Entry, 1)
	files[0] = o.lay.Files[i]
	seen, err := resume.Look(o.files.Folder(), files)
	if err != nil {
		return resume.Identity{}, err
	}
	return seen.Files[0], nil
}

// needs reports whether a path is that of a file of the torrent, or of a folder of it, on some file
// system.
func (c *Content) needs(name string) bool {
	key := metainfo.PathKey(name)
	for i := range c.info.Files {
		if !c.info.Files[i].Pad && metainfo.PathKey(c.Path(i)) == key || strings.HasPrefix(c.Path(i), name+"/") {
			return true
		}
	}
	return false
}

// anyOf reports whether a piece of a file is in a set.
func (c *Content) anyOf(file int, have *bitfield.Bitfield) bool {
	f, size := &c.info.Files[file], int64(c.geom.PieceLength)
	for p := f.Offset / size; p <= (f.Offset+f.Length-1)/size; p++ {
		if have.Has(uint32(p)) {
			return true
		}
	}
	return false
}

// noteAside notes that a file of the user was set aside.
func (u *userFiles) noteAside(file int, as string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.setAside == nil {
		u.setAside = make(map[int]string)
	}
	u.setAside[file] = as
	delete(u.waiting, file)
}

// wasSetAside reports whether the file at a name was set aside: then the torrent's own file is not
// missing.
func (u *userFiles) wasSetAside(file int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.setAside[file]
	return ok
}

// later notes a file of the user that stays as it is, since nothing is written to it yet.
func (u *userFiles) later(file int, foreign bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.waiting == nil {
		u.waiting = make(map[int]bool)
	}
	u.waiting[file] = foreign
}

// hide removes those of them that hold nothing of the torrent from what was seen.
func (u *userFiles) hide(seen *resume.Seen) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, foreign := range u.waiting {
		if foreign {
			seen.Files[i] = resume.Identity{}
		}
	}
}

// waits reports whether we must look at a file before writing to it.
func (u *userFiles) waits(file int) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, ok := u.waiting[file]
	return ok
}

// lookAgain forgets which files were left as they are, before we look at the files again.
func (u *userFiles) lookAgain() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.waiting = nil
}

// anyWaits reports whether we would write now to a file that was left as it is.
func (u *userFiles) anyWaits(o *session, have *bitfield.Bitfield) bool {
	u.mu.Lock()
	var files []int
	for i := range u.waiting {
		files = append(files, i)
	}
	u.mu.Unlock()
	return slices.ContainsFunc(files, func(i int) bool { return o.isWritten(i, have) })
}

// kept reports which files were kept, in one line whatever their number.
func (u *userFiles) kept(c *Content, kept []Kept) {
	if len(kept) == 0 {
		return
	}
	const shown = 3
	var lines []string
	for _, k := range kept[:min(shown, len(kept))] {
		if k.As == "" {
			lines = append(lines, k.Path+" has other names (hard links), which keep their bytes: the torrent goes on with a copy")
		} else {
			lines = append(lines, k.Path+" was there, and no piece of it matches: it is kept as "+path.Base(k.As))
		}
	}
	text := strings.Join(lines, "; ")
	if more := len(kept) - shown; more > 0 {
		text += fmt.Sprintf("; and %d more files in these ways", more)
	}
	c.shared.log.Warn("keep files of the user", "torrent", c.info.Name, "files", len(kept), "text", text)
	c.host.Say(Event{Kind: KeptFiles, Text: text, Kept: kept})
}

// sameAsKept removes a file that was set aside if it turns out to equal the torrent's: a small file can
// be right although no piece of its own could show that.
func (o *session) sameAsKept(ctx context.Context) {
	u := &o.c.users
	u.mu.Lock()
	asides := u.setAside
	u.setAside = nil
	u.mu.Unlock()
	m, ok := o.files.Folder().(storage.Mover)
	if !ok {
		return
	}
	var gone []string
	for i, as := range asides {
		name := o.lay.Files[i].Path
		if !o.journal.Whole(i) {
			u.noteAside(i, as)
			continue
		}
		if same, err := storage.SameBytes(ctx, o.files.Folder(), name, as); err != nil || !same {
			continue
		}
		if m.Remove(as) == nil {
			gone = append(gone, path.Base(as))
		}
	}
	if len(gone) > 0 {
		slices.Sort(gone)
		text := strings.Join(gone[:min(3, len(gone))], ", ")
		if more := len(gone) - 3; more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		o.c.say(text + ": removed, the torrent's file has the same bytes")
	}
}
