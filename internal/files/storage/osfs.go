package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// folder is an FS over a folder of the operating system.
type folder struct {
	root PatientRoot
	at   *anchor
}

// OpenFolder opens the folder at path, which must exist. The path itself can contain links; no name
// below it leads out of it. Any number of storages can share the folder.
func OpenFolder(path string) (FS, error) {
	root, err := patient(func() (*os.Root, error) { return os.OpenRoot(path) })
	if err != nil {
		return nil, fail("open", path, err)
	}
	return folder{PatientRoot{root}, &anchor{root: root}}, nil
}

// Open looks before it opens, so that it never touches a link, a pipe or a device, and compares
// afterwards, so that it notices a swap in between. os.Root follows links in the parent folders as
// long as they stay inside. It walks them only where no openPath holds the parent open.
func (f folder) Open(name string, mode Mode) (Handle, error) {
	if h, err, ok := f.openQuick(name, mode); ok {
		if mode == Create {
			err = f.made(name, err)
		}
		return h, err
	}
	h, err := near(f.root, name, func(in PatientRoot, name string) (Handle, error) { return openIn(in, name, mode) })
	if mode == Create {
		return h, f.made(name, err)
	}
	return h, err
}

func openIn(root PatientRoot, name string, mode Mode) (Handle, error) {
	if mode == Create {
		file, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if err != nil {
			return nil, err
		}
		return newHandle(file), nil
	}
	seen, err := root.Lstat(name)
	if err != nil {
		return nil, refused(err)
	}
	if !seen.Mode().IsRegular() {
		return nil, NotPlain(seen)
	}
	flag := os.O_RDONLY
	if mode == Write {
		flag = os.O_RDWR
	}
	file, err := root.OpenFile(name, flag, 0)
	if err != nil {
		return nil, refused(err)
	}
	opened, err := file.Stat()
	if err == nil && !os.SameFile(seen, opened) {
		err = fmt.Errorf("%w: another program replaced it while it was opened", ErrUnsafe)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return newHandle(file), nil
}

// NotPlain returns the error for something that is not a plain file and must not be used as one.
func NotPlain(info fs.FileInfo) error {
	return fmt.Errorf("%w but a %s", ErrUnsafe, noun(info.Mode()))
}

func noun(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "folder"
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	default:
		return "device"
	}
}

// refused marks as unsafe what os.Root refuses itself: a name that would lead out of the folder.
// os.Root has no error value for that; its refusal is the only error without an error number of the
// system.
func refused(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[syscall.Errno](err); ok || errors.Is(err, fs.ErrNotExist) ||
		errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrClosed) {
		return err
	}
	if pe, ok := err.(*fs.PathError); ok {
		err = pe.Err
	}
	return fmt.Errorf("%w: %w", ErrUnsafe, err)
}

// sameInfo reports whether two are the same file, where the system can tell.
func sameInfo(a, b fs.FileInfo) bool {
	x, _, ok := identify(a)
	y, _, also := identify(b)
	return ok && also && x == y || os.SameFile(a, b)
}

func (f folder) Mkdir(name string) error { return f.made(name, f.root.Mkdir(name, 0o777)) }

// made explains an error from creating a name.
func (f folder) made(name string, err error) error {
	return making(refused(err), func() (Space, error) { return f.Space(name) })
}

func (f folder) Lstat(name string) (fs.FileInfo, error) {
	if info, err, ok := f.lookQuick(name); ok {
		return info, err
	}
	info, err := near(f.root, name, PatientRoot.Lstat)
	return info, refused(err)
}

func (f folder) SyncDir(name string) error {
	if !syncsFolders {
		return nil
	}
	dir, ok := f.openDir(name)
	if !ok {
		var err error
		if dir, err = f.root.Open(name); err != nil {
			return refused(err)
		}
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// MakeExecutable lets everybody who can read a file run it, too. It looks first, so that it does
// not follow a link.
func (f folder) MakeExecutable(name string) error {
	info, err := f.Lstat(name)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w but a %s", ErrUnsafe, noun(info.Mode()))
	}
	mode := info.Mode().Perm()
	if more := mode | mode&0o444>>2; more != mode {
		return refused(f.root.Chmod(name, more))
	}
	return nil
}

func (f folder) Rename(from, to string) error {
	return f.made(to, Patiently(func() error { return rename(f.root.Root, from, to) }))
}

// Link implements Linker, for folders of the operating system.
func (f folder) Link(from FS, name string) error {
	if l, ok := from.(*Linked); ok {
		if from, at := l.routed(name); at == name {
			return f.Link(from, name)
		}
		return errors.ErrUnsupported
	}
	if s, ok := from.(*sharedFolder); ok {
		from = s.FS
	}
	old, ok := from.(folder)
	if !ok {
		return errors.ErrUnsupported
	}
	return Patiently(func() error { return link(old.root.Root, f.root.Root, name) })
}

// SetMode changes the permissions of a file.
func (f folder) SetMode(name string, mode fs.FileMode) error {
	return refused(f.root.Chmod(name, mode))
}

// SetTime sets the modification time of a file.
func (f folder) SetTime(name string, at time.Time) error {
	return refused(f.root.Chtimes(name, at, at))
}

// renameUnlessTaken renames where the system can't check and rename in one step: a file that
// appears at the new name in between is lost. When from and to are one file, it only changes the
// case of the name.
func renameUnlessTaken(root *os.Root, from, to string) error {
	if there, err := root.Lstat(to); err == nil {
		if is, err := root.Lstat(from); err != nil || !os.SameFile(is, there) {
			return &os.LinkError{Op: "rename", Old: from, New: to, Err: fs.ErrExist}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return root.Rename(from, to)
}

// Readlink returns the target text of a symbolic link.
func (f folder) Readlink(name string) (string, error) {
	text, err := f.root.Readlink(name)
	return text, refused(err)
}

// Symlink creates a symbolic link.
func (f folder) Symlink(text, name string) error { return f.made(name, f.root.Symlink(text, name)) }

// Replace renames a file in one step, and replaces a file that has the new name.
func (f folder) Replace(from, to string) error { return refused(f.root.Rename(from, to)) }

func (f folder) Remove(name string) error { return refused(f.root.Remove(name)) }

func (f folder) Close() error {
	f.at.leave()
	err := f.root.Close()
	paths.leave(f.root.Root)
	return err
}
