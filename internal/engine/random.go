package engine

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"

	"shoal/internal/format/wire"
)

// newRand returns a random source for one machine, seeded by the system. It is small,
// since every torrent has one.
func newRand() *rand.Rand {
	var seed [16]byte
	crand.Read(seed[:]) // never fails
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(seed[:8]), binary.LittleEndian.Uint64(seed[8:])))
}

// newPeerID returns a random peer id (BEP 20), a new one for each torrent and run.
func newPeerID(version string) (id [20]byte) {
	n := copy(id[:], wire.PeerIDPrefix(version))
	crand.Read(id[n:])
	return id
}

// randomKey returns the key by which trackers recognise us (BEP 7).
func randomKey() uint32 {
	var b [4]byte
	crand.Read(b[:])
	return binary.BigEndian.Uint32(b[:])
}
