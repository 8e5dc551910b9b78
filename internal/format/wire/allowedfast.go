package wire

import (
	"crypto/sha1"
	"encoding/binary"
	"net/netip"
	"slices"
)

// AllowedFastSet returns the pieces that the peer at addr may request while it is choked: k
// of them, or all when the torrent has no more, in the order of the canonical algorithm (BEP
// 6). Every sender computes the same pieces for the same peer.
//
// BEP 6 uses the first three bytes of an IPv4 address, so that many addresses in one network
// get only one set, and has no form for IPv6. For IPv6 we use the first eight bytes, for the
// same reason: one customer has a network of 64 bits.
func AllowedFastSet(addr netip.Addr, infoHash [20]byte, pieces uint32, k int) []uint32 {
	k = int(min(int64(max(k, 0)), int64(pieces)))
	addr = addr.Unmap()
	var x []byte
	if addr.Is4() {
		ip := addr.As4()
		x = append(x, ip[0], ip[1], ip[2], 0)
	} else {
		ip := addr.As16()
		x = append(x, ip[:8]...)
	}
	x = append(x, infoHash[:]...)
	set := make([]uint32, 0, k)
	for len(set) < k {
		sum := sha1.Sum(x)
		x = append(x[:0], sum[:]...)
		for i := 0; i < 20 && len(set) < k; i += 4 {
			if index := binary.BigEndian.Uint32(sum[i:]) % pieces; !slices.Contains(set, index) {
				set = append(set, index)
			}
		}
	}
	return set
}
