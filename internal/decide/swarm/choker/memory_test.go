package choker

import (
	"net/netip"
	"testing"
)

// Accounts add up over connections, and there is a bound on how many are kept.
func TestMemory(t *testing.T) {
	var m Memory
	addr := func(i int) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), 0)
	}
	m.Left(addr(1), Account{})
	if len(m.order) != 0 {
		t.Error("who neither gave nor took anything is remembered")
	}
	m.Left(addr(1), Account{Given: 5, Got: 1})
	m.Left(addr(2), Account{Given: 7})
	m.Left(addr(1), Account{Given: 1, Got: 2})
	if got := m.Account(addr(1)); got != (Account{6, 3}) {
		t.Errorf("%+v", got)
	}
	for i := range maxAccounts - 1 {
		m.Left(addr(100+i), Account{Given: 1})
	}
	if m.Account(addr(2)) != (Account{}) || m.Account(addr(1)) != (Account{6, 3}) {
		t.Error("not the oldest is forgotten")
	}
	if len(m.order) != maxAccounts || len(m.accounts) != maxAccounts {
		t.Errorf("%d and %d are kept", len(m.order), len(m.accounts))
	}
}
