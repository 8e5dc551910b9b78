package engine

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"shoal/internal/plural"
	"shoal/internal/resume"
	"shoal/internal/storage"
	"shoal/metainfo"
)

// accept takes the supposed names for the torrent's, and tells of them.
func (o *opening) accept() error {
	s, t := o.search, o.t
	if s == nil || len(s.names) == 0 {
		return nil
	}
	if layers := s.layers(); layers != nil {
		if err := o.keepSuffixes(slices.Sorted(maps.Keys(layers))); err != nil {
			return err
		}
	}
	o.named()
	t.tellFound(s)
	s.names = nil
	return t.e.memory.changed(t, false)
}

// keepSuffixes notes what is behind the names of files that were found, so that the next start
// finds them by it.
func (o *opening) keepSuffixes(suffixes []string) error {
	if o.asides == noAsides {
		o.asides = new(asides)
	}
	note := o.was
	for _, suffix := range suffixes {
		note.Suffix = addSuffix(note.Suffix, suffix)
	}
	if note.Suffix == o.was.Suffix {
		return nil
	}
	o.was = note
	if s := o.t.suffix(); s != "" {
		note.Suffix = addSuffix(note.Suffix, s)
	}
	at := o.t.at.Load()
	if at.final != nil {
		note.Dir = at.abs
	}
	state, err := o.t.e.journals.For(o.t.home().abs)
	if err != nil || state == nil {
		return nil // then the next start searches again
	}
	return resume.WriteAside(state, o.t.infoHash, note)
}

// addSuffix adds a suffix to those that are noted: a slash is in none.
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

// makesWay removes what has the name of a complete file if nothing is lost by it: it is empty
// or zeros, as clients reserve room with, has no other name, and is no other torrent's.
func (o *opening) makesWay(i int, name string) bool {
	t, folder := o.t, o.files.Folder()
	for {
		u, ok := folder.(*storage.Unfinished)
		if !ok {
			break
		}
		folder = u.FS // there a name is that of one file
	}
	m, ok := folder.(storage.Mover)
	if !ok || t.spec.SeedOnly {
		return false
	}
	top, _, _ := strings.Cut(name, "/")
	info, err := folder.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || storage.LinksOf(info) > 1 || t.ownOf(i, t.rivals(top)) != nil {
		return false
	}
	zeros, err := storage.OnlyZeros(&t.ctx, folder, name)
	return err == nil && zeros && m.Remove(name) == nil
}

// tellFound says under which names data was found, and which names are not possible.
func (t *Torrent) tellFound(s *search) {
	if text := t.foundText(s); text != "" {
		t.tell(Event{Kind: EventFiles, Text: text})
	}
	if len(s.refused) > 0 {
		first := slices.Min(slices.Collect(maps.Keys(s.refused)))
		a, b := metainfo.Distinct(path.Join(t.info.Files[first].Path...), t.Path(first))
		t.tell(Event{Kind: EventFiles, Text: fmt.Sprintf("the file system does not take the names of %s: %s is saved as %s", countOf(len(s.refused), "file", "files"), a, b)})
	}
}

// foundText says under which names data was found; empty for none.
func (t *Torrent) foundText(s *search) string {
	if s == nil || len(s.found) == 0 {
		return ""
	}
	first := slices.Min(slices.Collect(maps.Keys(s.found)))
	text := "1 file was found under another name, as another client left it"
	if n := len(s.found); n > 1 {
		text = plural.Group(n) + " files were found under other names, as another client left them"
	}
	a, b := metainfo.Distinct(path.Join(t.info.Files[first].Path...), s.found[first].path)
	return fmt.Sprintf("%s: %s is %s", text, a, b)
}
