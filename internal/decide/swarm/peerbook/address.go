package peerbook

import (
	"net/netip"
	"slices"

	"shoal/internal/value/mono"
)

var (
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	reserved    = netip.MustParsePrefix("240.0.0.0/4") // includes the broadcast address
)

// firstUnprivileged is the first port on which any program may listen.
const firstUnprivileged = 1024

// unmap returns an IPv4 address in its own form, so that each address has one form.
func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// dialable reports whether a peer can be at the address at all.
func dialable(addr netip.AddrPort) bool {
	ip := addr.Addr()
	switch {
	case !addr.IsValid(), addr.Port() == 0, ip.IsUnspecified(), ip.IsMulticast():
		return false
	case thisNetwork.Contains(ip), reserved.Contains(ip):
		return false
	case ip.Is6() && ip.IsLinkLocalUnicast() && ip.Zone() == "":
		return false // the link is unknown
	}
	return true
}

// admits reports whether an address that src named may enter the book.
func (b *Book) admits(src Source, addr netip.AddrPort) bool {
	if !dialable(addr) || slices.Contains(b.self, addr) || b.Banned(addr) {
		return false
	}
	return src == Manual || b.cfg.PrivilegedPorts || addr.Port() >= firstUnprivileged
}

// Self says that an address is our own. It is never dialled again.
func (b *Book) Self(addr netip.AddrPort) {
	addr = unmap(addr)
	if slices.Contains(b.self, addr) {
		return
	}
	if len(b.self) == maxSelf {
		b.self = slices.Delete(b.self, 0, 1)
	}
	b.self = append(b.self, addr)
	if i, ok := b.index[addr]; ok {
		b.remove(i)
	}
}

// Ban says that the peer at the address is proven to send bad data: its address is not
// dialled, added or welcome again while the book lives. The ban covers the IP address; for
// IPv6 the /64, which one household has to itself, except on the local link. On this machine
// it covers the address with its port, because a whole swarm may share 127.0.0.1.
func (b *Book) Ban(now mono.Time, addr netip.AddrPort) {
	key := keyOf(unmap(addr))
	if b.Banned(addr) {
		return
	}
	b.bans.put(now, key)
	for i := len(b.entries) - 1; i >= 0; i-- {
		if e := &b.entries[i]; e.state == idle && keyOf(e.addr) == key {
			b.remove(i)
		}
	}
}

// Banned reports whether the address is banned.
func (b *Book) Banned(addr netip.AddrPort) bool {
	_, banned := b.bans.at[keyOf(unmap(addr))]
	return banned
}

// SeenRecently reports whether a connection to or from the address, by the same key as bans,
// ended within the last ten minutes. Then it is not a new peer: a leecher that reconnects for
// the preference given to new peers gains nothing.
func (b *Book) SeenRecently(now mono.Time, addr netip.AddrPort) bool {
	at, ok := b.seen.at[keyOf(unmap(addr))]
	return ok && now.Sub(at) < seenFor
}

// keyOf returns the key under which bans and recent store an address.
func keyOf(addr netip.AddrPort) netip.AddrPort {
	ip := addr.Addr()
	switch {
	case ip.IsLoopback():
		return addr
	case ip.Is6() && ip.IsLinkLocalUnicast():
		// All hosts on the link have the same /64.
	case ip.Is6():
		ip = netip.PrefixFrom(ip.WithZone(""), 64).Masked().Addr()
	}
	return netip.AddrPortFrom(ip, 0)
}

// recent is a bounded set of addresses with the time of their last put. It forgets the oldest
// first.
type recent struct {
	most  int
	at    map[netip.AddrPort]mono.Time
	order []remembered // oldest first; an address put again is here twice
}

type remembered struct {
	key netip.AddrPort
	at  mono.Time
}

func (m *recent) put(now mono.Time, key netip.AddrPort) {
	if m.at == nil {
		m.at = make(map[netip.AddrPort]mono.Time)
	}
	m.at[key] = now
	m.order = append(m.order, remembered{key, now})
	for len(m.order) > m.most {
		if old := m.order[0]; m.at[old.key] == old.at {
			delete(m.at, old.key)
		}
		m.order = m.order[1:]
	}
}

// Sources returns the sources that named an address; 0: none.
func (b *Book) Sources(addr netip.AddrPort) Source {
	if i, ok := b.index[unmap(addr)]; ok {
		return b.entries[i].sources
	}
	return 0
}

// Keep forgets the idle addresses that none of these sources named.
func (b *Book) Keep(sources Source) {
	for i := len(b.entries) - 1; i >= 0; i-- {
		if e := &b.entries[i]; e.state == idle && e.sources&sources == 0 {
			b.remove(i)
		}
	}
}
