package storage

// Stamp identifies the state of an open file: which file it is, its length, and when it last
// changed. An equal Stamp means that nothing touched the file.
type Stamp struct {
	Device, Inode uint64
	Size          int64
	ModTime       int64 // nanoseconds since 1970
}

// Stamper is a Handle that returns its Stamp with one system call and no allocation.
type Stamper interface {
	Stamp() (Stamp, error)
}

// CheckReads makes every read of a file call check after the read and before it returns the bytes.
// When check returns an error, the read fails with it and returns no bytes. Set it before other
// goroutines use the storage.
func (f *Files) CheckReads(check func(entry int, h Handle) error) { f.check = check }

// MakeExecutable makes file i executable for everybody who can read it (BEP 47). It does nothing
// where the file system can't.
func (f *Files) MakeExecutable(i int) error {
	c, ok := f.fs.(interface{ MakeExecutable(name string) error })
	if !ok {
		return nil
	}
	return fail("make executable", f.entries[i].Path, c.MakeExecutable(f.entries[i].Path))
}

// Folder returns the folder that contains the files.
func (f *Files) Folder() FS { return f.fs }
