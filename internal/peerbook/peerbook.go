// Package peerbook decides which address to dial next.
package peerbook

import (
	"math/rand/v2"
	"net/netip"

	"shoal/internal/mono"
	"shoal/internal/why"
)

// Source says who told us of an address; a set of them is kept per address.
type Source uint8

const (
	Manual Source = 1 << iota
	Tracker
	DHT
	PEX
	LSD
	Incoming
)

type Config struct {
	Max             int  // addresses kept; 0 means 2,000
	PrivilegedPorts bool // keep ports below 1024 that strangers tell us of
}
type Candidate struct {
	Addr     netip.AddrPort
	ExpectID [20]byte // what a tracker promised; see HasID
	HasID    bool
	Sources  Source
	Why      why.Why
}
type Book struct{}

func New(cfg Config, rng *rand.Rand) *Book { return &Book{} }
func (b *Book) Add(now mono.Time, src Source, addr netip.AddrPort, expectID []byte) bool {
	return false
}
func (b *Book) Self(addr netip.AddrPort)                               {}
func (b *Book) Next(now mono.Time) (Candidate, bool)                   { return Candidate{}, false }
func (b *Book) Connected(now mono.Time, addr netip.AddrPort)           {}
func (b *Book) Failed(now mono.Time, addr netip.AddrPort)              {}
func (b *Book) Closed(now mono.Time, addr netip.AddrPort, useful bool) {}
func (b *Book) Ban(now mono.Time, addr netip.AddrPort)                 {}
func (b *Book) Banned(addr netip.AddrPort) bool                        { return false }
func (b *Book) SeenRecently(now mono.Time, addr netip.AddrPort) bool   { return false }
func (b *Book) Deadline() mono.Time                                    { return mono.Never }
func (b *Book) Count() int                                             { return 0 }
func (b *Book) Available(now mono.Time) int                            { return 0 }
