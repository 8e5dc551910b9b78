package content

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"shoal/internal/files/storage"
)

// userFiles is what a torrent knows of files that are the user's: links that lead to them, and
// files that had the names of the torrent's.
type userFiles struct {
	links storage.KnownLinks

	mu   sync.Mutex
	told map[string]bool // what the user knows of links, so that nothing is repeated

	setAside map[int]string // by file of the torrent: where that of the user is now
	waiting  map[int]bool   // files of the user that are to be kept before they are written to: with nothing of the torrent or not

	lookOnly bool // nothing is written: what is not a plain file counts as missing
}

// notes returns what the user knows, in order.
func (u *userFiles) notes() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Sorted(maps.Keys(u.told))
}

// follow opens the folder of a place, with the symbolic links followed that the user has put
// on the way to files of these names (decision 0131). The user learns what can't be followed.
func (c *Content) follow(at *place, names []string) (storage.FS, error) {
	folder, err := c.shared.pool.Folder(at.given)
	if err != nil {
		return nil, err
	}
	fsys, notes := storage.FollowLinks(folder, c.shared.pool, at.abs, names, &c.users.links)
	c.users.tell(c, notes)
	if c.users.lookOnly {
		return &looking{FS: fsys, c: c, names: names}, nil
	}
	return fsys, nil
}

// looking is a folder for a check: one thing that is not a plain file is named, counts as
// missing, and does not end the check of the others.
type looking struct {
	storage.FS
	c     *Content
	names []string
}

// Lstat implements storage.FS.
func (l *looking) Lstat(name string) (fs.FileInfo, error) {
	info, err := l.FS.Lstat(name)
	switch {
	case errors.Is(err, storage.ErrUnsafe):
	case err == nil && !info.Mode().IsRegular() && slices.Contains(l.names, name):
		err = storage.NotPlain(info)
	default:
		return info, err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		l.c.users.note(name + ": " + err.Error())
	}
	return nil, fmt.Errorf("%w: %s", fs.ErrNotExist, name)
}

// LookAll implements storage.LooksAtAll.
func (l *looking) LookAll(n int, name func(int) string, each func(int, storage.Look, error)) {
	storage.LookAll(l.FS, n, name, func(i int, at storage.Look, err error) {
		if errors.Is(err, storage.ErrUnsafe) || err == nil && !at.Plain {
			info, err := l.Lstat(name(i)) // it is noted
			at := storage.Look{Info: info}
			if err == nil {
				at.Size, at.ModTime, at.Folder = info.Size(), info.ModTime().UnixNano(), info.IsDir()
			}
			each(i, at, err)
			return
		}
		each(i, at, err)
	})
}

// Rename implements storage.Mover: a check ends a renaming that was broken off.
func (l *looking) Rename(from, to string) error {
	if m, ok := l.FS.(storage.Mover); ok {
		return m.Rename(from, to)
	}
	return errors.ErrUnsupported
}

// Remove implements storage.Mover.
func (l *looking) Remove(name string) error {
	if m, ok := l.FS.(storage.Mover); ok {
		return m.Remove(name)
	}
	return errors.ErrUnsupported
}

// note keeps something for the notes.
func (u *userFiles) note(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for said := range u.told {
		if name, _, _ := strings.Cut(text, ":"); strings.HasPrefix(said, name+" ") {
			return // the notes say more of it
		}
	}
	if u.told == nil {
		u.told = make(map[string]bool)
	}
	u.told[text] = true
}

// tell says of links what was not said yet, in one line.
func (u *userFiles) tell(c *Content, notes []string) {
	u.mu.Lock()
	var news []string
	for _, note := range notes {
		if !u.told[note] {
			if u.told == nil {
				u.told = make(map[string]bool)
			}
			u.told[note] = true
			news = append(news, note)
		}
	}
	u.mu.Unlock()
	if len(news) == 0 {
		return
	}
	const shown = 3
	text := strings.Join(news[:min(shown, len(news))], "; ")
	if more := len(news) - shown; more > 0 {
		text += fmt.Sprintf("; and %d more such links", more)
	}
	c.say(text)
}

// allNames are the names that files of the torrent may have on disk, or get.
func (o *session) allNames(also ...Names) []string {
	var names []string
	add := func(name string) {
		names = append(names, name)
		for _, s := range []string{o.was.Suffix, o.c.suffix()} {
			if s != "" && names[len(names)-1] != name+s {
				names = append(names, name+s)
			}
		}
	}
	for i := range o.lay.Files {
		if e := &o.lay.Files[i]; !e.Pad && !(o.lay.Part && i == len(o.lay.Files)-1) {
			add(e.Path)
		}
	}
	for _, more := range also {
		for _, name := range more {
			add(name)
		}
	}
	return names
}

// pathsOn are the paths of files.
func pathsOn(files []storage.Entry) []string {
	var names []string
	for i := range files {
		if !files[i].Pad {
			names = append(names, files[i].Path)
		}
	}
	return names
}
