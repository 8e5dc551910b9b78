package storage

// Stamp is what tells that an open file was not touched: which one it is, how long,
// and when it was changed last.
type Stamp struct {
	Device, Inode uint64
	Size          int64
	ModTime       int64 // nanoseconds since 1970
}

// Stamper is a Handle that gives its Stamp with one system call and no allocation.
type Stamper interface {
	Stamp() (Stamp, error)
}

// CheckReads has every read of a file, when it is done and before its bytes are given
// out, judged by how the open file looks then. An error of check is the read's, and
// nothing was read. It is set before the storage is used by others.
func (f *Files) CheckReads(check func(entry int, h Handle) error) { f.check = check }

// MakeExecutable lets whoever may read file i run it, too (BEP 47). Where the file system
// can't, nothing happens.
func (f *Files) MakeExecutable(i int) error {
	c, ok := f.fs.(interface{ MakeExecutable(name string) error })
	if !ok {
		return nil
	}
	return fail("make executable", f.entries[i].Path, c.MakeExecutable(f.entries[i].Path))
}

// Folder gives the folder that the files are in.
func (f *Files) Folder() FS { return f.fs }
