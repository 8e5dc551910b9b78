//go:build !linux

package netio

import "net"

// AckNow acknowledges at once what has arrived on a stream, where the system has a call for that.
func AckNow(net.Conn) {}
