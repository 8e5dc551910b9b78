package swarm

import (
	"net/netip"

	"shoal/internal/decide/swarm/blame"
	"shoal/internal/decide/swarm/choker"
)

// trust is what a peer's behavior has shown.
//
//shoal:part
type trust struct {
	sender blame.Sender   // 0 until its first block
	proven bool           // its latest checked piece was good
	hoards bool           // it had not passed on what we dealt to it when every piece was out
	before choker.Account // totals of earlier connections from its address
}

// knownAs returns the peer's number in the ledger. Only a peer that sent what we requested
// gets one, so strangers can't make the table grow.
func (t *trust) knownAs(senders *senderTable, addr netip.AddrPort) blame.Sender {
	if t.sender == 0 {
		t.sender = senders.id(addr)
	}
	return t.sender
}

func (t *trust) showed(good bool) { t.proven = good }

func (t *trust) judgeHoarding(hoards bool) { t.hoards = hoards }

func (t *trust) remember(before choker.Account) { t.before = before }
