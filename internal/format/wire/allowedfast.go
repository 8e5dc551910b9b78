package wire

import (
	"crypto/sha1"
	"encoding/binary"
	"net/netip"
	"slices"
)

// AllowedFastSet gives the pieces that the peer at addr may ask for while it is choked:
// k of them, or all when the torrent has no more, in the order of the canonical
// algorithm (BEP 6). Two senders give the same peer the same pieces.
//
// The BEP takes the first three bytes of an IPv4 address, so that many addresses in one
// network bring no more than one set, and has no form for IPv6. There the first eight
// are taken, for the same reason: a network of 64 bits is what one customer has.
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
