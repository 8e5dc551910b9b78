// Package bitfield is a set of pieces, in the form that BEP 3 sends: piece 0 is the high bit
// of the first byte. A Bitfield knows the number of pieces and counts those in the set. It is
// a plain value; the holder of the pointer owns it, and it is not safe for concurrent use.
package bitfield

import (
	"errors"
	"fmt"
	"iter"
	"math/bits"
)

// Errors of FromWire.
var (
	ErrLength = errors.New("bitfield: wrong length")
	ErrSpare  = errors.New("bitfield: spare bits set")
)

// Bitfield is a set of piece indices below Len. The zero value is the empty set of zero
// pieces.
type Bitfield struct {
	bits  []byte
	n     uint32
	count uint32
}

// New returns the empty set of n pieces.
func New(n uint32) *Bitfield {
	return &Bitfield{bits: make([]byte, WireLen(n)), n: n}
}

// WireLen returns the length in bytes of a bitfield message's body for n pieces.
func WireLen(n uint32) int { return int((uint64(n) + 7) / 8) }

// FromWire returns the set of n pieces in the body of a bitfield message (BEP 3). It copies
// b. The length must be exact and the spare bits zero; the errors are ErrLength and ErrSpare
// (decision 0033).
func FromWire(b []byte, n uint32) (*Bitfield, error) {
	if len(b) != WireLen(n) {
		return nil, fmt.Errorf("%w: %d bytes for %d pieces", ErrLength, len(b), n)
	}
	if spare := n % 8; spare != 0 && b[len(b)-1]&(0xff>>spare) != 0 {
		return nil, ErrSpare
	}
	f := &Bitfield{bits: append(make([]byte, 0, len(b)), b...), n: n}
	for _, x := range f.bits {
		f.count += uint32(bits.OnesCount8(x))
	}
	return f, nil
}

// AppendWire appends the body of a bitfield message.
func (f *Bitfield) AppendWire(b []byte) []byte { return append(b, f.bits...) }

// Clone returns an independent copy.
func (f *Bitfield) Clone() *Bitfield {
	return &Bitfield{bits: append([]byte(nil), f.bits...), n: f.n, count: f.count}
}

// Len returns the number of pieces of the torrent.
func (f *Bitfield) Len() uint32 { return f.n }

// Count returns the number of pieces in the set.
func (f *Bitfield) Count() uint32 { return f.count }

// All reports whether every piece is in the set.
func (f *Bitfield) All() bool { return f.count == f.n }

// None reports whether no piece is in the set.
func (f *Bitfield) None() bool { return f.count == 0 }

// Has reports whether piece i is in the set; false for an index out of range.
func (f *Bitfield) Has(i uint32) bool {
	return i < f.n && f.bits[i>>3]&(0x80>>(i&7)) != 0
}

// Set adds piece i, and reports whether it was not in the set before. An index out of range
// changes nothing.
func (f *Bitfield) Set(i uint32) bool {
	if i >= f.n || f.Has(i) {
		return false
	}
	f.bits[i>>3] |= 0x80 >> (i & 7)
	f.count++
	return true
}

// Clear removes piece i, and reports whether it was in the set.
func (f *Bitfield) Clear(i uint32) bool {
	if !f.Has(i) {
		return false
	}
	f.bits[i>>3] &^= 0x80 >> (i & 7)
	f.count--
	return true
}

// SetAll adds every piece.
func (f *Bitfield) SetAll() {
	for i := range f.bits {
		f.bits[i] = 0xff
	}
	if spare := f.n % 8; spare != 0 {
		f.bits[len(f.bits)-1] = 0xff << (8 - spare)
	}
	f.count = f.n
}

// HasAny reports whether f holds a piece that other lacks. Both must have the same number of
// pieces.
func (f *Bitfield) HasAny(other *Bitfield) bool {
	if f.count > other.count {
		return true
	}
	for i, x := range f.bits {
		if x&^other.bits[i] != 0 {
			return true
		}
	}
	return false
}

// Pieces yields the indices in the set, ascending.
func (f *Bitfield) Pieces() iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i, x := range f.bits {
			for x != 0 {
				lead := uint32(bits.LeadingZeros8(x))
				if !yield(uint32(i)<<3 | lead) {
					return
				}
				x &^= 0x80 >> lead
			}
		}
	}
}

// String returns one '1' or '0' for each piece, for up to 64 pieces, and a count beyond.
func (f *Bitfield) String() string {
	if f.n > 64 {
		return fmt.Sprintf("%d of %d pieces", f.count, f.n)
	}
	b := make([]byte, f.n)
	for i := range b {
		b[i] = '0'
		if f.Has(uint32(i)) {
			b[i] = '1'
		}
	}
	return string(b)
}
