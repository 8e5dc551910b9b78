//go:build unix

package storage

import (
	"io/fs"
	"syscall"
)

// fileID is what makes a file the same file under two names.
type fileID struct{ device, inode uint64 }

// identify gives a file's identity, and the number of names it has.
func identify(info fs.FileInfo) (id fileID, links uint64, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, 0, false
	}
	return fileID{uint64(st.Dev), uint64(st.Ino)}, uint64(st.Nlink), true
}

// DeviceOf gives the number of the device that a file or folder is on.
func DeviceOf(info fs.FileInfo) (uint64, bool) {
	id, _, ok := identify(info)
	return id.device, ok
}

// blocksOf returns how many bytes of the device a file takes. Unix counts in 512 bytes,
// whatever the block of the device is.
func blocksOf(info fs.FileInfo) (int64, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int64(st.Blocks) * 512, true
}
