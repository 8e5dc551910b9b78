package storage

import (
	"errors"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// rename renames a file in one step, unless the new name is taken. It opens the parent folders
// first, so neither name can lead elsewhere.
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
		// The file system has no such call, or treats the two as one name.
		return renameUnlessTaken(root, from, to)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
