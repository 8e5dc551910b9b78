package swarm

import (
	"net/netip"

	"shoal/internal/decide/swarm/blame"
)

// blaming records which addresses sent bad blocks, over all connections.
//
//shoal:part
type blaming struct {
	ledger  blame.Ledger
	senders senderTable
}

// senderTable numbers each address that sends blocks, for the blame ledger. A number outlives
// the connection. Outside of the loopback, only the IP tells addresses apart, as for bans.
type senderTable struct {
	byAddr map[netip.AddrPort]blame.Sender
	addrs  []netip.AddrPort
}

func (t *senderTable) id(addr netip.AddrPort) blame.Sender {
	addr = addrOfAccount(addr)
	if id, ok := t.byAddr[addr]; ok {
		return id
	}
	if t.byAddr == nil {
		t.byAddr = make(map[netip.AddrPort]blame.Sender)
	}
	t.addrs = append(t.addrs, addr)
	id := blame.Sender(len(t.addrs)) // 0 means no sender
	t.byAddr[addr] = id
	return id
}

// addrOfAccount identifies a peer over several connections. A port belongs to one connection,
// but on the loopback all peers have the same IP.
func addrOfAccount(addr netip.AddrPort) netip.AddrPort {
	if addr.Addr().IsLoopback() {
		return addr
	}
	return netip.AddrPortFrom(addr.Addr().Unmap(), 0)
}

func (t *senderTable) addr(id blame.Sender) netip.AddrPort { return t.addrs[id-1] }
