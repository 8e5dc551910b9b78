// Package choker decides which peers to unchoke (BEP 3).
package choker

import (
	"math/rand/v2"

	"shoal/internal/mono"
	"shoal/internal/why"
)

type Config struct {
	Slots int // upload slots, the optimistic one included; 0 means 8
}
type Peer struct {
	Key        uint64
	Interested bool
	Unchoked   bool
	Snubbed    bool
	Fresh      bool
	Down, Up   int64
	Joined     mono.Time
	UnchokedAt mono.Time // when we last unchoked it, kept when it is choked again; zero: never
}
type Change struct {
	Key     uint64
	Unchoke bool
	Why     why.Why
}
type Choker struct{}

func New(cfg Config, rng *rand.Rand) *Choker { return &Choker{} }
func (c *Choker) SetSlots(n int)             {}
func (c *Choker) Round(now mono.Time, seeding bool, peers []Peer, dst []Change) []Change {
	return dst
}
func (c *Choker) Fill(now mono.Time, seeding bool, peers []Peer, dst []Change) []Change {
	return dst
}
