//go:build unix

package storage

import (
	"io/fs"
	"os"
	"syscall"
)

// ownerTrusted returns a function that reports whether we may follow a link: one that belongs to
// this user, to root, or to the owner of the download folder. That owner decides what lies there
// anyway. When we are root, the folder's owner does not count: it lacks root's rights. Linux has
// the same rule for links in folders that everybody can write to (fs.protected_symlinks).
func ownerTrusted(folder fs.FileInfo) func(fs.FileInfo) bool {
	self := uint32(os.Geteuid())
	owner, known := ownerOf(folder)
	return func(link fs.FileInfo) bool {
		uid, ok := ownerOf(link)
		return !ok || uid == self || uid == 0 || self != 0 && known && uid == owner
	}
}

func ownerOf(info fs.FileInfo) (uid uint32, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return st.Uid, true
}
