package engine

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"shoal/internal/resume"
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
	state, err := o.t.e.stateFor(o.t.home().abs)
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

// tellFound says under which names data was found, and which names are not possible.
func (t *Torrent) tellFound(s *search) {
	first := -1
	for _, i := range slices.Sorted(maps.Keys(s.found)) {
		if first < 0 {
			first = i
		}
	}
	if first >= 0 {
		c := s.found[first]
		a, b := metainfo.Distinct(path.Join(t.info.Files[first].Path...), c.path)
		t.tell(Event{Kind: EventFiles, Text: fmt.Sprintf("%s under other names, as another client left them: %s is %s", countOf(len(s.found), "file was found", "files were found"), a, b)})
	}
	first = -1
	for _, i := range slices.Sorted(maps.Keys(s.refused)) {
		if first < 0 {
			first = i
		}
	}
	if first >= 0 {
		a, b := metainfo.Distinct(path.Join(t.info.Files[first].Path...), t.Path(first))
		t.tell(Event{Kind: EventFiles, Text: fmt.Sprintf("the file system does not take the names of %s: %s is saved as %s", countOf(len(s.refused), "file", "files"), a, b)})
	}
}
