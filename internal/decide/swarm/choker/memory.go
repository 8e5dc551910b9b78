package choker

import (
	"net/netip"
	"slices"
)

// maxAccounts bounds the accounts of addresses that have left: more than a torrent has
// connections, so that coming back soon does not help. The oldest go first.
const maxAccounts = 256

// Account is what passed between us and one address, in bytes, over all of its connections.
type Account struct{ Given, Got int64 }

// Memory keeps the accounts of addresses that left, so that debts outlive connections. The
// zero Memory is empty and ready to use.
type Memory struct {
	accounts map[netip.AddrPort]Account
	order    []netip.AddrPort // oldest first
}

// Left adds the bytes of a connection that has ended.
func (m *Memory) Left(addr netip.AddrPort, a Account) {
	if a == (Account{}) {
		return
	}
	if m.accounts == nil {
		m.accounts = make(map[netip.AddrPort]Account)
	}
	old, known := m.accounts[addr]
	if known {
		m.order = slices.DeleteFunc(m.order, func(x netip.AddrPort) bool { return x == addr })
	}
	m.order = append(m.order, addr)
	m.accounts[addr] = Account{old.Given + a.Given, old.Got + a.Got}
	if len(m.order) > maxAccounts {
		delete(m.accounts, m.order[0])
		m.order = slices.Delete(m.order, 0, 1)
	}
}

// Account returns the bytes of earlier connections of an address.
func (m *Memory) Account(addr netip.AddrPort) Account { return m.accounts[addr] }
