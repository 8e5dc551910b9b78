package netio

import (
	"net"
	"syscall"
	"time"
)

// Path is what the system knows of the way to the other end of a stream.
type Path struct {
	RTT    time.Duration // round-trip time, smoothed: an eighth of each new one
	Least  time.Duration // the least one; 0: unknown
	Acked  int64         // bytes that have arrived there; -1: unknown
	Held   int64         // bytes that were written and have not arrived; 0: unknown
	Acks   int64         // segments that came back; 0: unknown
	Unsent int64         // bytes that wait in the system
}

// Route tells of the path of one stream.
type Route struct {
	raw syscall.RawConn
	sim interface{ Path() Path }
}

// RouteOf returns the route of a stream. It reports false where the system does not tell of it.
func RouteOf(c net.Conn) (Route, bool) {
	if sim, ok := c.(interface{ Path() Path }); ok { // of a network in memory
		return Route{sim: sim}, true
	}
	s, ok := c.(syscall.Conn)
	if !ok || !tellsPath {
		return Route{}, false
	}
	raw, err := s.SyscallConn()
	return Route{raw: raw}, err == nil
}

// Path returns what the system knows now, and false when the stream is closed.
func (r Route) Path() (p Path, ok bool) {
	if r.sim != nil {
		return r.sim.Path(), true
	}
	err := r.raw.Control(func(fd uintptr) { p, ok = pathOf(fd) })
	return p, ok && err == nil
}
