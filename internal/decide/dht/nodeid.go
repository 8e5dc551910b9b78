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

// BEP 42 binds a node's id to its address, so that an attacker can't choose positions in the
// DHT without having addresses to choose from: the first 21 bits of the id come from a
// checksum over the address and three random bits, which are the last of the id.

// prefix returns the checksum; only the low three bits of r count.
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
	b[0] |= r << 5 // three bits of r are left
	return crc32.Checksum(b, castagnoli)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// idFor returns a random id for an address.
func idFor(a netip.Addr, rng *rand.Rand) krpc.ID {
	id := randomID(rng)
	c := prefix(a, id[19])
	id[0], id[1] = byte(c>>24), byte(c>>16)
	id[2] = byte(c>>8)&0xf8 | id[2]&0x07
	return id
}

// fits reports whether an id is valid for an address. Addresses that are not on the internet
// may have any.
func fits(id krpc.ID, a netip.Addr) bool {
	if reachOf(a) != world {
		return true
	}
	c := prefix(a, id[19])
	return id[0] == byte(c>>24) && id[1] == byte(c>>16) && id[2]&0xf8 == byte(c>>8)&0xf8
}

// External sets our address as the world sees it. When our id does not fit it we take one
// that does, and look up our own id again: other nodes are close to us now. The caller must
// not change the address often.
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
		m.join = join{bootstraps: m.join.bootstraps, next: mono.Never}
		m.joinNow(now)
	}
	m.run(now)
}
