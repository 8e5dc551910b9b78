package metainfo

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrPath is returned by CheckPaths.
var ErrPath = errors.New("not a path that a torrent's file can have")

// CheckPaths checks whether the files of a torrent can have these slash-separated paths:
// paths that a user chose must have the form of the torrent's own. Every element must be
// unchanged by [KeepName], no two paths may be equal, and none may be a folder of another.
// The file system itself says whether it takes them. CheckPaths never changes a name
// silently: the user who chose it learns what is wrong with it.
func CheckPaths(paths []string) error {
	if rewriteAll {
		return checkPaths(paths, foldKey)
	}
	return checkPaths(paths, same)
}

// CheckFolded is [CheckPaths] for a file system on which names that differ in case, or in the
// composition of accents, are one.
func CheckFolded(paths []string) error { return checkPaths(paths, foldKey) }

func checkPaths(paths []string, keyOf func(string) string) error {
	const file, folder = 1, 2
	taken := make(map[string]int, len(paths))
	named := make(map[string]string) // the path that has a key
	for _, path := range paths {
		elems := strings.Split(path, "/")
		if len(elems) > MaxPathDepth+1 {
			return fmt.Errorf("%w: %s has %d elements, more than %d", ErrPath, quote(path), len(elems), MaxPathDepth+1)
		}
		for _, e := range elems {
			switch kept := KeepName(e); {
			case e == "" || kept == "":
				return fmt.Errorf("%w: %s: %s is not a name of a file or folder", ErrPath, quote(path), quote(e))
			case kept != e:
				return fmt.Errorf("%w: no file can be called %s; %s is possible", ErrPath, quote(e), quote(kept))
			}
		}
		key := keyOf(path)
		for i := range key {
			if key[i] != '/' {
				continue
			}
			if dir := key[:i]; taken[dir] == file {
				return fmt.Errorf("%w: a folder of %s is a file", ErrPath, quote(path))
			} else if taken[dir] == 0 {
				taken[dir] = folder
			}
		}
		switch taken[key] {
		case file:
			if other := named[key]; other != path {
				a, b := Distinct(path, other)
				return fmt.Errorf("%w: %s and %s, another file, are one name on this file system", ErrPath, a, b)
			}
			return fmt.Errorf("%w: two files would be called %s", ErrPath, quote(path))
		case folder:
			return fmt.Errorf("%w: %s is a folder of another file", ErrPath, quote(path))
		}
		taken[key] = file
		named[key] = path
	}
	return nil
}

// SamePath reports whether some file system treats two paths as one. It is cheap for most
// paths.
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

// PathKey returns a key that is the same for all paths that some file system treats as one.
func PathKey(path string) string { return foldKey(path) }
