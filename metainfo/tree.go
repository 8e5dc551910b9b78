package metainfo

import (
	"slices"

	"shoal/bencode"
)

// treeWalk compares the v2 file tree of a hybrid with the files of its v1 part: they must
// have the same paths and lengths in the same order, pad files aside (BEP 52). Otherwise
// peers of the two versions would share different files under one torrent.
type treeWalk struct {
	*infoParser
	files []File // files of the v1 part without pad files
	next  int
	path  []string
}

// compareTree refuses a hybrid whose two parts describe different files.
func (p *infoParser) compareTree(tree bencode.Value) *Error {
	if tree.Kind() != bencode.Dict {
		return wrongKind(p.dict, tree, "info.file tree", bencode.Dict)
	}
	w := &treeWalk{infoParser: p, files: slices.DeleteFunc(slices.Clone(p.Files), func(f File) bool { return f.Pad })}
	if err := w.folder(tree); err != nil {
		return err
	}
	if w.next < len(w.files) {
		return refuse(tree, "info.file tree", "the v1 and v2 parts describe different files: %s is only in the v1 part",
			quote(joined(w.of(w.files[w.next]))))
	}
	return nil
}

// folder visits the contents of a folder of the tree, in order. A name whose dictionary has
// the empty key is a file, others are folders.
func (w *treeWalk) folder(v bencode.Value) *Error {
	if !v.Ordered() && hasTwins(v) {
		e := refuse(v, "info.file tree", "a name occurs twice")
		e.Err = bencode.ErrDuplicate
		return e
	}
	if len(w.path) == MaxPathDepth && v.Len() > 0 {
		e := refuse(v, "info.file tree", "more than %d folders deep", MaxPathDepth)
		e.Err = ErrTooLarge
		return e
	}
	for key, entry := range v.Entries() {
		if entry.Kind() != bencode.Dict {
			return wrongKind(v, entry, "info.file tree", bencode.Dict)
		}
		if len(key) == 0 {
			return refuse(entry, "info.file tree", "an empty name")
		}
		w.path = append(w.path, string(key))
		err := w.entry(entry)
		w.path = w.path[:len(w.path)-1]
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *treeWalk) entry(v bencode.Value) *Error {
	f := v.Get("")
	switch {
	case !f.Exists():
		return w.folder(v)
	case v.Len() > 1:
		return refuse(v, "info.file tree", "%s is a file and a folder", quote(joined(w.path)))
	}
	length, ok := f.Get("length").Int()
	if !f.Get("length").Exists() && hasAttr(f, "l") {
		ok = true // a symbolic link has none
	}
	if !ok || length < 0 {
		return refuse(f, "info.file tree", "a file without a length")
	}
	const differ = "the v1 and v2 parts describe different files"
	if w.next == len(w.files) {
		return refuse(f, "info.file tree", differ+": %s is only in the v2 part", quote(joined(w.path)))
	}
	v1 := w.files[w.next]
	w.next++
	if !w.called(v1) {
		return refuse(f, "info.file tree", differ+": %s and %s", quote(joined(w.of(v1))), quote(joined(w.path)))
	}
	if v1.Length != length {
		return refuse(f, "info.file tree", differ+": %s has %d and %d bytes", quote(joined(w.path)), v1.Length, length)
	}
	return nil
}

// of returns the path of a v1 file as it is in the tree: below the torrent's folder, if it
// has one.
func (w *treeWalk) of(f File) []string {
	if w.MultiFile {
		return f.RawPath[1:]
	}
	return f.RawPath
}

// called reports whether a v1 file has the current path of the walk, as it is written or, in
// another encoding than UTF-8, as it is decoded.
func (w *treeWalk) called(f File) bool {
	raw := w.of(f)
	return slices.Equal(raw, w.path) || slices.Equal(w.texts(raw), w.path)
}

// joined returns a path for display.
func joined(path []string) string {
	s := ""
	for i, elem := range path {
		if i > 0 {
			s += "/"
		}
		s += elem
		if len(s) > 1000 { // more than quote prints
			break
		}
	}
	return s
}

// hasTwins reports whether a dictionary has a duplicate key.
func hasTwins(v bencode.Value) bool {
	seen := make(map[string]bool)
	for key := range v.Entries() {
		if seen[string(key)] {
			return true
		}
		seen[string(key)] = true
	}
	return false
}
