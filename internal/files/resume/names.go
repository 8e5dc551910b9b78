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

// Names are the names of files that differ from the torrent's, by entry: slash-separated, relative
// to the folder.
type Names map[int]string

// naming is the current names of files, by entry.
type naming map[int]name

// name is the name of a file, is; while a rename is pending, the file can still be called was.
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

// pending reports whether a rename is pending.
func (n naming) pending() bool {
	for _, s := range n {
		if s.was != "" {
			return true
		}
	}
	return false
}

// maxNames bounds the names in a journal, in bytes.
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

// Layout returns the layout of the torrent with the current names of its files.
func (j *Journal) Layout() Layout {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.lay
}

// Names returns the names of files that differ from the torrent's.
func (j *Journal) Names() Names {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.st.names.names()
}

// name updates the names in the layout. The caller holds j.mu, or nobody else has j.
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

// Rename renames files and their folders: to has the new names, by entry; other files keep theirs.
// The torrent's storage is closed; open it again with the new Layout, also after an error. Claims
// stay valid, since the files are the same. A name that is taken, leads through a file, or is
// refused by the system is an error, and its file keeps its name. FinishRenames completes what a
// stop interrupts.
//
// The caller makes sure that the names consist of safe components.
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
			return fmt.Errorf("rename file %d: no such file", i)
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

// Call sets what files are called without renaming them: for data that another client left under
// other names. to has the names, by entry; an entry with the torrent's own name has that name
// again. Nothing is written before Guard.Adopt.
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
			return fmt.Errorf("use the name %q for file %d: not a safe name", s, i)
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
	if !j.adopted { // shared with the Loaded until then
		j.st = j.st.clone()
	}
	j.called = true
	if j.st.names = names; len(names) == 0 {
		j.st.names = nil
	}
	j.name()
	return nil
}

// Pending returns, by entry, the old names that files can still have until FinishRenames.
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

// FinishRenames completes an interrupted Rename. It does nothing when the folder does not exist.
// Call it before looking at or opening any file.
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

// checkNames refuses names that another file of the torrent has.
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
		return errors.New("rename: the names are too long in total")
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

// rename moves files to their new names: it notes the intent durably, renames, makes that durable,
// then notes the result. The caller holds j.mu.
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
			// The files have their names; the next look finds out what is on the device.
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

// noteNames makes names durable in the journal, if there is anything to note.
func (j *Journal) noteNames(names naming) error {
	if !j.adopted { // shared with the Loaded until then
		j.st = j.st.clone()
	}
	if j.st.names = names; len(names) == 0 {
		j.st.names = nil
	}
	j.name()
	j.file.renew = true
	return j.writeVersion()
}

// renameFile renames file i to its new name, if the file exists and does not have that name.
func (j *Journal) renameFile(data storage.FS, i int, n name) error {
	was, err := look(data, n.was)
	if err != nil {
		return err
	}
	is, err := look(data, n.is)
	switch {
	case err != nil:
		return err
	case !was.Exists: // it has the name already, or does not exist yet
		return nil
	case is.Exists && is.Size >= 0 && is.same(j.st.files[i]) && !was.same(j.st.files[i]):
		return nil // another file is at the old name
	case is.Exists && !sameName(n, is, was): // unless the system treats both as one name
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
		// Make the folder durable before moving anything into it: another program may have created it.
		if err := data.SyncDir(path.Dir(n.is[:at])); err != nil {
			return err
		}
	}
	return mover.Rename(n.was, n.is)
}

// sameName reports whether a file has two names because the system treats them as one. Where inode
// numbers are invented, each name can have its own.
func sameName(n name, is, was Identity) bool {
	return is.Inode == was.Inode && is.Inode != 0 || strings.EqualFold(n.is, n.was) && is.same(was)
}

// removeEmpty removes folders that have become empty, and their parents that have.
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
