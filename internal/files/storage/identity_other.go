//go:build !unix

package storage

import "io/fs"

// fileID is what makes a file the same file under two names; this system does
// not tell it with a file's other attributes.
type fileID struct{}

func identify(fs.FileInfo) (id fileID, links uint64, ok bool) { return fileID{}, 0, false }

// DeviceOf gives the number of the device that a file or folder is on, where the system
// tells.
func DeviceOf(fs.FileInfo) (uint64, bool) { return 0, false }

// blocksOf is for systems that do not tell: their files have no holes unless asked for.
func blocksOf(fs.FileInfo) (int64, bool) { return 0, false }
