package storage

import (
	"io/fs"
	"os"
	"time"
)

// handleWait bounds how long a call waits for a file handle, and handleTry is the first pause
// between two attempts: sockets and other files release handles all the time.
const (
	handleWait = 5 * time.Second
	handleTry  = 5 * time.Millisecond
)

// PatientRoot is an os.Root whose calls wait a while when the process or the system has no file
// handle left: each call opens the folders on its way. With few handles everything is slower, and
// nothing fails.
type PatientRoot struct{ *os.Root }

// Patiently repeats do for up to handleWait while it fails for lack of a file handle.
func Patiently(do func() error) error {
	err := do()
	for wait, waited := handleTry, time.Duration(0); err != nil && waited < handleWait && classify("open", err) == TooManyFiles; wait = min(2*wait, 40*handleTry) {
		leaveAnchors()
		paths.leave(nil) // close the folders that are open only to save the next walk
		time.Sleep(wait)
		waited += wait
		err = do()
	}
	return err
}

// patient is Patiently for a function that returns a value.
func patient[T any](do func() (T, error)) (v T, err error) {
	err = Patiently(func() error {
		v, err = do()
		return err
	})
	return v, err
}

// Open opens a file or folder for reading.
func (r PatientRoot) Open(name string) (*os.File, error) {
	return patient(func() (*os.File, error) { return r.Root.Open(name) })
}

// OpenFile opens a file.
func (r PatientRoot) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	return patient(func() (*os.File, error) { return r.Root.OpenFile(name, flag, perm) })
}

// Lstat looks up a name without following a link at its end.
func (r PatientRoot) Lstat(name string) (fs.FileInfo, error) {
	return patient(func() (fs.FileInfo, error) { return r.Root.Lstat(name) })
}

// Readlink returns the target text of a link.
func (r PatientRoot) Readlink(name string) (string, error) {
	return patient(func() (string, error) { return r.Root.Readlink(name) })
}

// Mkdir makes a folder.
func (r PatientRoot) Mkdir(name string, perm fs.FileMode) error {
	return Patiently(func() error { return r.Root.Mkdir(name, perm) })
}

// Chmod changes the permissions of a file.
func (r PatientRoot) Chmod(name string, mode fs.FileMode) error {
	return Patiently(func() error { return r.Root.Chmod(name, mode) })
}

// Chtimes sets the times of a file.
func (r PatientRoot) Chtimes(name string, a, m time.Time) error {
	return Patiently(func() error { return r.Root.Chtimes(name, a, m) })
}

// Rename renames a file.
func (r PatientRoot) Rename(from, to string) error {
	return Patiently(func() error { return r.Root.Rename(from, to) })
}

// Symlink makes a link.
func (r PatientRoot) Symlink(text, name string) error {
	return Patiently(func() error { return r.Root.Symlink(text, name) })
}

// Remove removes a file or an empty folder.
func (r PatientRoot) Remove(name string) error {
	return Patiently(func() error { return r.Root.Remove(name) })
}
