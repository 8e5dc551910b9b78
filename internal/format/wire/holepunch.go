package wire

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// PunchType is the kind of a ut_holepunch message.
type PunchType uint8

// Types of BEP 55.
const (
	PunchRendezvous PunchType = iota // to the relay: connect me with Addr
	PunchConnect                     // from the relay: connect to Addr now
	PunchError                       // from the relay: that is not possible
)

// PunchErr is why a relay can't do what it was asked.
type PunchErr uint32

// Errors of BEP 55.
const (
	PunchNoSuchPeer   PunchErr = 1 + iota // the address can't be a peer's
	PunchNotConnected                     // the relay is not connected to the target
	PunchNoSupport                        // the target does not speak ut_holepunch
	PunchNoSelf                           // the target is the relay itself
)

// Punch is one ut_holepunch message (BEP 55).
type Punch struct {
	Type PunchType
	Addr netip.AddrPort
	Err  PunchErr // with PunchError
}

// ParsePunch reads a ut_holepunch message. The error code may be absent, as in deployed
// clients when there is no error. The error is ErrExtension.
func ParsePunch(body []byte) (Punch, error) {
	if len(body) < 2 {
		return Punch{}, fmt.Errorf("%w: ut_holepunch of %d bytes", ErrExtension, len(body))
	}
	m := Punch{Type: PunchType(body[0])}
	size := 4
	if body[1] == 1 {
		size = 16
	}
	rest := body[2:]
	switch {
	case m.Type > PunchError, body[1] > 1:
		return Punch{}, fmt.Errorf("%w: ut_holepunch of type %d for addresses of type %d", ErrExtension, body[0], body[1])
	case len(rest) < size+2:
		return Punch{}, fmt.Errorf("%w: ut_holepunch of %d bytes", ErrExtension, len(body))
	}
	m.Addr = compactAddr(rest[:size+2])
	if rest = rest[size+2:]; len(rest) >= 4 && m.Type == PunchError {
		m.Err = PunchErr(binary.BigEndian.Uint32(rest))
	}
	return m, nil
}

// AppendPunch appends a ut_holepunch message, always with the error code, because some
// clients insist on it. id is the one that the receiver announced.
func AppendPunch(b []byte, id uint8, m Punch) []byte {
	size := byte(4)
	kind := byte(0)
	if family(m.Addr) == 1 {
		size, kind = 16, 1
	}
	b = append(b, 0, 0, 0, 2+2+size+2+4, byte(Extended), id, byte(m.Type), kind)
	b = appendCompact(b, m.Addr)
	return binary.BigEndian.AppendUint32(b, uint32(m.Err))
}
