package netio

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
)

// Where nothing was chosen both families are listened on, or the one there is; a port that
// is taken is no want of a family.
func TestOfFamilies(t *testing.T) {
	lacks := func(v6 bool, errno syscall.Errno) func([]netip.Addr) (int, error) {
		return func(all []netip.Addr) (int, error) {
			for _, a := range all {
				if a.Is6() == v6 {
					return 0, &net.OpError{Op: "listen", Err: os.NewSyscallError("socket", errno)}
				}
			}
			return len(all), nil
		}
	}
	if n, err := OfFamilies(func(all []netip.Addr) (int, error) { return len(all), nil }); n != 2 || err != nil {
		t.Errorf("both: %d, %v", n, err)
	}
	for _, v6 := range []bool{false, true} {
		if n, err := OfFamilies(lacks(v6, syscall.EAFNOSUPPORT)); n != 1 || err != nil {
			t.Errorf("without one (IPv6: %v): %d, %v", v6, n, err)
		}
	}
	tries := 0
	_, err := OfFamilies(func([]netip.Addr) (int, error) {
		tries++
		return 0, &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}
	})
	if !errors.Is(err, syscall.EADDRINUSE) || tries != 1 {
		t.Errorf("taken: %d tries, %v", tries, err)
	}
}
