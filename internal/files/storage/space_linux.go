package storage

import (
	"os"

	"golang.org/x/sys/unix"
)

// spaceOf queries the file system of an open folder.
func spaceOf(dir *os.File) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil {
		return Space{}, err
	}
	unit := int64(st.Frsize) // unit of the counts, where it differs from the device's block
	if unit == 0 {
		unit = int64(st.Bsize)
	}
	return withVolume(dir, Space{
		Free: times(st.Bavail, unit), Total: times(st.Blocks, unit),
		Files: times(st.Files, 1), FreeFiles: times(st.Ffree, 1),
	})
}
