package netio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
)

// ErrAddress marks an address that nothing can be sent to: an invalid one, the unspecified one
// (which some systems treat as this machine), a multicast one, or port 0.
var ErrAddress = errors.New("not an address that can be reached")

// ErrNoAddress is returned by Resolve for a name without a usable address.
var ErrNoAddress = errors.New("name has no address")

// maxAddresses bounds what one name resolves to; a name server is a stranger, too.
const maxAddresses = 64

// New returns the network of the operating system under policy p.
//
// Streams have TCP_NODELAY set, because the peer protocol batches its own writes, and no TCP
// keep-alive, because peers and trackers have shorter timeouts of their own. The system sizes the
// socket buffers of streams by need. A socket on an IPv4 address accepts IPv4 only, and one on an
// IPv6 address IPv6 only, so that both families can use one port and neither receives the other's
// data.
func New(p Policy) Network { return &system{policy: p} }

type system struct {
	policy   Policy
	resolver net.Resolver
}

func (s *system) Dial(ctx context.Context, addr netip.AddrPort) (net.Conn, error) {
	addr = unmap(addr)
	if err := CheckDestination("dial", addr); err != nil {
		return nil, err
	}
	if err := s.policy.checkAddr("dial", addr.Addr()); err != nil {
		return nil, err
	}
	d := net.Dialer{KeepAlive: -1}
	d.SetMultipathTCP(false)
	src, err := s.policy.source(addr.Addr())
	if err != nil {
		return nil, err
	}
	if src.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(src, 0))
	}
	c, err := d.DialContext(ctx, family("tcp", addr.Addr()), addr.String())
	if op, ok := errors.AsType[*net.OpError](err); ok {
		op.Source = nil // its port was 0, which is useless to a reader
	}
	return c, err
}

func (s *system) Listen(addr netip.AddrPort) (net.Listener, error) {
	addr = unmap(addr)
	if err := s.checkListen(addr); err != nil {
		return nil, err
	}
	// Multipath TCP, the default for listeners, slows every stream down and supports fewer socket
	// options.
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	return lc.Listen(context.Background(), family("tcp", addr.Addr()), addr.String())
}

func (s *system) ListenPacket(addr netip.AddrPort) (PacketConn, error) {
	addr = unmap(addr)
	if err := s.checkListen(addr); err != nil {
		return nil, err
	}
	c, err := net.ListenUDP(family("udp", addr.Addr()), net.UDPAddrFromAddrPort(addr))
	if err != nil {
		return nil, err
	}
	return newPacketConn(c, s.policy), nil
}

func (s *system) checkListen(addr netip.AddrPort) error {
	if !addr.IsValid() || addr.Addr().IsMulticast() {
		return fmt.Errorf("listen on %v: %w", addr, ErrAddress)
	}
	return s.policy.checkAddr("listen", addr.Addr())
}

func (s *system) Resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		if err := s.policy.checkAddr("resolve", a); err != nil {
			return nil, err
		}
		return []netip.Addr{a.Unmap()}, nil
	}
	if s.policy.LoopbackOnly {
		if !isLocalhost(host) {
			return nil, &PolicyError{Op: "resolve", Host: host, Rule: ruleLoopback}
		}
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, nil
	}
	found, err := s.resolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	addrs := found[:0]
	for _, a := range found[:min(len(found), maxAddresses)] {
		if a = a.Unmap(); a.IsValid() && !a.IsUnspecified() {
			addrs = append(addrs, a)
		}
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("resolve %s: %w", host, ErrNoAddress)
	}
	return addrs, nil
}

// CheckDestination returns ErrAddress, wrapped, for an address that no Network sends to. It is for
// implementations of Network.
func CheckDestination(op string, to netip.AddrPort) error {
	if a := to.Addr(); !a.IsValid() || a.IsUnspecified() || a.IsMulticast() || to.Port() == 0 {
		return fmt.Errorf("%s %v: %w", op, to, ErrAddress)
	}
	return nil
}

// family returns the network name that restricts a socket to the family of a.
func family(network string, a netip.Addr) string {
	if a.Is4() {
		return network + "4"
	}
	return network + "6"
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
