package lsd

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net/netip"
	"strconv"

	"shoal/internal/value/infohash"
)

// Multicast groups of BEP 14, on which all clients with local discovery listen.
var (
	Group4 = netip.MustParseAddrPort("239.192.152.143:6771")
	Group6 = netip.MustParseAddrPort("[ff15::efc0:988f]:6771")
)

const (
	// MaxPacket bounds a datagram in bytes, so that it is not fragmented (BEP 14).
	MaxPacket = 1400
	// MaxHashes is how many info-hashes one datagram holds, ours and theirs.
	MaxHashes = 24
	// maxCookie is the longest cookie that we read. Clients send 8 to 20 digits.
	maxCookie = 64
)

// Message is an announce on the local network.
type Message struct {
	Port   uint16
	Cookie string // identifies the sender's own announces; may be empty
	Hashes []infohash.Hash
}

// ErrMessage is returned for a datagram that is not an announce: another program's, or
// broken.
var ErrMessage = errors.New("not an announce of local service discovery")

const requestLine = "BT-SEARCH * HTTP/1.1\r\n"

// Append appends m in the form that a group receives.
func Append(b []byte, group netip.AddrPort, m Message) []byte {
	b = append(b, requestLine...)
	b = append(b, "Host: "...)
	b = group.AppendTo(b)
	b = append(b, "\r\nPort: "...)
	b = strconv.AppendUint(b, uint64(m.Port), 10)
	for _, h := range m.Hashes {
		b = append(b, "\r\nInfohash: "...)
		b = hex.AppendEncode(b, h[:])
	}
	if m.Cookie != "" {
		b = append(b, "\r\ncookie: "...)
		b = append(b, m.Cookie...)
	}
	return append(b, "\r\n\r\n\r\n"...)
}

// Parse reads an announce. Header names may have any case, unknown ones are skipped, and one
// or two empty lines end it (BEP 14). Of more info-hashes than MaxHashes it reads the first.
// An announce without a port or an info-hash is invalid.
func Parse(b []byte) (m Message, err error) {
	if len(b) > MaxPacket {
		return m, ErrMessage
	}
	b, ok := bytes.CutPrefix(b, []byte(requestLine))
	if !ok {
		return m, ErrMessage
	}
	for {
		line, rest, ok := bytes.Cut(b, []byte("\r\n"))
		if !ok {
			return m, ErrMessage // without an empty line it is truncated
		}
		if b = rest; len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return m, ErrMessage
		}
		if err := m.header(name, bytes.TrimSpace(value)); err != nil {
			return m, err
		}
	}
	if m.Port == 0 || len(m.Hashes) == 0 {
		return m, ErrMessage
	}
	return m, nil
}

func (m *Message) header(name, value []byte) error {
	switch {
	case bytes.EqualFold(name, []byte("port")):
		port, err := strconv.ParseUint(string(value), 10, 16)
		if err != nil {
			return ErrMessage
		}
		m.Port = uint16(port)
	case bytes.EqualFold(name, []byte("infohash")):
		var h infohash.Hash
		if len(value) != hex.EncodedLen(len(h)) {
			return nil // a longer hash of a kind that we do not know
		}
		if _, err := hex.Decode(h[:], value); err != nil {
			return ErrMessage
		}
		if len(m.Hashes) < MaxHashes {
			m.Hashes = append(m.Hashes, h)
		}
	case bytes.EqualFold(name, []byte("cookie")):
		if len(value) <= maxCookie {
			m.Cookie = string(value)
		}
	}
	return nil
}
