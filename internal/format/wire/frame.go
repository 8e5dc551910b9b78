package wire

import (
	"encoding/binary"
	"errors"
	"fmt"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// Sizes in bytes.
const (
	// PieceHeader is the length of what precedes the payload of a piece message: the
	// length prefix, the id, the piece and the offset.
	PieceHeader = 13
	// MaxBody bounds every message except bitfield. It leaves room for a piece message of
	// one block and for each extended message that deployed clients send (metadata
	// 17 KiB, peer exchange a few KiB).
	MaxBody = 64 << 10
)

// Errors that end a connection.
var (
	ErrTooLong = errors.New("message too long")
	ErrLength  = errors.New("message has the wrong length")
	ErrRange   = errors.New("message out of range")
)

// Bounds are what the messages of one torrent are checked against (decision 0175).
type Bounds struct {
	Pieces      uint32 // how many; while the metadata is missing, how many there can be
	PieceLength uint32 // bytes in every piece except the last
	LastPiece   uint32 // bytes in the last piece
	// NoMetadata means that nobody knows the pieces yet. Piece numbers are not checked
	// then, and a payload, which nobody can have requested, is refused.
	NoMetadata bool
}

// Geometry is how a torrent is cut into pieces, as in metainfo.Geometry.
type Geometry interface {
	// PieceSize returns how many bytes a piece has, and 0 when there is no such piece.
	PieceSize(piece uint32) uint32
}

// BoundsOf returns the bounds of a torrent with that many pieces.
func BoundsOf(g Geometry, pieces uint32) Bounds {
	return Bounds{Pieces: pieces, PieceLength: g.PieceSize(0), LastPiece: g.PieceSize(pieces - 1)}
}

// Decode returns the message at the start of b and how many bytes of b it takes. The count
// is 0 while b holds only a part of the message. Of a piece message Decode takes the
// header; m.Length bytes of payload follow it.
//
// A message out of bounds is an error as soon as b shows it, before its body has arrived:
// ErrTooLong, ErrLength or ErrRange. Decode allocates nothing, and m.Body is a part of b.
func (bd Bounds) Decode(b []byte) (m Message, n int, err error) {
	if len(b) < 4 {
		return Message{}, 0, nil
	}
	length := binary.BigEndian.Uint32(b)
	if length == 0 {
		return Message{ID: KeepAlive}, 4, nil
	}
	if len(b) < 5 {
		return Message{}, 0, nil
	}
	id := ID(b[4])
	if err := bd.CheckLength(id, length); err != nil {
		return Message{}, 0, err
	}
	n = 4 + int(length)
	if id == Piece {
		n = PieceHeader
	}
	if len(b) < n {
		return Message{}, 0, nil
	}
	m, err = Parse(b[4:n])
	if err != nil {
		return Message{}, 0, err
	}
	if id == Piece {
		m.Length = length - 9
	}
	if err := bd.Check(m); err != nil {
		return Message{}, 0, err
	}
	return m, n, nil
}

// CheckLength returns an error when no message with the id has that length, which counts
// the id as the length prefix does. A known id needs its exact length. An unknown id, whose
// message is skipped, is bounded only.
func (bd Bounds) CheckLength(id ID, length uint32) error {
	want := uint32(1)
	switch id {
	case Choke, Unchoke, Interested, NotInterested, HaveAll, HaveNone:
	case Have, Suggest, AllowedFast:
		want = 5
	case Request, Cancel, Reject:
		want = 13
	case Port:
		want = 3
	case Bitfield:
		want = 1 + uint32(bitfield.WireLen(bd.Pieces))
		if bd.NoMetadata {
			if length > want {
				return fmt.Errorf("%w: %s of %d bytes", ErrTooLong, id, length)
			}
			return nil
		}
	case Piece:
		return bd.checkPayload(length)
	default:
		if length > MaxBody {
			return fmt.Errorf("%w: %s of %d bytes", ErrTooLong, id, length)
		}
		if id == Extended && length < 2 {
			return fmt.Errorf("%w: extended without an id", ErrLength)
		}
		return nil
	}
	switch {
	case length > max(want, MaxBody):
		return fmt.Errorf("%w: %s of %d bytes", ErrTooLong, id, length)
	case length != want:
		return fmt.Errorf("%w: %s of %d bytes, want %d", ErrLength, id, length, want)
	}
	return nil
}

// checkPayload is CheckLength for a piece message. One without a payload answers no
// request.
func (bd Bounds) checkPayload(length uint32) error {
	switch {
	case bd.NoMetadata:
		return fmt.Errorf("%w: %s before the metadata", ErrRange, Piece)
	case length > 9+block.Size:
		return fmt.Errorf("%w: piece with a block of %d bytes, at most %d", ErrTooLong, length-9, block.Size)
	case length < 10:
		return fmt.Errorf("%w: piece without a block", ErrLength)
	}
	return nil
}

// Check returns ErrRange when a number in the message is outside the torrent.
func (bd Bounds) Check(m Message) error {
	switch m.ID {
	case Have, Suggest, AllowedFast, Request, Piece, Cancel, Reject:
	default:
		return nil
	}
	if bd.NoMetadata {
		return nil
	}
	if m.Piece >= bd.Pieces {
		return fmt.Errorf("%w: %s for piece %d, the torrent has %d", ErrRange, m.ID, m.Piece, bd.Pieces)
	}
	switch m.ID {
	case Have, Suggest, AllowedFast:
		return nil
	}
	size := bd.PieceLength
	if m.Piece == bd.Pieces-1 {
		size = bd.LastPiece
	}
	if m.Length == 0 || uint64(m.Begin)+uint64(m.Length) > uint64(size) {
		return fmt.Errorf("%w: %s for %d bytes at offset %d of a piece of %d bytes", ErrRange, m.ID, m.Length, m.Begin, size)
	}
	if m.ID == Request && m.Length > block.Size {
		return fmt.Errorf("%w: request for %d bytes, at most %d", ErrRange, m.Length, block.Size)
	}
	// We request whole blocks only, so only whole blocks can answer.
	if m.ID == Piece && (m.Begin%block.Size != 0 || m.Length != min(block.Size, size-m.Begin)) {
		return fmt.Errorf("%w: piece with %d bytes at offset %d, which is not a whole block", ErrRange, m.Length, m.Begin)
	}
	return nil
}
