package sim

import (
	"net/netip"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// History is what happened to a node, for scenarios to judge.
//
//shoal:part
type History struct {
	Banned    map[netip.Addr]bool
	Drops     map[why.Why]int
	Dials     int
	Favours   map[netip.Addr]int // optimistic unchokes, by the peer that received them
	Failed    int                // failed pieces
	Corrupt   map[int]int        // failed pieces, by the number of the node that sent wrong blocks
	Completed mono.Time
}

func newHistory() History {
	return History{
		Banned: make(map[netip.Addr]bool), Drops: make(map[why.Why]int),
		Favours: make(map[netip.Addr]int), Corrupt: make(map[int]int),
	}
}

func (h *History) banned(a netip.Addr)     { h.Banned[a] = true }
func (h *History) dropped(reason why.Why)  { h.Drops[reason]++ }
func (h *History) dialled()                { h.Dials++ }
func (h *History) favoured(a netip.Addr)   { h.Favours[a]++ }
func (h *History) failed()                 { h.Failed++ }
func (h *History) corrupted(number int)    { h.Corrupt[number]++ }
func (h *History) completed(now mono.Time) { h.Completed = now }
