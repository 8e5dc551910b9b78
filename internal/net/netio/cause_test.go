//go:build unix

package netio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"shoal/internal/net/netio"
)

// Each way in which a stream ends or is not made has its class and its words, which name
// no address and no system call.
func TestCauses(t *testing.T) {
	op := func(name string, err error) error {
		a := net.TCPAddrFromAddrPort(netip.MustParseAddrPort("10.1.2.3:4567"))
		return &net.OpError{Op: name, Net: "tcp4", Source: a, Addr: a, Err: err}
	}
	call := func(name string, n syscall.Errno) error { return op(name, os.NewSyscallError(name, n)) }
	for _, c := range []struct {
		err  error
		want netio.Cause
		say  string
	}{
		{io.EOF, netio.Closed, "closed"},
		{io.ErrUnexpectedEOF, netio.Closed, "closed"},
		{io.ErrClosedPipe, netio.Closed, "closed"},
		{call("writev", syscall.EPIPE), netio.Closed, "closed"},
		{call("write", syscall.EPIPE), netio.Closed, "closed"},
		{call("read", syscall.ENOTCONN), netio.Closed, "closed"},
		{call("read", syscall.ECONNRESET), netio.Reset, "reset"},
		{call("writev", syscall.ECONNRESET), netio.Reset, "reset"},
		{call("read", syscall.ECONNABORTED), netio.Reset, "reset"},
		{call("connect", syscall.ECONNREFUSED), netio.Refused, "refused"},
		{call("connect", syscall.ETIMEDOUT), netio.TimedOut, "answer"},
		{call("read", syscall.ETIMEDOUT), netio.TimedOut, "answer"},
		{op("read", os.ErrDeadlineExceeded), netio.TimedOut, "answer"},
		{op("dial", context.DeadlineExceeded), netio.TimedOut, "answer"},
		{call("connect", syscall.EHOSTUNREACH), netio.Unreachable, "reached"},
		{call("read", syscall.EHOSTUNREACH), netio.Unreachable, "reached"},
		{call("connect", syscall.ENETUNREACH), netio.Unreachable, "reached"},
		{call("connect", syscall.EHOSTDOWN), netio.Unreachable, "reached"},
		{call("writev", syscall.ENETDOWN), netio.Unreachable, "reached"},
		{call("connect", syscall.EPERM), netio.Forbidden, "forbids"},
		{call("connect", syscall.EACCES), netio.Forbidden, "forbids"},
		{call("socket", syscall.EMFILE), netio.Exhausted, "socket"},
		{call("connect", syscall.EADDRNOTAVAIL), netio.Exhausted, "socket"},
		{op("read", net.ErrClosed), netio.Ended, "here"},
		{context.Canceled, netio.Ended, "here"},
		{fmt.Errorf("read the handshake: %w", call("read", syscall.ECONNRESET)), netio.Reset, "reset"},
		{call("read", syscall.EIO), netio.Other, syscall.EIO.Error()},
		{errors.New("bad message"), netio.Other, "bad message"},
	} {
		if got := netio.CauseOf(c.err); got != c.want {
			t.Errorf("%v: cause %d, want %d", c.err, got, c.want)
		}
		got := netio.Plain(c.err)
		for _, noise := range []string{"tcp", "10.1.2.3", "writev", "i/o", "use of closed"} {
			if strings.Contains(got.Error(), noise) {
				t.Errorf("%v: %q has %q in it", c.err, got, noise)
			}
		}
		if !strings.Contains(got.Error(), c.say) || !errors.Is(got, c.err) {
			t.Errorf("%v: said as %q, want %q in it", c.err, got, c.say)
		}
		if again := netio.Plain(got); again != got {
			t.Errorf("%v: twice plain is %q", c.err, again)
		}
	}
	if netio.Plain(nil) != nil {
		t.Error("nil is not nil")
	}
}
