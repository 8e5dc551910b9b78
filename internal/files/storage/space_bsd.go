//go:build darwin || freebsd

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
	// Bavail is negative on FreeBSD when only the superuser can still write.
	return withVolume(dir, Space{
		Free: times(uint64(max(int64(st.Bavail), 0)), int64(st.Bsize)), Total: times(st.Blocks, int64(st.Bsize)),
		Files: times(st.Files, 1), FreeFiles: times(uint64(max(int64(st.Ffree), 0)), 1),
	})
}
