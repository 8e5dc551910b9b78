package resume

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"shoal/internal/files/storage"
)

// Names are the names of files that are not called as the torrent says, by entry:
// slash-separated, relative to the folder.
type Names map[int]string

// naming is what files are called, by entry.
type naming map[int]name

// name is that of a file. With was, the file may still have that one.
type name struct{ is, was string }

func (n Names) naming() naming {
	if len(n) == 0 {
		return nil
	}
	out := naming{}
	for i, s := range n {
		out[i] = name{is: s}
	}
	return out
}

func (n naming) names() Names {
	if len(n) == 0 {
		return nil
	}
	out := Names{}
	for i, s := range n {
		out[i] = s.is
	}
	return out
}

// pending reports whether a file may have another name than it should.
func (n naming) pending() bool {
	for _, s := range n {
		if s.was != "" {
			return true
		}
	}
	return false
}

// maxNames bounds the names that a journal keeps, in bytes.
func maxNames(l *Layout) int64 { return 1<<20 + 512*int64(len(l.Files)) }

func (n naming) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(n)))
	for _, i := range slices.Sorted(maps.Keys(n)) {
		b = binary.AppendUvarint(b, uint64(i))
		b = appendString(appendString(b, n[i].is), n[i].was)
	}
	return b
}

func (in *input) names(l *Layout) naming {
	out := naming{}
	for n := in.uint(uint64(len(l.Files))); n > 0 && !in.failed; n-- {
		i := int(in.uint(uint64(len(l.Files))))
		s := name{string(in.bytes(int(in.uint(maxDir)))), string(in.bytes(int(in.uint(maxDir))))}
		if i >= len(l.Files) || l.Files[i].Pad || i == l.part() || !storage.ValidPath(s.is) || s.was != "" && !storage.ValidPath(s.was) {
			in.fail()
		}
		out[i] = s
	}
	return out
}

// Layout is the layout of the torrent with the names that its files have.
func (j *Journal) Layout() Layout {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lay
}

// Names gives the names of files that have not the torrent's.
func (j *Journal) Names() Names {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.names.names()
}

// name has the layout tell the names that files have. j.mu is held, or nobody else has j.
func (j *Journal) name() {
	j.lay.Files = j.own
	if len(j.st.names) == 0 {
		return
	}
	j.lay.Files = slices.Clone(j.own)
	for i, s := range j.st.names {
		if i < len(j.own) {
			j.lay.Files[i].Path = s.is
		}
	}
}

// Rename gives files other names, and folders with them: to has the new ones, by entry, and
// says nothing of those that keep theirs. The torrent's storage is closed, and to be opened
// anew as Layout says then, also after an error; what was claimed still is, since the files
// are the same. Names that are taken, or lead through a file, are an error, and so is what
// the system refuses; then those files keep the names that they had. What a stop leaves
// half done FinishRenames ends.
//
// The names are made of safe components: that is for the caller.
func (j *Journal) Rename(ctx context.Context, data storage.FS, to Names) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	names := maps.Clone(j.st.names)
	if names == nil {
		names = naming{}
	}
	for _, i := range slices.Sorted(maps.Keys(to)) {
		switch {
		case i < 0 || i >= len(j.own) || j.own[i].Pad || i == j.lay.part():
			return fmt.Errorf("rename file %d: there is none", i)
		case !storage.ValidPath(to[i]):
			return fmt.Errorf("rename %s: %q is not a safe name", j.lay.Files[i].Path, to[i])
		}
		if old := j.lay.Files[i].Path; old != to[i] {
			names[i] = name{is: to[i], was: old}
		}
	}
	if err := j.checkNames(names); err != nil {
		return err
	}
	return j.rename(ctx, data, names)
}

// Call says what files are called, without giving them other names: where data was found that
// another client left. to has the names, by entry; an entry whose name is the torrent's own
// has that again. Nothing is written before
// Guard.Adopt.
func (j *Journal) Call(to Names) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	names := maps.Clone(j.st.names)
	if names == nil {
		names = naming{}
	}
	for i, s := range to {
		switch {
		case i < 0 || i >= len(j.own) || j.own[i].Pad || i == j.lay.part() || !storage.ValidPath(s):
			return fmt.Errorf("call file %d %q: not possible", i, s)
		case s == j.own[i].Path:
			delete(names, i)
		default:
			names[i] = name{is: s}
		}
	}
	if maps.Equal(names, j.st.names) {
		return nil
	}
	if err := j.checkNames(names); err != nil {
		return err
	}
	if !j.adopted { // it is shared with who loaded it
		j.st = j.st.clone()
	}
	j.called = true
	if j.st.names = names; len(names) == 0 {
		j.st.names = nil
	}
	j.name()
	return nil
}

// Pending gives the names that files may still have for which FinishRenames is to be
// called, by entry.
func (j *Journal) Pending() Names {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := Names{}
	for i, n := range j.st.names {
		if n.was != "" {
			out[i] = n.was
		}
	}
	return out
}

// FinishRenames ends what a stop has left of a Rename. It does nothing when the folder is
// not there. It is called before anything is looked at or opened.
func (j *Journal) FinishRenames(ctx context.Context, data storage.FS) error {
	j.turn.Lock()
	defer j.turn.Unlock()
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.st.names.pending() {
		return nil
	}
	return j.rename(ctx, data, j.st.names)
}

// checkNames refuses names that are taken within the torrent.
func (j *Journal) checkNames(names naming) error {
	all := make([]string, 0, len(j.own))
	for i := range j.own {
		switch n, ok := names[i]; {
		case ok:
			all = append(all, n.is)
		case !j.own[i].Pad:
			all = append(all, j.own[i].Path)
		}
	}
	if int64(len(names.append(nil))) > maxNames(&j.lay) {
		return errors.New("rename: the names are too long together")
	}
	taken := make(map[string]bool, len(all))
	for _, s := range all {
		if taken[s] {
			return fmt.Errorf("rename: two files of the torrent would be called %s", s)
		}
		taken[s] = true
	}
	for _, s := range all {
		for dir := path.Dir(s); dir != "."; dir = path.Dir(dir) {
			if taken[dir] {
				return fmt.Errorf("rename: %s would be a file, and a folder for %s", dir, s)
			}
		}
	}
	return nil
}

// rename gives files the names that they should have: first it is noted, durably, what is
// to be, then done and made durable, then noted. j.mu is held.
func (j *Journal) rename(ctx context.Context, data storage.FS, names naming) error {
	if _, err := data.Lstat("."); err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	before := j.st.names
	if err := j.noteNames(names); err != nil {
		j.st.names = before
		j.name()
		return fmt.Errorf("rename: %w", err)
	}
	names = maps.Clone(names)
	var errs []error
	var folders, left []string
	for _, i := range slices.Sorted(maps.Keys(names)) {
		n := names[i]
		if n.was == "" {
			continue
		}
		err := ctx.Err()
		if err == nil {
			err = j.renameFile(data, i, n)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("rename %s to %s: %w", n.was, n.is, err))
			names[i] = name{is: n.was}
			continue
		}
		folders, left = append(folders, path.Dir(n.is), path.Dir(n.was)), append(left, path.Dir(n.was))
	}
	slices.Sort(folders)
	for _, dir := range slices.Compact(folders) {
		if err := data.SyncDir(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			// The files have their names; what is on the device is known when it is looked at.
			j.st.names = names
			j.name()
			return errors.Join(append(errs, fmt.Errorf("rename: make the names durable: %w", err))...)
		}
	}
	for i, n := range names {
		if n.was = ""; n.is == j.own[i].Path {
			delete(names, i)
		} else {
			names[i] = n
		}
	}
	removeEmpty(data, left)
	if err := j.noteNames(names); err != nil {
		errs = append(errs, fmt.Errorf("rename: %w", err))
	}
	return errors.Join(errs...)
}

// noteNames makes names durable in the journal, if that is more than nothing yet.
func (j *Journal) noteNames(names naming) error {
	if !j.adopted { // it is shared with who loaded it
		j.st = j.st.clone()
	}
	if j.st.names = names; len(names) == 0 {
		j.st.names = nil
	}
	j.name()
	j.file.renew = true
	return j.writeVersion()
}

// renameFile gives file i the name that it should have, if it is there and has it not.
func (j *Journal) renameFile(data storage.FS, i int, n name) error {
	was, err := look(data, n.was)
	if err != nil {
		return err
	}
	is, err := look(data, n.is)
	switch {
	case err != nil:
		return err
	case !was.Exists: // it has it already, or is not there yet
		return nil
	case is.Exists && is.Size >= 0 && is.same(j.st.files[i]) && !was.same(j.st.files[i]):
		return nil // another file is where it was
	case is.Exists && !sameName(n, is, was): // but for what the system takes for the same name
		return fs.ErrExist
	}
	mover, ok := data.(storage.Mover)
	if !ok {
		return errors.ErrUnsupported
	}
	for at := 0; ; at++ {
		next := strings.IndexByte(n.is[at:], '/')
		if next < 0 {
			break
		}
		at += next
		if err := data.Mkdir(n.is[:at]); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		// Durably there before anything is moved into it, whoever made it.
		if err := data.SyncDir(path.Dir(n.is[:at])); err != nil {
			return err
		}
	}
	return mover.Rename(n.was, n.is)
}

// sameName reports whether a file has two names because the system takes them for one. Where
// numbers of files are made up, each name can have its own.
func sameName(n name, is, was Identity) bool {
	return is.Inode == was.Inode && is.Inode != 0 || strings.EqualFold(n.is, n.was) && is.same(was)
}

// removeEmpty removes folders that nothing is in any more, and those they are in.
func removeEmpty(data storage.FS, dirs []string) {
	mover, ok := data.(storage.Mover)
	if !ok {
		return
	}
	for _, dir := range dirs {
		for ; dir != "."; dir = path.Dir(dir) {
			if info, err := data.Lstat(dir); err != nil || !info.IsDir() || mover.Remove(dir) != nil {
				break
			}
		}
	}
}
