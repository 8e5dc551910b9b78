package netio

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// AckNow acknowledges at once what has arrived on a stream. A server that sends the head of a reply
// and then its body may hold the body back until then, and we would acknowledge the head 40 ms
// later.
func AckNow(c net.Conn) {
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			// It only saves time: an error has no consequence.
			_ = raw.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1) })
		}
	}
}
