package netio

import (
	"net"
	"net/netip"
)

// udpBuffer is the buffer size, in bytes, that we request for each direction of a datagram socket,
// so that a burst of DHT answers, about a thousand datagrams, survives until the receiver runs. The
// system can allocate less.
const udpBuffer = 1 << 20

// packetConn is a UDP socket of the system. Neither direction allocates.
type packetConn struct {
	conn   *net.UDPConn
	local  netip.AddrPort
	policy Policy
}

func newPacketConn(c *net.UDPConn, p Policy) *packetConn {
	// A smaller buffer only loses datagrams under load.
	_ = c.SetReadBuffer(udpBuffer)
	_ = c.SetWriteBuffer(udpBuffer)
	return &packetConn{conn: c, local: AddrPort(c.LocalAddr()), policy: p}
}

func (c *packetConn) ReadFrom(b []byte) (int, netip.AddrPort, error) {
	for {
		n, from, err := c.conn.ReadFromUDPAddrPort(b)
		if err != nil && tooLong(err) {
			continue // Windows reports a cut datagram as an error and withholds the sender
		}
		return n, unmap(from), err
	}
}

func (c *packetConn) WriteTo(b []byte, to netip.AddrPort) error {
	to = unmap(to)
	if err := CheckDestination("send", to); err != nil {
		return err
	}
	if err := c.policy.checkAddr("send", to.Addr()); err != nil {
		return err
	}
	_, err := c.conn.WriteToUDPAddrPort(b, to)
	return err
}

func (c *packetConn) LocalAddr() netip.AddrPort { return c.local }

func (c *packetConn) Close() error { return c.conn.Close() }
