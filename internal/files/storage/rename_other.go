//go:build !linux

package storage

import "os"

// rename gives a file another name, unless something has that.
func rename(root *os.Root, from, to string) error { return renameUnlessTaken(root, from, to) }
