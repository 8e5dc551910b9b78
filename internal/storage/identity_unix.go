//go:build unix

package storage

import (
	"io/fs"
	"syscall"
)

// fileID is what makes a file the same file under two names.
type fileID struct{ device, inode uint64 }

func identify(info fs.FileInfo) (fileID, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fileID{}, false
	}
	return fileID{uint64(st.Dev), uint64(st.Ino)}, true
}
