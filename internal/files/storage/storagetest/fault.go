package storagetest

import (
	"context"
	"io/fs"
	"sync"

	"shoal/internal/files/storage"
)

// Call is one call to the file system.
type Call struct {
	N    int    // counts from 1, over all operations
	Op   string // open, create, mkdir, lstat, syncdir, read, write, sync, stat
	Name string
}

// Faulty is an FS whose calls fail when Fail returns an error. A write that fails has written the
// first half of its bytes.
type Faulty struct {
	storage.FS
	Fail func(Call) error // nil means success; called for one call at a time

	mu sync.Mutex
	n  int
}

// Calls returns the number of calls made.
func (f *Faulty) Calls() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

func (f *Faulty) call(op, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	if err := f.Fail(Call{f.n, op, name}); err != nil {
		return &fs.PathError{Op: op, Path: name, Err: err}
	}
	return nil
}

// Open implements storage.FS.
func (f *Faulty) Open(name string, mode storage.Mode) (storage.Handle, error) {
	op := "open"
	if mode == storage.Create {
		op = "create"
	}
	if err := f.call(op, name); err != nil {
		return nil, err
	}
	h, err := f.FS.Open(name, mode)
	if err != nil {
		return nil, err
	}
	return &faultyHandle{h, f, name}, nil
}

// Mkdir implements storage.FS.
func (f *Faulty) Mkdir(name string) error {
	if err := f.call("mkdir", name); err != nil {
		return err
	}
	return f.FS.Mkdir(name)
}

// Lstat implements storage.FS.
func (f *Faulty) Lstat(name string) (fs.FileInfo, error) {
	if err := f.call("lstat", name); err != nil {
		return nil, err
	}
	return f.FS.Lstat(name)
}

// SyncDir implements storage.FS.
func (f *Faulty) SyncDir(name string) error {
	if err := f.call("syncdir", name); err != nil {
		return err
	}
	return f.FS.SyncDir(name)
}

type faultyHandle struct {
	storage.Handle
	fs   *Faulty
	name string
}

func (h *faultyHandle) ReadV(bufs [][]byte, off int64) (int, error) {
	if err := h.fs.call("read", h.name); err != nil {
		return 0, err
	}
	return h.Handle.ReadV(bufs, off)
}

func (h *faultyHandle) WriteV(bufs [][]byte, off int64) (int, error) {
	if err := h.fs.call("write", h.name); err != nil {
		half := 0
		for _, b := range bufs {
			half += len(b)
		}
		half /= 2
		var torn [][]byte
		for left := half; left > 0; bufs = bufs[1:] {
			b := bufs[0][:min(left, len(bufs[0]))]
			torn = append(torn, b)
			left -= len(b)
		}
		n, _ := h.Handle.WriteV(torn, off)
		return n, err
	}
	return h.Handle.WriteV(bufs, off)
}

func (h *faultyHandle) Stat() (fs.FileInfo, error) {
	if err := h.fs.call("stat", h.name); err != nil {
		return nil, err
	}
	return h.Handle.Stat()
}

func (h *faultyHandle) Sync() error {
	if err := h.fs.call("sync", h.name); err != nil {
		return err
	}
	return h.Handle.Sync()
}

// Hooked is a Storage that calls a hook before each operation: the hook can fail the call, or delay
// it as a slow disk would. A nil hook does nothing.
type Hooked struct {
	storage.Storage
	BeforeRead  func(off, n int64) error
	BeforeWrite func(off, n int64) error
	BeforeSync  func() error
}

func ask(hook func(off, n int64) error, bufs [][]byte, off int64) error {
	if hook == nil {
		return nil
	}
	var n int64
	for _, b := range bufs {
		n += int64(len(b))
	}
	return hook(off, n)
}

// ReadAt implements storage.Storage.
func (h *Hooked) ReadAt(p []byte, off int64) (int, error) {
	if err := ask(h.BeforeRead, [][]byte{p}, off); err != nil {
		return 0, err
	}
	return h.Storage.ReadAt(p, off)
}

// ReadV implements storage.Storage.
func (h *Hooked) ReadV(bufs [][]byte, off int64) error {
	if err := ask(h.BeforeRead, bufs, off); err != nil {
		return err
	}
	return h.Storage.ReadV(bufs, off)
}

// WriteV implements storage.Storage.
func (h *Hooked) WriteV(bufs [][]byte, off int64) error {
	if err := ask(h.BeforeWrite, bufs, off); err != nil {
		return err
	}
	return h.Storage.WriteV(bufs, off)
}

// Sync implements storage.Storage.
func (h *Hooked) Sync(ctx context.Context) error {
	if h.BeforeSync != nil {
		if err := h.BeforeSync(); err != nil {
			return err
		}
	}
	return h.Storage.Sync(ctx)
}
