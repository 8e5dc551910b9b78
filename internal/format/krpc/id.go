package krpc

import (
	"encoding/hex"
	"math/bits"
)

// ID names a node, or a target to which the distance of nodes is measured: both live in one
// space of 160 bits (BEP 5).
type ID [20]byte

// String returns the id as 40 hex digits.
func (a ID) String() string { return hex.EncodeToString(a[:]) }

// Prefix counts the leading bits that two ids have in common: 160 when they are equal.
func (a ID) Prefix(b ID) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return i*8 + bits.LeadingZeros8(x)
		}
	}
	return len(a) * 8
}

// Compare reports which of two ids is closer to the target a: negative when x is, positive
// when y is, 0 when they are equal.
func (a ID) Compare(x, y ID) int {
	for i := range a {
		if x[i] != y[i] {
			return int(x[i]^a[i]) - int(y[i]^a[i])
		}
	}
	return 0
}
