//go:build darwin || freebsd

package resume

import "golang.org/x/sys/unix"

// LateTimes reports whether the file system at path may change the time of a file
// after a write to it has returned, as those that are not local do.
func LateTimes(path string) bool {
	var st unix.Statfs_t
	return unix.Statfs(path, &st) == nil && st.Flags&unix.MNT_LOCAL == 0
}
