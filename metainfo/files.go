package metainfo

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"shoal/bencode"
	"shoal/internal/value/spelling"
)

// fileList reads the files of a multi-file torrent and sets their paths.
func (p *infoParser) fileList(list bencode.Value) *Error {
	if list.Kind() != bencode.List {
		return wrongKind(p.dict, list, "info.files", bencode.List)
	}
	count := list.Len()
	switch {
	case count == 0:
		return refuse(list, "info.files", "no files")
	case count > MaxFiles:
		e := refuse(list, "info.files", "%d files, more than %d", count, MaxFiles)
		e.Err = ErrTooLarge
		return e
	}
	l := &fileLister{
		infoParser: p,
		namer:      newNamer(p.SafeName, SafeName, foldKey).room(count),
		text:       string(list.Raw()),
		base:       list.Offset(),
	}
	p.Files = make([]File, 0, count)
	for v := range list.Items() {
		if err := l.add(v); err != nil {
			return err
		}
	}
	l.finish()
	return nil
}

// fileLister reads the entries of the file list in turn.
type fileLister struct {
	*infoParser
	namer *namer

	// The raw paths are parts of one copy of the whole list, which begins at byte base.
	text string
	base int

	room []string // for the elements of paths: an allocation of its own for each costs more
	safe []string // the safe path being made

	rewritten bool // a safe path has other elements than the torrent
	links     int  // symbolic links, for a warning

	noLength int // files without a length
}

// field names a part of the file that l reads now.
func (l *fileLister) field(part string) string {
	return fmt.Sprintf("info.files[%d]%s", len(l.Files), part)
}

// add reads one file.
func (l *fileLister) add(v bencode.Value) *Error {
	if v.Kind() != bencode.Dict {
		return wrongKind(l.dict, v, l.field(""), bencode.Dict)
	}
	if !v.Ordered() { // only then: building a field name costs more than the check
		if err := checkSame(v, l.field(""), "length", "path", "path.utf-8", "attr"); err != nil {
			return err
		}
	}
	length := v.Get("length")
	n, ok := length.Int()
	if !length.Exists() { // the hashes show whether the file is empty
		ok, l.noLength = true, l.noLength+1
	}
	if !ok {
		return wrongKind(v, length, l.field(".length"), bencode.Int)
	}
	if n < 0 {
		return refuse(length, l.field(".length"), "negative length")
	}
	f := File{
		Length:     n,
		Offset:     l.Length,
		Pad:        hasAttr(v, "p"),
		Executable: hasAttr(v, "x"),
	}
	if l.Length, ok = addLength(l.Length, n); !ok {
		return refuse(length, l.field(".length"), "the sum of the lengths does not fit into 64 bits")
	}

	path, name := v.Get("path"), ".path"
	if u := v.Get("path.utf-8"); isText(u) {
		path, name = u, ".path.utf-8"
	}
	if !f.Pad || path.Exists() { // pad files need no path
		var err *Error
		if f.RawPath, err = l.rawPath(v, path, name); err != nil {
			return err
		}
	}
	if f.RawPath != nil && spelling.Pad(f.RawPath[1:]) {
		f.Pad = true
	}
	if !f.Pad {
		texts := l.texts(f.RawPath[1:])
		l.safe = l.namer.path(l.safe[:0], texts)
		l.rewritten = l.rewritten || !slices.Equal(l.safe[1:], texts)
		if f.SafePath = f.RawPath; !slices.Equal(l.safe, f.RawPath) {
			f.SafePath = slices.Clone(l.safe)
		}
		if hasAttr(v, "l") {
			l.links++
		}
	}
	if f.Pad {
		l.padding += n
	}
	l.Files = append(l.Files, f)
	return nil
}

// roomFor is the number of elements of paths that are allocated together.
const roomFor = 4096

// elements returns an empty slice with room for the n elements of a path.
func (l *fileLister) elements(n int) []string {
	if n > len(l.room) {
		l.room = make([]string, max(n, min(roomFor, n*(cap(l.Files)-len(l.Files)))))
	}
	out := l.room[:0:n]
	l.room = l.room[n:]
	return out
}

// rawPath reads the elements of a path, and puts the torrent's name first.
func (l *fileLister) rawPath(in, v bencode.Value, name string) ([]string, *Error) {
	if v.Kind() != bencode.List {
		return nil, wrongKind(in, v, l.field(name), bencode.List)
	}
	n := v.Len()
	switch {
	case n == 0:
		return nil, refuse(v, l.field(name), "a path without elements") // BEP 3: an error case
	case n > MaxPathDepth:
		e := refuse(v, l.field(name), "%d elements, more than %d", n, MaxPathDepth)
		e.Err = ErrTooLarge
		return nil, e
	}
	raw := append(l.elements(n+1), l.RawName)
	for elem := range v.Items() {
		if elem.Kind() != bencode.String {
			return nil, wrongKind(v, elem, l.field(fmt.Sprintf("%s[%d]", name, len(raw)-1)), bencode.String)
		}
		end := elem.Offset() + len(elem.Raw()) - l.base
		raw = append(raw, l.text[end-elem.Len():end])
	}
	return raw, nil
}

// isText reports whether v is a non-empty list of UTF-8 strings.
func isText(v bencode.Value) bool {
	n := 0
	for item := range v.Items() {
		b, ok := item.Bytes()
		if !ok || !utf8.Valid(b) {
			return false
		}
		n++
	}
	return n > 0
}

// finish sets the paths that the files have if the file system takes them. In most torrents
// every name is safe, and these are the safe paths.
func (l *fileLister) finish() {
	var kept [][]string
	if !rewriteAll && (l.rewritten || l.Name != l.SafeName) {
		kept = l.Paths(Rules{})
	}
	renamed, example := 0, 0
	for i := range l.Files {
		f := &l.Files[i]
		if f.Path = f.SafePath; kept != nil {
			if f.Path = kept[i]; slices.Equal(f.Path, f.SafePath) {
				f.SafePath = f.Path
			}
		}
		switch {
		case f.Pad:
		case slices.Equal(f.Path, f.RawPath):
			f.RawPath = f.Path
		case !slices.Equal(f.Path[1:], l.texts(f.RawPath[1:])):
			if renamed++; renamed == 1 {
				example = i
			}
		}
	}
	if renamed > 0 {
		f := &l.Files[example]
		l.notes.add("%d of %d paths are saved under other names, because theirs are impossible or not distinct; the first: %s as %s",
			renamed, len(l.Files), quotePath(f.RawPath), quotePath(f.Path))
	}
	if l.noLength > 0 {
		l.notes.add("%d files have no length and are empty", l.noLength)
	}
	if l.links > 0 {
		l.notes.add("%d symbolic links are saved as plain files", l.links)
	}
}

func quotePath(path []string) string { return quote(joined(path[1:])) }
