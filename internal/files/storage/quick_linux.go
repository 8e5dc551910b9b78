package storage

import (
	"encoding/binary"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// beneath makes the kernel do the walk of an os.Root in one call: no name leads out of the folder,
// and no link is followed. Where there is a link the call fails, and the os.Root walks.
const beneath = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS

// longestPath bounds the names that one call takes (PATH_MAX with its zero byte).
const longestPath = 4095

func init() { walks.Store(true) }

// An anchor is the handle on a folder that calls name files from. It is opened when it is needed,
// and a bound on all anchors closes the one used least recently: a process can have thousands of
// folders, and other things need handles, too (decision 0210).
type anchor struct {
	root *os.Root

	// Guarded by anchors.mu.
	file  *os.File // nil while it is not open
	users int
	gone  bool // the root is closed
}

// anchors are those that are open, by last use, the latest at the end.
var anchors struct {
	mu   sync.Mutex
	open []*anchor
}

// take returns the descriptor of the folder, for a caller that calls put afterwards.
func (a *anchor) take() (fd int, ok bool) {
	anchors.mu.Lock()
	defer anchors.mu.Unlock()
	if a.file == nil && !a.gone && !a.open() || a.gone {
		return -1, false
	}
	if last := len(anchors.open) - 1; anchors.open[last] != a {
		at := slices.Index(anchors.open, a)
		copy(anchors.open[at:], anchors.open[at+1:])
		anchors.open[last] = a
	}
	a.users++
	return int(a.file.Fd()), true
}

// open opens the handle, unless another caller does so meanwhile. The caller holds anchors.mu, which
// open gives up: a folder on a slow volume must not keep the callers of all others waiting.
func (a *anchor) open() bool {
	anchors.mu.Unlock()
	file, err := a.root.Open(".")
	anchors.mu.Lock()
	var over []*os.File
	switch {
	case err != nil:
		return a.file != nil
	case a.gone || a.file != nil:
		over = append(over, file)
	default:
		a.file = file
		anchors.open = append(anchors.open, a)
		a.users++ // so that it is not one of those that are closed
		over = idleAnchors(len(anchors.open) - mostStops)
		a.users--
	}
	anchors.mu.Unlock()
	closeAll(over)
	anchors.mu.Lock()
	return a.file != nil
}

func (a *anchor) put() {
	anchors.mu.Lock()
	a.users--
	over := a.unused()
	anchors.mu.Unlock()
	closeAll(over)
}

// leave closes the handle for good, after its last use.
func (a *anchor) leave() {
	anchors.mu.Lock()
	a.gone = true
	over := a.unused()
	anchors.mu.Unlock()
	closeAll(over)
}

// unused returns the handle where nobody uses it and nobody will. The caller holds anchors.mu, and
// closes the handle without it.
func (a *anchor) unused() []*os.File {
	if a.users > 0 || !a.gone || a.file == nil {
		return nil
	}
	return []*os.File{a.detach()}
}

// detach takes the handle from the open ones. The caller holds anchors.mu, and closes the handle
// without it.
func (a *anchor) detach() *os.File {
	file := a.file
	a.file = nil
	anchors.open = slices.DeleteFunc(anchors.open, func(b *anchor) bool { return a == b })
	return file
}

// idleAnchors detaches up to n handles that nobody uses now, the ones used least recently. The
// caller holds anchors.mu.
func idleAnchors(n int) (idle []*os.File) {
	for _, a := range slices.Clone(anchors.open) {
		if len(idle) < n && a.users == 0 {
			idle = append(idle, a.detach())
		}
	}
	return idle
}

// leaveAnchors closes all that nobody uses now.
func leaveAnchors() {
	anchors.mu.Lock()
	idle := idleAnchors(len(anchors.open))
	anchors.mu.Unlock()
	closeAll(idle)
}

func closeAll(files []*os.File) {
	for _, file := range files {
		file.Close()
	}
}

// mostAgain is how often openAt2 tries again. A folder on the way that was renamed just then is
// there at the next try. Another program that has a lease on the file (Samba, NFS) can keep it for
// much longer: the os.Root waits for that in the kernel.
const mostAgain = 8

// openAt2 opens a name below a folder with one call. With ok the result is final: a descriptor, or
// the error that a walk would end with, too. Without ok the os.Root has to walk: it follows links
// inside the folder, waits for leases, and says what is wrong.
func openAt2(dir int, name string, flags int, mode uint32) (fd int, err error, ok bool) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC | unix.O_NOFOLLOW), Mode: uint64(mode), Resolve: beneath}
	for again := 0; ; {
		fd, err = unix.Openat2(dir, name, &how)
		switch err {
		case nil:
			return fd, nil, true
		case unix.EINTR:
			continue
		case unix.EAGAIN:
			if again++; again <= mostAgain {
				continue
			}
		case unix.ENOSYS:
			walks.Store(false)
		case unix.ENOENT, unix.EEXIST, unix.EACCES, unix.EROFS, unix.ENOSPC, unix.EIO, unix.ESTALE:
			return -1, &fs.PathError{Op: "openat", Path: name, Err: err}, true
		}
		return -1, nil, false
	}
}

// quick reports whether a name is one for a single call.
func quick(name string) bool {
	return walks.Load() && len(name) < longestPath && ValidPath(name)
}

// openQuick is Open with few calls: it looks, opens and compares, and the kernel walks. It returns
// false where the os.Root has to walk.
func (f folder) openQuick(name string, mode Mode) (h Handle, err error, ok bool) {
	if !quick(name) {
		return nil, nil, false
	}
	dir, ok := f.at.take()
	if !ok {
		return nil, nil, false
	}
	defer f.at.put()
	if mode == Create {
		fd, err, ok := openAt2(dir, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_LARGEFILE, 0o666)
		if !ok || err != nil {
			return nil, err, ok
		}
		h := &handle{}
		h.fd.Store(int32(fd))
		return h, nil, true
	}
	// The look can pass a link on the way. That does no harm: the open does not, so that what it
	// opens would be another file.
	var seen, opened unix.Stat_t
	err = unix.Fstatat(dir, name, &seen, unix.AT_SYMLINK_NOFOLLOW)
	if err == unix.ENOENT && mode == Write { // who creates it then learns of a link on the way
		return nil, &fs.PathError{Op: "statat", Path: name, Err: err}, true
	}
	looked := err == nil
	if looked && seen.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, nil, false
	}
	flags := unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_LARGEFILE
	if mode == Write {
		flags = unix.O_RDWR | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_LARGEFILE
	}
	fd, err, ok := openAt2(dir, name, flags, 0)
	if !ok || err != nil {
		return nil, err, ok
	}
	if err := unix.Fstat(fd, &opened); err != nil || !looked || opened.Dev != seen.Dev || opened.Ino != seen.Ino {
		unix.Close(fd)
		return nil, nil, false // it changed just now
	}
	q := &handle{}
	q.fd.Store(int32(fd))
	q.id, q.links = fileID{uint64(opened.Dev), opened.Ino}, uint64(opened.Nlink)
	return q, nil, true
}

// lookQuick is Lstat with few calls. It returns false where the os.Root has to walk.
func (f folder) lookQuick(name string) (info fs.FileInfo, err error, ok bool) {
	if !quick(name) {
		return nil, nil, false
	}
	dir, ok := f.at.take()
	if !ok {
		return nil, nil, false
	}
	defer f.at.put()
	st := &statInfo{name: name[strings.LastIndexByte(name, '/')+1:]}
	if len(st.name) == len(name) {
		err := unix.Fstatat(dir, name, st.unix(), unix.AT_SYMLINK_NOFOLLOW)
		if err == unix.ENOENT {
			return nil, &fs.PathError{Op: "statat", Path: name, Err: err}, true
		}
		return st, nil, err == nil
	}
	fd, err, ok := openAt2(dir, name, unix.O_PATH, 0)
	if !ok || err != nil {
		return nil, err, ok
	}
	defer unix.Close(fd)
	return st, nil, unix.Fstat(fd, st.unix()) == nil
}

// statInfo is a fs.FileInfo of what was looked up without an os.File.
type statInfo struct {
	name string
	st   syscall.Stat_t
}

// The two packages describe the same structure of the kernel.
var _ [unsafe.Sizeof(syscall.Stat_t{})]byte = [unsafe.Sizeof(unix.Stat_t{})]byte{}

func (s *statInfo) unix() *unix.Stat_t { return (*unix.Stat_t)(unsafe.Pointer(&s.st)) }

func (s *statInfo) Name() string { return s.name }
func (s *statInfo) Size() int64  { return s.st.Size }
func (s *statInfo) IsDir() bool  { return s.Mode().IsDir() }
func (s *statInfo) Sys() any     { return &s.st }

// Mode implements fs.FileInfo, as package os does.
func (s *statInfo) Mode() fs.FileMode {
	mode := fs.FileMode(s.st.Mode & 0o777)
	switch s.st.Mode & unix.S_IFMT {
	case unix.S_IFBLK:
		mode |= fs.ModeDevice
	case unix.S_IFCHR:
		mode |= fs.ModeDevice | fs.ModeCharDevice
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	}
	for _, m := range [...]struct {
		bit uint32
		is  fs.FileMode
	}{{unix.S_ISGID, fs.ModeSetgid}, {unix.S_ISUID, fs.ModeSetuid}, {unix.S_ISVTX, fs.ModeSticky}} {
		if s.st.Mode&m.bit != 0 {
			mode |= m.is
		}
	}
	return mode
}

// ModTime implements fs.FileInfo.
func (s *statInfo) ModTime() time.Time { return time.Unix(s.st.Mtim.Unix()) }

// lookListed looks at a file of the user's by its path, where links lead.
func lookListed(path string) (Look, error) {
	var st unix.Stat_t
	switch err := unix.Fstatat(unix.AT_FDCWD, path, &st, 0); err {
	case nil:
		return lookOf(&st), nil
	default:
		info, err := os.Stat(path) // for the error of package os
		return lookFrom(info, err), err
	}
}

// openListed opens a plain file of the user's by its path, without offering it to the poller.
func openListed(path string) (*handle, error) {
	for {
		fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_LARGEFILE, 0)
		switch err {
		case nil:
			h := &handle{}
			h.fd.Store(int32(fd))
			return h, nil
		case unix.EINTR:
			continue
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
}

// Readable returns why a file can't be read; nil when it can.
func Readable(path string) error {
	if unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK, unix.AT_EACCESS) == nil {
		return nil
	}
	file, err := os.Open(path) // for the error of package os, and where the call above is not there
	if err != nil {
		return err
	}
	return file.Close()
}

// linkless implements linkLister.
func (f folder) linkless(name string, most int) bool {
	if name != "." && !quick(name) {
		return false
	}
	dir, ok := f.at.take()
	if !ok {
		return false
	}
	defer f.at.put()
	fd, err, ok := openAt2(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil || !ok {
		return false
	}
	defer unix.Close(fd)
	buf := listBuffers.Get().(*[listBuffer]byte)
	defer listBuffers.Put(buf)
	for n := 0; n <= most+2; { // "." and ".." count here
		got, err := unix.Getdents(fd, buf[:])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return false
		case got == 0:
			return true
		}
		for at := 0; at < got; n++ {
			size, kind := int(binary.NativeEndian.Uint16(buf[at+int(direntSize):])), buf[at+int(direntType)]
			if kind == unix.DT_LNK || kind == unix.DT_UNKNOWN || size == 0 {
				return false
			}
			at += size
		}
	}
	return false
}

// Where the kernel has the size and the type of an entry.
const (
	direntSize = unsafe.Offsetof(unix.Dirent{}.Reclen)
	direntType = unsafe.Offsetof(unix.Dirent{}.Type)
)

// listBuffer is the size of the memory in bytes that the names of a folder are read into at a time.
const listBuffer = 32 << 10

var listBuffers = sync.Pool{New: func() any { return new([listBuffer]byte) }}

// openDir opens a folder to list or to sync it. One that an os.Root opens is looked at by each name
// in it when it is listed.
func (f folder) openDir(name string) (*os.File, bool) {
	if name != "." && !quick(name) {
		return nil, false
	}
	dir, ok := f.at.take()
	if !ok {
		return nil, false
	}
	defer f.at.put()
	fd, err, ok := openAt2(dir, name, unix.O_RDONLY|unix.O_DIRECTORY, 0) // with O_NONBLOCK os.NewFile offers it to the poller
	if err != nil || !ok {
		return nil, false
	}
	return os.NewFile(uintptr(fd), name), true
}
