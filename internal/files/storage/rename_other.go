//go:build !linux

package storage

import "os"

// rename renames a file, unless the new name is taken.
func rename(root *os.Root, from, to string) error { return renameUnlessTaken(root, from, to) }
