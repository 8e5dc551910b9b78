// Package block names the unit that peers request from each other: at most 16 KiB of a piece
// (BEP 3). It holds the name of a block and the handle on its bytes; the disk package
// provides and consumes the bytes.
package block

import "fmt"

// Size is the length of every block that shoal requests, and the only length
// that deployed clients are sure to serve. The last block of a piece may be
// shorter.
const Size = 16 << 10

// Ref names a block as the wire does: a piece index, then offset and length in bytes.
type Ref struct {
	Piece, Begin, Length uint32
}

// Index returns the block's number within its piece.
func (r Ref) Index() uint32 { return r.Begin / Size }

// String returns the form used in traces: "piece:block".
func (r Ref) String() string { return fmt.Sprintf("%d:%d", r.Piece, r.Index()) }

// Block is a handle on the bytes of one block. It has one holder at a time:
// passing it on ends the right to touch it. The deciding packages carry it and
// never look inside; in the simulator Data is nil.
type Block struct {
	Data []byte // payload; a part of Buf
	Buf  []byte // buffer that contains it, Size bytes, owned by the pool it came from
	Pool any    // that pool; only the pool uses it, to recognise its buffers
}
