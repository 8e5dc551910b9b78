//go:build !linux

package storage

import (
	"io/fs"
	"os"
	"runtime"
)

// syncsFolders reports whether a folder can be synced. Windows has no such call: its file systems
// log their names.
const syncsFolders = runtime.GOOS != "windows"

// handle is an open file; it makes one call for each buffer of a vector.
type handle struct{ file *os.File }

func newHandle(f *os.File) Handle { return handle{f} }

func (h handle) ReadV(bufs [][]byte, off int64) (int, error) {
	return each(bufs, off, h.file.ReadAt)
}

func (h handle) WriteV(bufs [][]byte, off int64) (int, error) {
	return each(bufs, off, h.file.WriteAt)
}

func each(bufs [][]byte, off int64, do func([]byte, int64) (int, error)) (int, error) {
	done := 0
	for _, b := range bufs {
		if len(b) == 0 {
			continue
		}
		n, err := do(b, off+int64(done))
		done += n
		if n < len(b) {
			return done, err
		}
	}
	return done, nil
}

func (h handle) Stat() (fs.FileInfo, error) { return h.file.Stat() }
func (h handle) Sync() error                { return h.file.Sync() }
func (h handle) Close() error               { return h.file.Close() }
func (h handle) StartWrite(int64, int64)    {}
func (h handle) Uncache(int64, int64)       {}
