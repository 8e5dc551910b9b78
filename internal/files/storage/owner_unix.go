//go:build unix

package storage

import (
	"io/fs"
	"os"
	"syscall"
)

// ownerTrusted returns what tells whether a link may be followed: one of this user, of root,
// or of the owner of the download folder, who decides what lies there anyway. The last does
// not hold for root, whose rights that owner lacks. It is the rule of Linux for links in
// folders that everybody can write to (fs.protected_symlinks).
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
