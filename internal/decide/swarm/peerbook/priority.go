package peerbook

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Priority returns the rank that two peers assign to the connection between them (BEP 40):
// both compute the same, and neither can choose it without choosing an address. Larger is
// better. Addresses of different families have no rank: 0.
func Priority(a, b netip.AddrPort) uint32 {
	a, b = unmap(a), unmap(b)
	if a.Addr().Is4() != b.Addr().Is4() {
		return 0
	}
	if a.Addr() == b.Addr() {
		var ports [4]byte
		binary.BigEndian.PutUint16(ports[:], min(a.Port(), b.Port()))
		binary.BigEndian.PutUint16(ports[2:], max(a.Port(), b.Port()))
		return crc32.Checksum(ports[:], castagnoli)
	}
	x, y := a.Addr().AsSlice(), b.Addr().AsSlice()
	mask(x, y)
	if bytes.Compare(x, y) > 0 {
		x, y = y, x
	}
	return crc32.Update(crc32.Checksum(x, castagnoli), castagnoli, y)
}

// mask blanks every other bit behind the first network that the addresses do not share:
// behind the /16 for IPv4, the /48 for IPv6; if they share that, a byte further, and so on.
func mask(x, y []byte) {
	keep := 2
	if len(x) == 16 {
		keep = 6
	}
	if common := commonBytes(x, y); common >= keep {
		keep = common + 1
	}
	for i := keep; i < len(x); i++ {
		x[i] &= 0x55
		y[i] &= 0x55
	}
}

func commonBytes(x, y []byte) int {
	n := 0
	for n < len(x) && x[n] == y[n] {
		n++
	}
	return n
}

// External sets our own address as peers of its family see it. It ranks candidates from now
// on (BEP 40).
func (b *Book) External(addr netip.AddrPort) {
	addr = unmap(addr)
	for i, old := range b.external {
		if old.Addr().Is4() == addr.Addr().Is4() {
			if old == addr {
				return
			}
			b.external = append(b.external[:i], b.external[i+1:]...)
			break
		}
	}
	b.external = append(b.external, addr)
	for i := range b.entries {
		if e := &b.entries[i]; e.addr.Addr().Is4() == addr.Addr().Is4() {
			e.rank = Priority(addr, e.addr)
		}
	}
}

// Rank returns the priority of an address (BEP 40), or a random rank while ours is unknown.
func (b *Book) Rank(addr netip.AddrPort) uint32 {
	if e := b.find(addr); e != nil {
		return e.rank
	}
	return b.rankOf(unmap(addr))
}

func (b *Book) rankOf(addr netip.AddrPort) uint32 {
	for _, own := range b.external {
		if own.Addr().Is4() == addr.Addr().Is4() {
			return Priority(own, addr)
		}
	}
	return b.rng.Uint32()
}
