package storage

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// A file that another program has a lease on is left to the os.Root, which waits in the kernel: to
// try until the lease is gone would keep a processor busy.
func TestLeasedFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/f", []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	lessee, err := os.OpenFile(dir+"/f", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lessee.Close()
	if _, err := unix.FcntlInt(lessee.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("no leases here: %v", err)
	}
	at, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer at.Close()
	fd, err, ok := openAt2(int(at.Fd()), "f", unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil || ok {
		t.Errorf("openAt2 of a leased file: %d, %v, %v; want false", fd, err, ok)
	}
}

// A folder with a link in it, or behind one, is not one without links.
func TestFolderWithoutLinks(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"plain/in", "linked"} {
		if err := os.MkdirAll(dir+"/"+name, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 2000 {
		if err := os.WriteFile(fmt.Sprintf("%s/plain/in/a-name-that-fills-the-buffer-%04d", dir, i), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for at, to := range map[string]string{"linked/x": "../plain/in/f0", "way": "plain"} {
		if err := os.Symlink(to, dir+"/"+at); err != nil {
			t.Fatal(err)
		}
	}
	folder, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	l := folder.(linkLister)
	for _, c := range []struct {
		name string
		most int
		want bool
	}{
		{"plain/in", 2000, true},
		{"plain/in", 1000, false},
		{"plain", 10, true},
		{"linked", 10, false},
		{"way", 10, false},
		{"way/in", 2000, false},
		{"nothing", 10, false},
		{".", 10, false},
		{"../x", 10, false},
	} {
		if got := l.linkless(c.name, c.most); got != c.want {
			t.Errorf("linkless(%q, %d) = %v, want %v", c.name, c.most, got, c.want)
		}
	}
}

// Many goroutines share handles on more folders than stay open, some of which are closed meanwhile.
func TestManyAnchors(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/f", []byte("x"), 0o666); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 3 * mostStops {
		root, err := OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		at := root.(folder).at
		for range 4 {
			wg.Go(func() {
				for range 50 {
					if _, err := root.Lstat("f"); err != nil && !errors.Is(err, os.ErrClosed) {
						t.Error(err)
					}
				}
				root.Close()
			})
		}
		defer func() {
			anchors.mu.Lock()
			defer anchors.mu.Unlock()
			if at.file != nil || at.users != 0 || slices.Contains(anchors.open, at) {
				t.Errorf("the handle of a closed folder is open, with %d users", at.users)
			}
		}()
	}
	wg.Wait()
	anchors.mu.Lock()
	defer anchors.mu.Unlock()
	if len(anchors.open) > mostStops {
		t.Errorf("%d handles are open, want at most %d", len(anchors.open), mostStops)
	}
}
