package metainfo

import "shoal/internal/value/block"

// Geometry is the arithmetic of pieces and blocks. The content of a v1 torrent is one span of
// Total bytes, its files end to end, divided into pieces of PieceLength; the last piece may
// be shorter. Peers request blocks of 16 KiB of a piece, and the last block of every piece
// may be shorter, because a piece length need not be a multiple of 16 KiB (BEP 3).
//
// Offsets in the torrent are int64; piece, begin and length are uint32 as on the wire. A
// piece is at most 512 MiB, so sizes within one always fit.
type Geometry struct {
	Total       int64  // bytes in the torrent
	PieceLength uint32 // bytes in every piece except the last, 1 to MaxPieceLength
	Pieces      uint32 // number of pieces; 0 when Total is 0
}

// newGeometry divides total bytes into pieces. It returns false when there would be more than
// MaxPieces, or a number is out of range.
func newGeometry(total, pieceLength int64) (Geometry, bool) {
	if total < 0 || pieceLength < 1 || pieceLength > MaxPieceLength {
		return Geometry{}, false
	}
	n := total / pieceLength
	if total%pieceLength != 0 {
		n++
	}
	if n > MaxPieces {
		return Geometry{}, false
	}
	return Geometry{total, uint32(pieceLength), uint32(n)}, true
}

// PieceSize returns how many bytes a piece has, and 0 when there is no such piece.
func (g Geometry) PieceSize(piece uint32) uint32 {
	switch {
	case piece >= g.Pieces:
		return 0
	case piece == g.Pieces-1:
		return uint32(g.Total - int64(piece)*int64(g.PieceLength))
	}
	return g.PieceLength
}

// Blocks returns how many blocks a piece has: 0 when the piece does not exist.
func (g Geometry) Blocks(piece uint32) uint32 {
	return (g.PieceSize(piece) + block.Size - 1) / block.Size
}

// BlockSize returns how many bytes block number index of a piece has: 0 when the block does
// not exist.
func (g Geometry) BlockSize(piece, index uint32) uint32 {
	size, begin := int64(g.PieceSize(piece)), int64(index)*block.Size
	if begin >= size {
		return 0
	}
	return uint32(min(block.Size, size-begin))
}

// Block returns block number index of a piece. Its length is 0 when the block does not exist.
func (g Geometry) Block(piece, index uint32) block.Ref {
	n := g.BlockSize(piece, index)
	if n == 0 {
		return block.Ref{Piece: piece}
	}
	return block.Ref{Piece: piece, Begin: index * block.Size, Length: n}
}

// Offset returns the offset in the torrent of byte begin of a piece.
func (g Geometry) Offset(piece, begin uint32) int64 {
	return int64(piece)*int64(g.PieceLength) + int64(begin)
}

// Valid reports whether length bytes from begin, at least one, lie within a piece, so that a
// peer can request or send them.
func (g Geometry) Valid(piece, begin, length uint32) bool {
	return length > 0 && int64(begin)+int64(length) <= int64(g.PieceSize(piece))
}
