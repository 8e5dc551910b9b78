package storage

import (
	"os"
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
