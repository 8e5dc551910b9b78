//go:build unix

package storage

import (
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// link makes a hard link to a file of one folder, under the same name in another folder. It opens
// the parent folders first, so neither name can lead elsewhere.
func link(from, to *os.Root, name string) error {
	a, err := from.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := to.Open(path.Dir(name))
	if err != nil {
		return err
	}
	defer b.Close()
	base := path.Base(name)
	return unix.Linkat(int(a.Fd()), base, int(b.Fd()), base, 0)
}
