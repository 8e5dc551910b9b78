package krpc

import (
	"encoding/binary"
	"net/netip"
)

// Sizes of the compact forms in bytes (BEP 5, BEP 32): an address and a port, and the same
// after a node id.
const (
	Peer4 = 4 + 2
	Peer6 = 16 + 2
	Node4 = 20 + Peer4
	Node6 = 20 + Peer6
)

// Node is a node as others name it: nothing about it has been verified.
type Node struct {
	ID   ID
	Addr netip.AddrPort
}

// AppendPeer appends an address in compact form: 6 bytes for IPv4, 18 for IPv6, the
// port in network order.
func AppendPeer(b []byte, p netip.AddrPort) []byte {
	a := p.Addr()
	if a.Is4() {
		a4 := a.As4()
		b = append(b, a4[:]...)
	} else {
		a16 := a.As16()
		b = append(b, a16[:]...)
	}
	return binary.BigEndian.AppendUint16(b, p.Port())
}

// ParsePeer reads an address in compact form; its length decides the family. It returns an
// IPv4 address inside IPv6 as IPv4. Every address and port passes, even port 0: the caller
// judges whether to dial it.
func ParsePeer(b []byte) (netip.AddrPort, bool) {
	switch len(b) {
	case Peer4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b)), binary.BigEndian.Uint16(b[4:])), true
	case Peer6:
		a := netip.AddrFrom16([16]byte(b)).Unmap()
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(b[16:])), true
	}
	return netip.AddrPort{}, false
}

// AppendNode appends a node in compact form: 26 bytes for IPv4, 38 for IPv6.
func AppendNode(b []byte, n Node) []byte {
	return AppendPeer(append(b, n.ID[:]...), n.Addr)
}

// AppendNodes reads a list of compact nodes, each of size bytes (Node4 or Node6), and appends
// at most MaxNodes of them to dst. It returns false, and dst unchanged, when the list does
// not consist of whole nodes.
func AppendNodes(dst []Node, list []byte, size int) ([]Node, bool) {
	if len(list)%size != 0 {
		return dst, false
	}
	for n := 0; n < MaxNodes && len(list) > 0; n++ {
		addr, _ := ParsePeer(list[20:size])
		dst = append(dst, Node{ID(list[:20]), addr})
		list = list[size:]
	}
	return dst, true
}
