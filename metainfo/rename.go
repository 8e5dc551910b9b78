package metainfo

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrPath is in what CheckPaths returns.
var ErrPath = errors.New("not a path that a torrent's file can have")

// CheckPaths tells whether the files of a torrent can have these paths, slash-separated: the
// ones that a user chose have to be what the torrent's own become. Every element is as
// [SafeName] leaves it, and no two paths are one on any file system, nor is one a folder of
// another. Nothing is changed quietly here: whoever chose a name is told what is wrong with it.
func CheckPaths(paths []string) error {
	const file, folder = 1, 2
	taken := make(map[string]int, len(paths))
	for _, path := range paths {
		elems := strings.Split(path, "/")
		if len(elems) > MaxPathDepth+1 {
			return fmt.Errorf("%w: %q has %d elements, more than %d", ErrPath, path, len(elems), MaxPathDepth+1)
		}
		for _, e := range elems {
			switch safe := SafeName(e); {
			case e == "" || safe == "":
				return fmt.Errorf("%w: %q: nothing is left of %q that is a name everywhere", ErrPath, path, e)
			case safe != e:
				return fmt.Errorf("%w: %q is not a name everywhere; %q is", ErrPath, e, safe)
			}
		}
		key := foldKey(path)
		for i := range key {
			if key[i] != '/' {
				continue
			}
			if dir := key[:i]; taken[dir] == file {
				return fmt.Errorf("%w: a folder of %q is a file", ErrPath, path)
			} else if taken[dir] == 0 {
				taken[dir] = folder
			}
		}
		switch taken[key] {
		case file:
			return fmt.Errorf("%w: %q is one name with that of another file, on some file systems", ErrPath, path)
		case folder:
			return fmt.Errorf("%w: %q is a folder of another file", ErrPath, path)
		}
		taken[key] = file
	}
	return nil
}

// SamePath reports whether some file system takes two paths for one. For most it costs
// next to nothing.
func SamePath(a, b string) bool {
	switch {
	case strings.EqualFold(a, b):
		return true
	case ascii(a) && ascii(b):
		return false
	}
	return foldKey(a) == foldKey(b)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// PathKey gives a key that is the same for all paths that some file system takes for one.
func PathKey(path string) string { return foldKey(path) }
