// Package wire is the peer protocol as bytes: the handshake and the messages of BEP 3, PORT
// of BEP 5, the fast extension (BEP 6), and the extension protocol (BEP 10) with its
// messages. Encoders append; decoders take a slice and do not keep it. Bounds.Decode cuts a
// stream into messages: it checks a length with the first five bytes of a message, before the
// length sizes anything, and the numbers of a message against the torrent.
package wire

import (
	"encoding/binary"
	"fmt"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// ID is the kind of a message: its first byte after the length, or KeepAlive.
type ID uint16

// Messages of BEP 3, BEP 5 and BEP 6, and the envelope of BEP 10.
const (
	Choke ID = iota
	Unchoke
	Interested
	NotInterested
	Have
	Bitfield
	Request
	Piece
	Cancel
	Port
	Suggest     ID = 13 // BEP 6, like the next four
	HaveAll     ID = 14
	HaveNone    ID = 15
	Reject      ID = 16
	AllowedFast ID = 17
	Extended    ID = 20

	// KeepAlive is the message of length zero. It has no id on the wire, so its number does
	// not fit into a byte.
	KeepAlive ID = 256
)

var names = map[ID]string{
	Choke: "choke", Unchoke: "unchoke", Interested: "interested", NotInterested: "not interested",
	Have: "have", Bitfield: "bitfield", Request: "request", Piece: "piece", Cancel: "cancel",
	Port: "port", Extended: "extended", KeepAlive: "keep-alive",
	Suggest: "suggest", HaveAll: "have all", HaveNone: "have none", Reject: "reject", AllowedFast: "allowed fast",
}

// Fast reports whether a message may be sent only if both sides speak the fast extension (BEP
// 6).
func (id ID) Fast() bool { return id >= Suggest && id <= AllowedFast }

// String returns the message's name in the field's words.
func (id ID) String() string {
	if s, ok := names[id]; ok {
		return s
	}
	return fmt.Sprintf("unknown (%d)", uint16(id))
}

// Message is any message without the payload of a piece: one flat value, so that decoding
// allocates nothing. ID decides which fields count.
type Message struct {
	ID     ID
	Piece  uint32 // have, request, piece, cancel, suggest, reject, allowed fast
	Begin  uint32 // request, piece, cancel, reject
	Length uint32 // request, piece, cancel, reject
	Port   uint16 // port
	Ext    uint8  // extended: 0 is the handshake
	Body   []byte // bitfield, extended, unknown ids; a view, valid until the next read
}

// Ref returns the block of a request, piece, cancel or reject.
func (m Message) Ref() block.Ref {
	return block.Ref{Piece: m.Piece, Begin: m.Begin, Length: m.Length}
}

// Parse reads a whole message: body is what follows the length prefix, and Bounds.CheckLength
// has accepted its length. An empty body is a keep-alive. For a piece it reads the header;
// Length is that of the payload that follows.
func Parse(body []byte) (Message, error) {
	if len(body) == 0 {
		return Message{ID: KeepAlive}, nil
	}
	m := Message{ID: ID(body[0])}
	b := body[1:]
	var need int
	switch m.ID {
	case Have, Suggest, AllowedFast:
		need = 4
	case Request, Cancel, Reject:
		need = 12
	case Piece:
		need = 8
	case Port:
		need = 2
	case Extended:
		need = 1
	}
	if len(b) < need {
		return m, fmt.Errorf("%w: %s of %d bytes", ErrLength, m.ID, len(body))
	}
	switch m.ID {
	case Have, Suggest, AllowedFast:
		m.Piece = binary.BigEndian.Uint32(b)
	case Request, Cancel, Reject:
		m.Piece = binary.BigEndian.Uint32(b)
		m.Begin = binary.BigEndian.Uint32(b[4:])
		m.Length = binary.BigEndian.Uint32(b[8:])
	case Piece:
		m.Piece = binary.BigEndian.Uint32(b)
		m.Begin = binary.BigEndian.Uint32(b[4:])
		m.Length = uint32(len(b) - 8)
	case Port:
		m.Port = binary.BigEndian.Uint16(b)
	case Extended:
		m.Ext = b[0]
		m.Body = b[1:]
	case Choke, Unchoke, Interested, NotInterested, HaveAll, HaveNone:
	default: // bitfield, unknown
		m.Body = b
	}
	return m, nil
}

// AppendKeepAlive appends a message of length zero.
func AppendKeepAlive(b []byte) []byte { return append(b, 0, 0, 0, 0) }

// AppendSimple appends one of the messages without a body: choke, unchoke,
// interested, not interested, have all, have none.
func AppendSimple(b []byte, id ID) []byte { return append(b, 0, 0, 0, 1, byte(id)) }

// AppendHave appends a have.
func AppendHave(b []byte, piece uint32) []byte { return appendPiece(b, Have, piece) }

// AppendSuggest appends a suggest (BEP 6).
func AppendSuggest(b []byte, piece uint32) []byte { return appendPiece(b, Suggest, piece) }

// AppendAllowedFast appends an allowed fast (BEP 6).
func AppendAllowedFast(b []byte, piece uint32) []byte { return appendPiece(b, AllowedFast, piece) }

func appendPiece(b []byte, id ID, piece uint32) []byte {
	b = append(b, 0, 0, 0, 5, byte(id))
	return binary.BigEndian.AppendUint32(b, piece)
}

// AppendBitfield appends a bitfield.
func AppendBitfield(b []byte, have *bitfield.Bitfield) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(1+bitfield.WireLen(have.Len())))
	return have.AppendWire(append(b, byte(Bitfield)))
}

// AppendRequest appends a request.
func AppendRequest(b []byte, r block.Ref) []byte { return appendRef(b, Request, r) }

// AppendCancel appends a cancel.
func AppendCancel(b []byte, r block.Ref) []byte { return appendRef(b, Cancel, r) }

// AppendReject appends a reject (BEP 6): the answer to a request that we do not serve.
func AppendReject(b []byte, r block.Ref) []byte { return appendRef(b, Reject, r) }

func appendRef(b []byte, id ID, r block.Ref) []byte {
	b = append(b, 0, 0, 0, 13, byte(id))
	b = binary.BigEndian.AppendUint32(b, r.Piece)
	b = binary.BigEndian.AppendUint32(b, r.Begin)
	return binary.BigEndian.AppendUint32(b, r.Length)
}

// AppendPieceHeader appends what precedes the payload of a piece message.
func AppendPieceHeader(b []byte, r block.Ref) []byte {
	b = binary.BigEndian.AppendUint32(b, 9+r.Length)
	b = append(b, byte(Piece))
	b = binary.BigEndian.AppendUint32(b, r.Piece)
	return binary.BigEndian.AppendUint32(b, r.Begin)
}

// AppendPort appends a PORT message (BEP 5): the UDP port of our DHT node.
func AppendPort(b []byte, port uint16) []byte {
	b = append(b, 0, 0, 0, 3, byte(Port))
	return binary.BigEndian.AppendUint16(b, port)
}

// AppendExtended appends a message of the extension protocol (BEP 10). ext is
// the id that the receiver announced; 0 for the handshake.
func AppendExtended(b []byte, ext uint8, body []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(2+len(body)))
	b = append(b, byte(Extended), ext)
	return append(b, body...)
}
