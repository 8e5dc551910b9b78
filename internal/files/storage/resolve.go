package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxHops bounds the links on the way to a file: 40, as in Linux.
const maxHops = 40

// Why a link leads to nothing usable.
var (
	errDangling = errors.New("is not there")
	errCircle   = errors.New("leads back to it")
	errOwner    = errors.New("belongs to another user")
)

// resolve follows a link that lies in the folder dir (a path without links) and has the target
// text. It returns the path of the final target, without links. trusted must accept the owner of
// each link on the way. resolve looks at one component at a time, so that it sees a stranger's link
// wherever it lies.
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

// parts returns the folder where a link in dir starts, and the components that follow.
func parts(dir, text string) (at string, rest []string) {
	if filepath.IsAbs(text) {
		dir = filepath.VolumeName(text) + string(filepath.Separator)
		text = text[len(filepath.VolumeName(text)):]
	}
	return dir, strings.FieldsFunc(text, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(uint8(r)) })
}
