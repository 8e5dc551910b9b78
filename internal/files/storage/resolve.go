package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxHops bounds the links on the way to a file, as systems do.
const maxHops = 40

// The ways in which a link can lead to nothing that may be used.
var (
	errDangling = errors.New("is not there")
	errCircle   = errors.New("leads back to it")
	errOwner    = errors.New("belongs to another user")
)

// resolve follows a link that lies in the folder dir, a path without links, and says text.
// It returns the path, without links, of what the link leads to. Each link on the way must
// belong to somebody that trusted takes. Components are looked at one by one, so that a
// link that a stranger owns is seen wherever it lies.
func resolve(dir, text string, trusted func(fs.FileInfo) bool) (real string, info fs.FileInfo, err error) {
	at, rest := parts(dir, text)
	for hops := 0; len(rest) > 0; {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, part)
		if info, err = os.Lstat(next); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				err = errDangling
			}
			return next, nil, err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if hops++; hops > maxHops {
			return next, nil, errCircle
		}
		if !trusted(info) {
			return next, nil, fmt.Errorf("%w: %s", errOwner, next)
		}
		text, err := os.Readlink(next)
		if err != nil {
			return next, nil, err
		}
		var more []string
		at, more = parts(at, text)
		rest = append(more, rest...)
	}
	if info, err = os.Lstat(at); err != nil {
		return at, nil, err
	}
	return at, info, nil
}

// parts returns where a link in the folder dir begins to lead from, and over which names.
func parts(dir, text string) (at string, rest []string) {
	if filepath.IsAbs(text) {
		dir = filepath.VolumeName(text) + string(filepath.Separator)
		text = text[len(filepath.VolumeName(text)):]
	}
	return dir, strings.FieldsFunc(text, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) })
}
