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

// userFiles is what a torrent knows about files of the user: links, and files that had names of the
// torrent's files.
type userFiles struct {
	links storage.KnownLinks

	mu   sync.Mutex
	told map[string]bool // what the user knows about links, so that nothing is repeated

	setAside map[int]string // where the user's file is now, by file of the torrent
	waiting  map[int]bool   // files of the user to keep before we write to them; true means that they hold nothing of the torrent

	lookOnly bool // write nothing: what is not a plain file counts as missing
}

// notes returns the notes for the user, in order.
func (u *userFiles) notes() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Sorted(maps.Keys(u.told))
}

// follow opens the folder of a place and follows the symbolic links that the user has put on the way
// to files with these names (decision 0131). It tells the user which ones it can't follow.
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

// looking is a folder during a check: something that is not a plain file is reported, counts as
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
			info, err := l.Lstat(name(i)) // that notes it
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

// Rename implements storage.Mover: a check completes an interrupted renaming.
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

// note adds a note for the user.
func (u *userFiles) note(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for said := range u.told {
		if name, _, _ := strings.Cut(text, ":"); strings.HasPrefix(said, name+" ") {
			return // the notes say more about it
		}
	}
	if u.told == nil {
		u.told = make(map[string]bool)
	}
	u.told[text] = true
}

// tell reports, in one line, what the user does not know yet about links.
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

// allNames are the names that files of the torrent have on disk or may get.
func (o *session) allNames(also ...Names) []string {
	names := make([]string, 0, len(o.lay.Files))
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

// pathsOn returns the paths of files.
func pathsOn(files []storage.Entry) []string {
	var names []string
	for i := range files {
		if !files[i].Pad {
			names = append(names, files[i].Path)
		}
	}
	return names
}
