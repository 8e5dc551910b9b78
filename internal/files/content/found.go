package content

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"shoal/internal/files/resume"
	"shoal/internal/files/storage"
	"shoal/internal/value/plural"
	"shoal/metainfo"
)

// accept makes the supposed names those of the torrent's files, and tells the user.
func (o *session) accept() error {
	s, c := o.search, o.c
	if s == nil || len(s.names) == 0 {
		return nil
	}
	if layers := s.layers(); layers != nil {
		if err := o.keepSuffixes(slices.Sorted(maps.Keys(layers))); err != nil {
			return err
		}
	}
	o.named()
	c.tellFound(s)
	s.names = nil
	return c.host.Remember(false)
}

// keepSuffixes notes the suffixes of the files that were found, so that the next start finds the files
// by them.
func (o *session) keepSuffixes(suffixes []string) error {
	if o.incomplete == noIncomplete {
		o.incomplete = new(incomplete)
	}
	note := o.was
	for _, suffix := range suffixes {
		note.Suffix = addSuffix(note.Suffix, suffix)
	}
	if note.Suffix == o.was.Suffix {
		return nil
	}
	o.was = note
	if s := o.c.suffix(); s != "" {
		note.Suffix = addSuffix(note.Suffix, s)
	}
	at := o.c.at.Load()
	if at.final != nil {
		note.Dir = at.abs
	}
	state, err := o.c.shared.journals.For(o.c.home().abs)
	if err != nil || state == nil {
		return nil // then the next start searches again
	}
	return resume.WriteAside(state, o.c.info.Hash, note)
}

// addSuffix adds a suffix to the noted ones, separated by a slash: no suffix contains one.
func addSuffix(noted, suffix string) string {
	list := suffixesOf(noted)
	if slices.Contains(list, suffix) {
		return noted
	}
	const most = 4
	list = append(list, suffix)
	return strings.Join(list[max(0, len(list)-most):], "/")
}

func suffixesOf(noted string) []string {
	if noted == "" {
		return nil
	}
	return strings.Split(noted, "/")
}

// makesWay removes a file at the name of a complete one if nothing is lost by that: it is empty or all
// zeros, as clients reserve room, has no other name, and does not belong to another torrent.
func (o *session) makesWay(i int, name string) bool {
	c, folder := o.c, o.plainFolder()
	m, ok := folder.(storage.Mover)
	if !ok || c.opt.SeedOnly {
		return false
	}
	top, _, _ := strings.Cut(name, "/")
	info, err := folder.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || storage.LinksOf(info) > 1 || c.ownOf(i, c.rivals(top)) != nil {
		return false
	}
	zeros, err := storage.OnlyZeros(c.life, folder, name)
	return err == nil && zeros && m.Remove(name) == nil
}

// plainFolder is the folder without the suffixes of incomplete files: there each name stands for one
// file.
func (o *session) plainFolder() storage.FS {
	folder := o.files.Folder()
	for {
		u, ok := folder.(*storage.Unfinished)
		if !ok {
			return folder
		}
		folder = u.FS
	}
}

// keepsAside renames a file of the user that has the name of a complete file, as keepUsers does before
// anything is written (decision 0132). With Overwrite it removes the file.
func (o *session) keepsAside(i int, name string) bool {
	c, folder := o.c, o.plainFolder()
	m, ok := folder.(storage.Mover)
	if !ok || c.opt.SeedOnly {
		return false
	}
	top, _, _ := strings.Cut(name, "/")
	info, err := folder.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || c.ownOf(i, c.rivals(top)) != nil {
		return false // another torrent's, or not a file: it stays, and the user learns of it
	}
	if is, err := os.Lstat(filepath.Join(c.at.Load().abs, filepath.FromSlash(name))); err == nil && !is.Mode().IsRegular() {
		return false // a link that we follow
	}
	if c.opt.Overwrite {
		return m.Remove(name) == nil
	}
	as, err := storage.SetAside(folder, name, func(as string) bool { return c.needs(as) })
	if err != nil {
		c.shared.log.Warn("keep a file that has the name of a complete one", "file", name, "err", err)
		return false
	}
	c.users.noteAside(i, as)
	c.users.kept(c, []Kept{{Path: name, As: as}})
	return true
}

// tellFound tells the user under which names data was found, and which names are impossible.
func (c *Content) tellFound(s *search) {
	if text := c.foundText(s); text != "" {
		c.say(text)
	}
	if len(s.refused) > 0 {
		first := slices.Min(slices.Collect(maps.Keys(s.refused)))
		a, b := metainfo.Distinct(path.Join(c.info.Files[first].Path...), c.Path(first))
		c.say(fmt.Sprintf("the file system does not take the names of %s: %s is saved as %s", countOf(len(s.refused), "file", "files"), a, b))
	}
}

// foundText says under which names data was found; empty for none.
func (c *Content) foundText(s *search) string {
	if s == nil || len(s.found) == 0 {
		return ""
	}
	first := slices.Min(slices.Collect(maps.Keys(s.found)))
	text := "1 file was found under another name, as another client left it"
	if n := len(s.found); n > 1 {
		text = plural.Group(n) + " files were found under other names, as another client left them"
	}
	a, b := metainfo.Distinct(path.Join(c.info.Files[first].Path...), s.found[first].path)
	return fmt.Sprintf("%s: %s is %s", text, a, b)
}
