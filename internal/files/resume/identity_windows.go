package resume

import (
	"io/fs"
	"syscall"
)

// fileID uses the time of creation as the number of the file: a lookup by name does not return the
// real one, and a file that replaces another is younger.
func fileID(info fs.FileInfo) (device, inode uint64) {
	data, ok := info.Sys().(*syscall.Win32FileAttributeData)
	if !ok {
		return 0, 0
	}
	return 0, uint64(data.CreationTime.Nanoseconds())
}
