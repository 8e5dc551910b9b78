package storage

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
)

// counting is a folder that counts what is asked of it.
type counting struct {
	FS
	opens, looks atomic.Int64
	syncs        atomic.Int64 // of single files
	groups       int
	folders      []string // that were synced
	failed       error    // of the next group
}

type countedHandle struct {
	Handle
	of *counting
}

func (h countedHandle) Sync() error {
	h.of.syncs.Add(1)
	return h.Handle.Sync()
}

func (c *counting) Open(name string, mode Mode) (Handle, error) {
	c.opens.Add(1)
	h, err := c.FS.Open(name, mode)
	if err != nil {
		return nil, err
	}
	return countedHandle{h, c}, nil
}

func (c *counting) Lstat(name string) (fs.FileInfo, error) {
	c.looks.Add(1)
	return c.FS.Lstat(name)
}

func (c *counting) LookAll(n int, name func(int) string, each func(int, Look, error)) {
	LookAll(c.FS, n, name, each)
}

func (c *counting) SyncDir(name string) error {
	c.folders = append(c.folders, name)
	return c.FS.SyncDir(name)
}

func (c *counting) Group() (Group, error) { return countedGroup{c}, nil }

type countedGroup struct{ *counting }

func (g countedGroup) Sync() error     { g.groups++; return g.failed }
func (g countedGroup) Holds(Look) bool { return true }
func (g countedGroup) Close() error    { return nil }

// many lays 1,000 small files out in 20 folders, of which at most eight are open at once.
func many(t *testing.T) (*Files, *counting) {
	t.Helper()
	folder, err := OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var entries []Entry
	for i := range 1000 {
		entries = append(entries, Entry{Path: fmt.Sprintf("t/d%02d/f%04d", i/50, i), Length: 10, Offset: int64(i) * 10})
	}
	c := &counting{FS: folder}
	f, err := New(entries, Config{FS: c, Pool: NewPool(8)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close(); folder.Close() })
	return f, c
}

// A fetch of many small files opens each at most three times, and makes all of them durable at
// once; a check opens each once, and keeps nothing of a file that it has read.
func TestFewOpensOfManyFiles(t *testing.T) {
	f, c := many(t)
	for off := int64(0); off < f.size; off += 50 {
		if err := f.WriteV([][]byte{make([]byte, 50)}, off); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.opens.Load(); got > 3*1000 {
		t.Errorf("a fetch of 1,000 files: opened %d times, want at most 3,000", got)
	}
	if got := f.pool.counters.syncs.Load(); c.groups != 1 || got > 2 {
		t.Errorf("%d syncs, %d of them of everything; want one of everything and one more", got, c.groups)
	}
	c.opens.Store(0)
	c.looks.Store(0)
	buf := make([]byte, 50)
	for off := int64(0); off < f.size; off += 50 {
		if _, err := f.ReadAt(buf, off); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.opens.Load(); got > 1000 || c.looks.Load() > 0 {
		t.Errorf("a check of 1,000 files: opened %d times, looked up %d; want 1,000 and 0", got, c.looks.Load())
	}
	kept := 0
	for _, s := range f.slots {
		if s != nil {
			kept++
		}
	}
	if kept > 8 {
		t.Errorf("%d files are remembered of which 8 can be open", kept)
	}
}

// A group flushes the device only where one file is synced on its own, too, also when none that it
// covers is open any more (decision 0211). A file that is gone does not count.
func TestGroupOfClosedFiles(t *testing.T) {
	f, c := many(t)
	if err := f.WriteV([][]byte{make([]byte, f.size)}, 0); err != nil {
		t.Fatal(err)
	}
	for i := range f.entries {
		f.Reopen(i)
	}
	if n := f.pool.OpenFiles(); n != 0 {
		t.Fatalf("%d files are open", n)
	}
	if err := c.FS.(Mover).Remove(f.entries[999].Path); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.groups != 1 || c.syncs.Load() != 1 {
		t.Errorf("%d syncs of everything and %d of one file; want one of each", c.groups, c.syncs.Load())
	}
	if len(f.unsync) > 0 {
		t.Errorf("%d files are still not durable", len(f.unsync))
	}
}

// When the system could not write something of a group, no file of it counts as durable, whether
// it is open or not, also at the next try.
func TestGroupFails(t *testing.T) {
	f, c := many(t)
	if err := f.WriteV([][]byte{make([]byte, f.size)}, 0); err != nil {
		t.Fatal(err)
	}
	c.failed = fs.ErrInvalid
	for range 2 {
		if err := f.Sync(t.Context()); err == nil {
			t.Fatal("Sync returns nil after a group that failed")
		}
		c.failed = nil
	}
}

// A group covers a folder by its own volume. A link can lead to another volume, so what it leads to
// is synced on its own.
func TestGroupWithLinkToFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "elsewhere"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("elsewhere", filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	folder, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	var entries []Entry
	for i := range 100 {
		in := "plain"
		if i%2 == 1 {
			in = "link"
		}
		entries = append(entries, Entry{Path: fmt.Sprintf("%s/f%02d", in, i), Length: 1, Offset: int64(i)})
	}
	c := &counting{FS: folder}
	f, err := New(entries, Config{FS: c, Pool: NewPool(8)})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.WriteV([][]byte{make([]byte, 100)}, 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c.groups != 1 || !slices.Equal(c.folders, []string{"link"}) {
		t.Errorf("%d syncs of everything, and of the folders %q; want one, and of the link", c.groups, c.folders)
	}
}
