//go:build unix

package storage

import (
	"io/fs"
	"syscall"
)

// fileID identifies a file under all its names.
type fileID struct{ device, inode uint64 }

// identify returns a file's identity, and how many names it has.
func identify(info fs.FileInfo) (id fileID, links uint64, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, 0, false
	}
	return fileID{uint64(st.Dev), uint64(st.Ino)}, uint64(st.Nlink), true
}

// DeviceOf returns the number of the device that holds a file or folder.
func DeviceOf(info fs.FileInfo) (uint64, bool) {
	id, _, ok := identify(info)
	return id.device, ok
}

// blocksOf returns how many bytes of the device a file occupies. Unix counts in units of 512 bytes,
// whatever the device's block size.
func blocksOf(info fs.FileInfo) (int64, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int64(st.Blocks) * 512, true
}

func numberOf(info fs.FileInfo) uint64 {
	id, _, _ := identify(info)
	return id.inode
}
