package dht

import (
	"hash/crc32"
	"math/rand/v2"
	"net/netip"
	"slices"

	"shoal/internal/format/krpc"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// A node's id is bound to its address (BEP 42), so that nobody can take a place of their
// choice in the DHT without having addresses to choose from: the first 21 bits are those
// of a checksum over the address and three bits of chance, which are the last of the id.

// prefix gives the checksum; r counts in its low three bits.
func prefix(a netip.Addr, r byte) uint32 {
	mask4, mask6 := [4]byte{0x03, 0x0f, 0x3f, 0xff}, [8]byte{0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff}
	var room [8]byte
	b, mask := room[:4], mask4[:]
	if a.Is4() {
		a4 := a.As4()
		copy(b, a4[:])
	} else {
		b, mask = room[:8], mask6[:]
		a16 := a.As16()
		copy(b, a16[:])
	}
	for i := range b {
		b[i] &= mask[i]
	}
	b[0] |= r << 5 // three bits are left of it
	return crc32.Checksum(b, castagnoli)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// idFor makes an id for an address.
func idFor(a netip.Addr, rng *rand.Rand) krpc.ID {
	id := randomID(rng)
	c := prefix(a, id[19])
	id[0], id[1] = byte(c>>24), byte(c>>16)
	id[2] = byte(c>>8)&0xf8 | id[2]&0x07
	return id
}

// fits reports whether an id may be used at an address. Addresses that do not reach out
// into the world may have any.
func fits(id krpc.ID, a netip.Addr) bool {
	if reachOf(a) != world {
		return true
	}
	c := prefix(a, id[19])
	return id[0] == byte(c>>24) && id[1] == byte(c>>16) && id[2]&0xf8 == byte(c>>8)&0xf8
}

// External tells our address as the world sees it. When our id does not fit it we take
// one that does, and look for ourselves anew: who is close to us is another now. Whoever
// decides about the address must not change it often.
func (m *Machine) External(now mono.Time, addr netip.Addr) {
	m.begin()
	addr = addr.Unmap()
	if addr.IsValid() && addr.Is6() == m.cfg.IPv6 && !fits(m.id, addr) {
		m.id = idFor(addr, m.rng)
		m.table = m.table.around(m.id, now)
		m.did(now, "new id", netip.AddrPort{}, why.Voted, "the world sees us at "+addr.String())
		upkeep := func(l *lookup) bool {
			l.over = l.over || l.id == 0
			return l.id == 0
		}
		m.lookups = slices.DeleteFunc(m.lookups, upkeep)
		m.join = join{ways: m.join.ways, next: mono.Never}
		m.joinNow(now)
	}
	m.run(now)
}
