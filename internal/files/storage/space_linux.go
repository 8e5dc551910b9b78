package storage

import (
	"os"

	"golang.org/x/sys/unix"
)

// spaceOf asks the file system of an open folder.
func spaceOf(dir *os.File) (Space, error) {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil {
		return Space{}, err
	}
	unit := int64(st.Frsize) // the unit of counts, where it is not the block of the device
	if unit == 0 {
		unit = int64(st.Bsize)
	}
	return withVolume(dir, Space{
		Free: times(st.Bavail, unit), Total: times(st.Blocks, unit),
		Files: times(st.Files, 1), FreeFiles: times(st.Ffree, 1),
	})
}
