//go:build !linux

package peerconn

import "net"

// sink is not there on this system: net.Buffers does the same.
type sink struct{}

func newSink(net.Conn) *sink { return nil }

func (*sink) write(*net.Buffers) (int64, error) { panic("no sink on this system") }
