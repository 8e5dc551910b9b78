package storage

import (
	"errors"
	"io/fs"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// volumeGroup is a Group by syncfs. The descriptor remembers which failures of the volume it has
// seen, so it must be as old as the first write (Linux 5.8).
type volumeGroup struct {
	mu  sync.Mutex
	dir *os.File // nil after Close
	dev uint64
}

// reportsFailures says whether syncfs returns the failures of writes: since Linux 5.8.
var reportsFailures = sync.OnceValue(func() bool {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return false
	}
	major, minor, at := 0, 0, 0
	for ; at < len(u.Release) && u.Release[at] >= '0' && u.Release[at] <= '9'; at++ {
		major = major*10 + int(u.Release[at]-'0')
	}
	if at < len(u.Release) && u.Release[at] == '.' {
		for at++; at < len(u.Release) && u.Release[at] >= '0' && u.Release[at] <= '9'; at++ {
			minor = minor*10 + int(u.Release[at]-'0')
		}
	}
	return major > 5 || major == 5 && minor >= 8
})

// Group implements Grouper, on the file systems whose syncfs waits for data, names and the device.
// Others, in user space or over networks, may do less.
func (f folder) Group() (Group, error) {
	if !reportsFailures() {
		return nil, errors.ErrUnsupported
	}
	dir, err := f.root.Open(".")
	if err != nil {
		return nil, err
	}
	var of unix.Statfs_t
	var st unix.Stat_t
	if err = unix.Fstatfs(int(dir.Fd()), &of); err == nil {
		err = unix.Fstat(int(dir.Fd()), &st)
	}
	if err == nil {
		switch uint32(of.Type) {
		case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC:
			return &volumeGroup{dir: dir, dev: uint64(st.Dev)}, nil
		}
		err = errors.ErrUnsupported
	}
	dir.Close()
	return nil, err
}

// Sync implements Group.
func (g *volumeGroup) Sync() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.dir == nil {
		return fs.ErrClosed
	}
	for {
		switch err := unix.Syncfs(int(g.dir.Fd())); err {
		case nil:
			return nil
		case unix.EINTR:
		default:
			return os.NewSyscallError("syncfs", err)
		}
	}
}

// Holds implements Group.
func (g *volumeGroup) Holds(at Look) bool {
	if at.Info == nil {
		return at.Device == g.dev
	}
	id, _, ok := identify(at.Info)
	return ok && id.device == g.dev
}

// Close implements Group.
func (g *volumeGroup) Close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.dir == nil {
		return nil
	}
	err := g.dir.Close()
	g.dir = nil
	return err
}
