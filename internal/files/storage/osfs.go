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
type folder struct{ root PatientRoot }

// OpenFolder gives the folder at path, which must exist. The path itself may
// lead over links; nothing below it leads out. Any number of storages may share
// it.
func OpenFolder(path string) (FS, error) {
	root, err := patient(func() (*os.Root, error) { return os.OpenRoot(path) })
	if err != nil {
		return nil, fail("open", path, err)
	}
	return folder{PatientRoot{root}}, nil
}

// Open looks before it opens, so that a link, a pipe or a device is never
// touched, and compares afterwards, so that swapping the name in between is
// noticed. os.Root follows links in the folders on the way, as long as they stay
// inside; it walks only where no openPath leads there.
func (f folder) Open(name string, mode Mode) (Handle, error) {
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
		err = fmt.Errorf("%w: it was replaced while it was opened", ErrUnsafe)
	}
	if err != nil {
		file.Close()
		return nil, err
	}
	return newHandle(file), nil
}

// NotPlain is the error for what is not a plain file, and must not be used as one.
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

// refused marks what os.Root itself refuses, a name that would lead out of the
// folder. It has no error value for that, but is the only one to fail without an
// error number of the system.
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

// sameInfo reports whether two are one file, where the system tells it.
func sameInfo(a, b fs.FileInfo) bool { return os.SameFile(a, b) }

func (f folder) Mkdir(name string) error { return f.made(name, f.root.Mkdir(name, 0o777)) }

// made is the error of making a name.
func (f folder) made(name string, err error) error {
	return making(refused(err), func() (Space, error) { return f.Space(name) })
}

func (f folder) Lstat(name string) (fs.FileInfo, error) {
	info, err := near(f.root, name, PatientRoot.Lstat)
	return info, refused(err)
}

func (f folder) SyncDir(name string) error {
	if !syncsFolders {
		return nil
	}
	dir, err := f.root.Open(name)
	if err != nil {
		return refused(err)
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// MakeExecutable gives the right to run a file to all who have that to read it. It looks
// before, so that a link is not followed to something else.
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

// SetTime changes the time of the last change of a file.
func (f folder) SetTime(name string, at time.Time) error {
	return refused(f.root.Chtimes(name, at, at))
}

// renameUnlessTaken is rename for where the system can't do both in one step: what comes
// to be in between is lost. Where from and to are one file it is a change of case.
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

// Readlink returns where a symbolic link says that it leads.
func (f folder) Readlink(name string) (string, error) {
	text, err := f.root.Readlink(name)
	return text, refused(err)
}

// Symlink makes a symbolic link.
func (f folder) Symlink(text, name string) error { return f.made(name, f.root.Symlink(text, name)) }

// Replace gives a file another name in one step. What has that name is gone.
func (f folder) Replace(from, to string) error { return refused(f.root.Rename(from, to)) }

func (f folder) Remove(name string) error { return refused(f.root.Remove(name)) }

func (f folder) Close() error {
	err := f.root.Close()
	paths.leave(f.root.Root)
	return err
}
