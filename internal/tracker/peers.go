package tracker

import (
	"encoding/binary"
	"net/netip"

	"shoal/bencode"
)

// Sizes of a peer in compact form: an address and a port (BEP 23, BEP 7).
const (
	compact4 = 4 + 2
	compact6 = 16 + 2
)

// appendPeers reads the peers of a reply: "peers" is a string of compact IPv4 peers
// or a list of dictionaries, "peers6" a string of compact IPv6 peers. Either may be
// missing, and neither form follows from what was asked for.
func appendPeers(dst []Peer, peers, peers6 bencode.Value) []Peer {
	switch peers.Kind() {
	case bencode.String:
		b, _ := peers.Bytes()
		dst = appendCompact(dst, b, compact4)
	case bencode.List:
		dst = appendDictionaries(dst, peers)
	}
	b, _ := peers6.Bytes()
	return appendCompact(dst, b, compact6)
}

// appendCompact reads whole peers of size bytes each. A list that does not consist
// of whole peers is not used: which bytes are missing cannot be known.
func appendCompact(dst []Peer, b []byte, size int) []Peer {
	if len(b)%size != 0 {
		return dst
	}
	for ; len(b) > 0 && len(dst) < MaxPeers; b = b[size:] {
		a, _ := netip.AddrFromSlice(b[:size-2])
		addr := netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(b[size-2:]))
		if connectable(addr) {
			dst = append(dst, Peer{Addr: addr})
		}
	}
	return dst
}

// appendDictionaries reads peers in the form of BEP 3: "ip" is an address of either
// family in text, or a host name; "peer id" may be missing.
func appendDictionaries(dst []Peer, list bencode.Value) []Peer {
	names := 0
	for v := range list.Items() {
		if len(dst) == MaxPeers {
			break
		}
		host, _ := v.Get("ip").Bytes()
		port, _ := v.Get("port").Int()
		if len(host) == 0 || len(host) > 253 || port < 1 || port > 65535 {
			continue
		}
		var p Peer
		if a, err := netip.ParseAddr(string(host)); err == nil {
			p.Addr = netip.AddrPortFrom(a.Unmap().WithZone(""), uint16(port))
			if !connectable(p.Addr) {
				continue
			}
		} else {
			if names == MaxNames || !isName(host) {
				continue
			}
			names++
			p.Host, p.Port = string(host), uint16(port)
		}
		if id, ok := v.Get("peer id").Bytes(); ok && len(id) == len(p.ID) {
			p.ID, p.HasID = [20]byte(id), true
		}
		dst = append(dst, p)
	}
	return dst
}

// connectable refuses what no peer can have: port 0, no address, the IPv4 broadcast
// address, multicast. Whether a private address makes sense is for others to judge.
func connectable(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.Port() != 0 && ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() &&
		ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// isName reports whether b looks like a host name in ASCII. Others could pass for
// names that they are not, and are left out. One of digits and dots alone is an
// ill-formed address.
func isName(b []byte) bool {
	letters := false
	for _, c := range b {
		switch {
		case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
			letters = true
		case '0' <= c && c <= '9' || c == '-' || c == '.':
		default:
			return false
		}
	}
	return letters && b[0] != '-' && b[0] != '.'
}
