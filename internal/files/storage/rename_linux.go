package storage

import (
	"errors"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// rename gives a file another name in one step, unless something has that. Neither name
// is looked up by a path that could lead elsewhere.
func rename(root *os.Root, from, to string) error {
	a, err := root.Open(path.Dir(from))
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := root.Open(path.Dir(to))
	if err != nil {
		return err
	}
	defer b.Close()
	err = unix.Renameat2(int(a.Fd()), path.Base(from), int(b.Fd()), path.Base(to), unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EEXIST) {
		// The file system knows no such thing, or takes the two for one name.
		return renameUnlessTaken(root, from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
