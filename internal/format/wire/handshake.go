package wire

import (
	"errors"
	"fmt"
)

// HandshakeLen is the length of a handshake: 1 + 19 + 8 + 20 + 20 (BEP 3).
const HandshakeLen = 68

// InfoHashEnd is how many bytes of a handshake end with the info-hash. The answer to an
// incoming handshake may be sent as soon as these are in.
const InfoHashEnd = 48

const protocol = "\x13BitTorrent protocol"

// ErrProtocol is returned for a stream that does not begin with a BitTorrent handshake.
var ErrProtocol = errors.New("not a BitTorrent handshake")

// Reserved are the eight bytes of bits in which a peer announces what it supports. Unknown
// bits are kept and ignored.
type Reserved [8]byte

// Reserved bits in use: byte index and mask.
const (
	extByte, extMask   = 5, 0x10 // extension protocol, BEP 10
	dhtByte, dhtMask   = 7, 0x01 // DHT, BEP 5
	fastByte, fastMask = 7, 0x04 // fast extension, BEP 6
)

// WithExtensions returns r with the bit of the extension protocol (BEP 10).
func (r Reserved) WithExtensions() Reserved { r[extByte] |= extMask; return r }

// WithDHT returns r with the bit that announces a DHT node (BEP 5).
func (r Reserved) WithDHT() Reserved { r[dhtByte] |= dhtMask; return r }

// WithFast returns r with the bit of the fast extension (BEP 6).
func (r Reserved) WithFast() Reserved { r[fastByte] |= fastMask; return r }

// Extensions reports whether the peer speaks the extension protocol.
func (r Reserved) Extensions() bool { return r[extByte]&extMask != 0 }

// DHT reports whether the peer runs a DHT node.
func (r Reserved) DHT() bool { return r[dhtByte]&dhtMask != 0 }

// Fast reports whether the peer speaks the fast extension.
func (r Reserved) Fast() bool { return r[fastByte]&fastMask != 0 }

// Handshake is the first message of each side (BEP 3).
type Handshake struct {
	Reserved Reserved
	InfoHash [20]byte
	PeerID   [20]byte
}

// AppendHandshake appends the 68 bytes of h.
func AppendHandshake(b []byte, h Handshake) []byte {
	b = append(b, protocol...)
	b = append(b, h.Reserved[:]...)
	b = append(b, h.InfoHash[:]...)
	return append(b, h.PeerID[:]...)
}

// ParseHandshake reads the first 68 bytes of b, and ignores the rest. For a b of at least
// InfoHashEnd bytes without a whole handshake it returns what is there, with a zero PeerID.
func ParseHandshake(b []byte) (Handshake, error) {
	var h Handshake
	if len(b) < InfoHashEnd {
		return h, fmt.Errorf("%w: %d bytes", ErrProtocol, len(b))
	}
	if string(b[:20]) != protocol {
		return h, ErrProtocol
	}
	copy(h.Reserved[:], b[20:])
	copy(h.InfoHash[:], b[28:])
	if len(b) >= HandshakeLen {
		copy(h.PeerID[:], b[48:])
	}
	return h, nil
}

// CouldBeHandshake reports whether b, the beginning of a stream, matches a handshake so far.
// So an acceptor can refuse at the first wrong byte.
func CouldBeHandshake(b []byte) bool {
	n := min(len(b), len(protocol))
	return string(b[:n]) == protocol[:n]
}
