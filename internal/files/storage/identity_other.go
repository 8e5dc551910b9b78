//go:build !unix

package storage

import "io/fs"

// fileID identifies a file under all its names. This system does not report it among a file's other
// attributes.
type fileID struct{}

func identify(fs.FileInfo) (id fileID, links uint64, ok bool) { return fileID{}, 0, false }

// DeviceOf returns the number of the device that holds a file or folder, where the system reports
// one.
func DeviceOf(fs.FileInfo) (uint64, bool) { return 0, false }

// blocksOf is for systems that do not report it: their files have no holes unless a program asks
// for them.
func blocksOf(fs.FileInfo) (int64, bool) { return 0, false }

func numberOf(fs.FileInfo) uint64 { return 0 }
