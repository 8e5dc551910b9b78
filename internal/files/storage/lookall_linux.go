package storage

import (
	"errors"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// LookAll implements LooksAtAll. It keeps each folder open for the files in it that follow one
// another, and all cores look: for a torrent of many small files looking is most of a start.
func (f folder) LookAll(n int, name func(int) string, each func(int, Look, error)) {
	dir := -1
	if walks.Load() {
		if fd, ok := f.at.take(); ok {
			defer f.at.put()
			dir = fd
		}
	}
	lookInWindows(n, name, each, func(window []looked) { f.lookAt(dir, window) })
}

// lookAt looks at names in turn. dir is the descriptor of the folder; -1 where the os.Root has to
// walk.
func (f folder) lookAt(dir int, window []looked) {
	in, path, gone := -1, "", false // gone: the folder in path is not there
	leave := func() {
		if in >= 0 && in != dir {
			unix.Close(in)
		}
		in = -1
	}
	defer leave()
	for k := range window {
		l := &window[k]
		at := l.name
		cut := strings.LastIndexByte(at, '/') + 1
		if dir >= 0 && (in < 0 && !gone || at[:cut] != path) {
			if leave(); quick(at) {
				path, gone = at[:cut], false
				if in = dir; cut > 0 {
					var err error
					in, err, _ = openAt2(dir, at[:cut-1], unix.O_PATH|unix.O_DIRECTORY, 0)
					gone = errors.Is(err, unix.ENOENT)
				}
			}
		}
		if gone && at[:cut] == path {
			l.err = fs.ErrNotExist
			continue
		}
		var st unix.Stat_t
		if in >= 0 && ValidPath(at[cut:]) {
			switch unix.Fstatat(in, at[cut:], &st, unix.AT_SYMLINK_NOFOLLOW) {
			case nil:
				l.at = lookOf(&st)
				continue
			case unix.ENOENT:
				l.err = fs.ErrNotExist
				continue
			}
		}
		info, err := f.Lstat(at)
		l.at, l.err = lookFrom(info, err), err
	}
}

func lookOf(st *unix.Stat_t) Look {
	return Look{
		Stamp: Stamp{Device: uint64(st.Dev), Inode: st.Ino, Size: st.Size, ModTime: st.Mtim.Nano()},
		Plain: st.Mode&unix.S_IFMT == unix.S_IFREG, Folder: st.Mode&unix.S_IFMT == unix.S_IFDIR,
	}
}
