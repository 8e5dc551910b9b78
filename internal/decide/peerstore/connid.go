package peerstore

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"net/netip"
	"time"

	"shoal/internal/value/mono"
)

// slot is how long an address gets the same connection id. An id is valid in this slot and
// the next: at least as long as a client may use it (BEP 15).
const slot = time.Minute

// Key makes connection ids (BEP 15): a hash over an address and the time that only the owner
// of the key can make. So the tracker keeps nothing for a client that asks for an id. A
// client that forges its address never learns the id, and without it gets no answer that is
// longer than its question.
type Key [32]byte

// ConnectionID returns the id of an address.
func (k Key) ConnectionID(now mono.Time, from netip.Addr) uint64 {
	return k.at(int64(now)/int64(slot), from)
}

// Knows reports whether an id was issued to an address, recently enough.
func (k Key) Knows(now mono.Time, from netip.Addr, id uint64) bool {
	n := int64(now) / int64(slot)
	return id == k.at(n, from) || id == k.at(n-1, from)
}

func (k Key) at(slot int64, from netip.Addr) uint64 {
	h := hmac.New(sha256.New, k[:])
	a := from.Unmap().As16()
	h.Write(a[:])
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(slot))
	h.Write(b[:])
	return binary.BigEndian.Uint64(h.Sum(nil))
}
