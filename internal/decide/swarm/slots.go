package swarm

import (
	"net/netip"

	"shoal/internal/decide/swarm/choker"
	"shoal/internal/value/mono"
)

// slots holds the unchoke slots: how many there are, and when the choker runs next.
//
//shoal:part
type slots struct {
	choker   *choker.Choker
	accounts choker.Memory // totals of addresses that were connected before
	uplink   uplink
	watch    slotWatch
	upLimit  int64     // bytes a second to all peers together; 0: unknown
	auto     bool      // the number of slots follows upLimit
	rechoke  bool      // a slot may be free
	roundAt  mono.Time // time of the next round; Never without peers
	turn     turnover
}

func newSlots(c *choker.Choker, followLimit bool) slots {
	return slots{
		choker:  c,
		auto:    followLimit,
		roundAt: mono.Never,
		uplink:  uplink{idleAt: mono.Never},
		watch:   slotWatch{at: mono.Never},
	}
}

// reopen makes the next flush fill free slots.
func (o *slots) reopen() { o.rechoke = true }

// filling begins to fill free slots.
func (o *slots) filling() { o.rechoke, o.watch.stale = false, true }

func (o *slots) nextRound(at mono.Time) { o.roundAt = at }

func (o *slots) account(addr netip.AddrPort) choker.Account {
	return o.accounts.Account(addrOfAccount(addr))
}

// left keeps the account of a peer that is gone.
func (o *slots) left(p *peer) {
	o.accounts.Left(addrOfAccount(p.addr), choker.Account{Given: p.upload.up.Total(), Got: p.download.down.Total()})
	if !p.ours.choked {
		o.reopen()
	}
}

// forgetAccounts frees the accounts: only a torrent that downloads uses them.
func (o *slots) forgetAccounts() { o.accounts = choker.Memory{} }

// limited notes the upload limit and reports whether the number of slots follows it.
func (o *slots) limited(bytesPerSecond int64) (follows bool) {
	o.upLimit = bytesPerSecond
	return o.auto
}

// chosen fixes the number of slots: it no longer follows the limit.
func (o *slots) chosen() { o.auto = false }
