//go:build unix

package storage

import (
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// link gives a file of one folder the same name in another one. Neither name is looked
// up by a path that could lead elsewhere.
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
