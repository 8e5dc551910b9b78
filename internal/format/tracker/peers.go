package tracker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"shoal/bencode"
)

// Sizes of a peer in compact form: an address and a port (BEP 23, BEP 7).
const (
	compact4 = 4 + 2
	compact6 = 16 + 2
)

// cutList notes a list that is not a whole number of peers.
const cutList = "its list of peers ends inside a peer"

// readPeers reads the peers of a reply. "peers" is a string of compact IPv4 peers (BEP 23) or
// a list of dictionaries (BEP 3), "peers6" a string of compact IPv6 peers (BEP 7). Either may
// be missing, and the request does not decide the form. The note says what was left out.
func readPeers(peers, peers6 bencode.Value) (all []Peer, note string) {
	l := &peerList{}
	l.read(peers, compact4)
	l.read(peers6, compact6)
	var odd []string
	if l.cut {
		odd = append(odd, cutList)
	}
	if l.odd > 0 {
		odd = append(odd, fmt.Sprintf("entries of its list that are not peers: %d", l.odd))
	}
	return l.peers, strings.Join(odd, "; ")
}

// peerList collects the peers of a reply.
type peerList struct {
	peers []Peer
	names int  // peers given by host name
	cut   bool // the end of a list is not a whole peer
	odd   int  // entries that are not peers
}

// read reads peers in any form. size is that of a compact peer of the family.
func (l *peerList) read(v bencode.Value, size int) {
	switch v.Kind() {
	case bencode.String:
		b, _ := v.Bytes()
		l.peers = appendCompact(l.peers, b, size)
		l.cut = l.cut || len(b)%size != 0
	case bencode.List:
		for item := range v.Items() {
			l.entry(item, size)
		}
	case bencode.Dict:
		// A script's array with holes becomes a dictionary of its entries by number; a single
		// peer is its own dictionary.
		if v.Get("ip").Exists() {
			l.entry(v, size)
			return
		}
		for _, item := range v.Entries() {
			l.entry(item, size)
		}
	}
}

// appendCompact reads whole peers of size bytes each. A remainder at the end is not a peer.
func appendCompact(dst []Peer, b []byte, size int) []Peer {
	for ; len(b) >= size && len(dst) < MaxPeers; b = b[size:] {
		a, _ := netip.AddrFromSlice(b[:size-2])
		addr := netip.AddrPortFrom(a.Unmap(), binary.BigEndian.Uint16(b[size-2:]))
		if connectable(addr) {
			dst = append(dst, Peer{Addr: addr})
		}
	}
	return dst
}

// entry reads one entry of a list: a dictionary (BEP 3), in which "ip" is an address of
// either family as text, or a host name, and "peer id" may be missing; or one compact peer.
func (l *peerList) entry(v bencode.Value, size int) {
	if len(l.peers) == MaxPeers {
		return
	}
	if b, ok := v.Bytes(); ok {
		if len(b) != size {
			l.odd++
			return
		}
		l.peers = appendCompact(l.peers, b, size)
		return
	}
	host, _ := v.Get("ip").Bytes()
	host = bytes.TrimSpace(host)
	port, _ := number(v.Get("port"))
	if len(host) == 0 || len(host) > 253 || port < 1 || port > 65535 {
		l.odd++
		return
	}
	var p Peer
	if a, ok := address(host); ok {
		p.Addr = netip.AddrPortFrom(a, uint16(port))
		if !connectable(p.Addr) {
			l.odd++
			return
		}
	} else {
		if !isName(host) {
			l.odd++
			return
		}
		if l.names == MaxNames {
			return
		}
		l.names++
		p.Host, p.Port = string(host), uint16(port)
	}
	if id, ok := v.Get("peer id").Bytes(); ok && len(id) == len(p.ID) {
		p.ID, p.HasID = [20]byte(id), true
	}
	l.peers = append(l.peers, p)
}

// address reads an address as text, with or without brackets, or as 4 or 16 bytes.
func address(b []byte) (netip.Addr, bool) {
	text := string(b)
	if t, ok := strings.CutPrefix(text, "["); ok {
		text = strings.TrimSuffix(t, "]")
	}
	a, err := netip.ParseAddr(text)
	if err != nil && (len(b) == 4 || len(b) == 16) && !isName(b) {
		var ok bool
		if a, ok = netip.AddrFromSlice(b); ok {
			err = nil
		}
	}
	return a.Unmap().WithZone(""), err == nil
}

// connectable refuses addresses that no peer can have: port 0, an unspecified address, the
// IPv4 broadcast address, multicast. The caller judges whether a private address makes sense.
func connectable(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.Port() != 0 && ip.IsValid() && !ip.IsUnspecified() && !ip.IsMulticast() &&
		ip != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// isName reports whether b looks like a host name in ASCII. Others could imitate names and
// are left out. A name of digits and dots only is an ill-formed address.
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
