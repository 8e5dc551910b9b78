// Package picker decides which block to request next, and from whom (BEP 3).
package picker

import (
	"iter"
	"math/rand/v2"

	"shoal/internal/bitfield"
	"shoal/internal/block"
	"shoal/internal/mono"
	"shoal/internal/why"
)

// Peer is a small dense handle given by the swarm: its slot number, reused.
type Peer uint32

// Geometry is what the picker must know of a torrent.
type Geometry interface {
	PieceSize(piece uint32) uint32
	Blocks(piece uint32) uint32
	BlockSize(piece, index uint32) uint32
}

// Config of a Picker. The zero value of a number means its default.
type Config struct {
	Geometry
	RandomFirst   int
	EndgameCopies int
	MaxStarted    int
}

// Choice is one block to request.
type Choice struct {
	Ref    block.Ref
	Why    why.Why
	Owners int32
}

// Got says what a received block is to us.
type Got uint8

// What a received block is.
const (
	Wanted Got = iota
	Duplicate
	Unwanted
)

// Stats are counts of a Picker's state.
type Stats struct {
	Have, Missing uint32 // pieces
	Started       int    // pieces begun, not verified
	Requests      int    // outstanding, each copy counted
}

// Picker holds the state of every piece of one torrent.
type Picker struct{ have *bitfield.Bitfield }

func New(cfg Config, have *bitfield.Bitfield, rng *rand.Rand) *Picker {
	return &Picker{have: have.Clone()}
}
func (p *Picker) Have(piece uint32) bool               { return p.have.Has(piece) }
func (p *Picker) HaveCount() uint32                    { return p.have.Count() }
func (p *Picker) Missing() uint32                      { return p.have.Len() - p.have.Count() }
func (p *Picker) Complete() bool                       { return p.have.All() }
func (p *Picker) Bitfield() *bitfield.Bitfield         { return p.have }
func (p *Picker) PeerBits(old, new *bitfield.Bitfield) {}
func (p *Picker) PeerHas(piece uint32)                 {}
func (p *Picker) Availability(piece uint32) int        { return 0 }
func (p *Picker) Wants(has *bitfield.Bitfield) bool    { return has.HasAny(p.have) }
func (p *Picker) Pick(now mono.Time, peer Peer, has *bitfield.Bitfield, n int, dst []Choice) []Choice {
	return dst
}
func (p *Picker) Received(peer Peer, sender uint32, ref block.Ref, dst []Peer) (got Got, asked bool, others []Peer) {
	return Unwanted, false, dst
}
func (p *Picker) Abandon(peer Peer, ref block.Ref) bool { return false }
func (p *Picker) AbandonAll(peer Peer)                  {}
func (p *Picker) Verified(piece uint32)                 { p.have.Set(piece) }
func (p *Picker) Failed(piece uint32)                   {}
func (p *Picker) Forget(piece uint32)                   {}
func (p *Picker) Lost(piece uint32)                     { p.have.Clear(piece) }
func (p *Picker) Senders(piece uint32) []uint32         { return nil }
func (p *Picker) Endgame() bool                         { return false }
func (p *Picker) Requested(ref block.Ref) int           { return 0 }
func (p *Picker) RequestsOf(peer Peer) int              { return 0 }
func (p *Picker) Stats() Stats                          { return Stats{} }
func (p *Picker) CheckInvariants(peers iter.Seq2[Peer, *bitfield.Bitfield]) error {
	return nil
}
