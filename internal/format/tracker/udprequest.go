package tracker

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"shoal/internal/value/infohash"
)

// ErrPacket is returned for a packet that no client of BEP 15 sends. A tracker does not
// answer it, because its sender is unknown.
var ErrPacket = errors.New("not a packet to a tracker")

// UDPRequest is a packet to a tracker.
type UDPRequest struct {
	Action Action // connect, announce or scrape
	TID    uint32
	Conn   uint64 // connection id; 0 in a connect

	Params  Params          // of an announce; NumWant is -1 for the tracker's default
	URLData string          // of an announce: path and query of the announce URL (BEP 41)
	Hashes  []infohash.Hash // of a scrape
}

// ParseUDPRequest reads a packet to a tracker. The error is ErrPacket. It ignores an address
// in an announce, because a sender may speak only for itself.
func ParseUDPRequest(b []byte) (UDPRequest, error) {
	if len(b) < connectSize {
		return UDPRequest{}, ErrPacket
	}
	r := UDPRequest{
		Conn:   binary.BigEndian.Uint64(b),
		Action: Action(binary.BigEndian.Uint32(b[8:])),
		TID:    binary.BigEndian.Uint32(b[12:]),
	}
	switch r.Action {
	case ActionConnect:
		if r.Conn != connectMagic {
			return UDPRequest{}, ErrPacket
		}
		r.Conn = 0
	case ActionAnnounce:
		if len(b) < announceSize {
			return UDPRequest{}, ErrPacket
		}
		r.Params = udpParams(b)
		data, ok := urlData(b[announceSize:])
		if !ok {
			return UDPRequest{}, ErrPacket
		}
		r.URLData = data
	case ActionScrape:
		b = b[connectSize:]
		if len(b) < len(infohash.Hash{}) {
			return UDPRequest{}, ErrPacket
		}
		for ; len(b) >= len(infohash.Hash{}) && len(r.Hashes) < MaxUDPHashes; b = b[len(infohash.Hash{}):] {
			r.Hashes = append(r.Hashes, infohash.Hash(b[:len(infohash.Hash{})]))
		}
	default:
		return UDPRequest{}, ErrPacket
	}
	return r, nil
}

func udpParams(b []byte) Params {
	p := Params{
		InfoHash:   infohash.Hash(b[16:36]),
		PeerID:     [20]byte(b[36:56]),
		Downloaded: int64(binary.BigEndian.Uint64(b[56:])),
		Left:       int64(binary.BigEndian.Uint64(b[64:])),
		Uploaded:   int64(binary.BigEndian.Uint64(b[72:])),
		Key:        binary.BigEndian.Uint32(b[88:]),
		NumWant:    int(int32(binary.BigEndian.Uint32(b[92:]))),
		Port:       binary.BigEndian.Uint16(b[96:]),
	}
	if e := binary.BigEndian.Uint32(b[80:]); e <= uint32(Stopped) {
		p.Event = Event(e)
	}
	return p
}

// urlData joins the URL data in the options (BEP 41).
func urlData(b []byte) (string, bool) {
	var data []byte
	for len(b) > 0 && b[0] != optionEnd {
		if b[0] == optionNop {
			b = b[1:]
			continue
		}
		if len(b) < 2 || len(b)-2 < int(b[1]) {
			return "", false
		}
		if b[0] == optionURLData {
			data = append(data, b[2:2+int(b[1])]...)
		}
		b = b[2+int(b[1]):]
	}
	if len(data) > MaxURL {
		return "", false
	}
	return string(data), true
}

// AppendUDPConnected appends the reply to a connect.
func AppendUDPConnected(b []byte, tid uint32, conn uint64) []byte {
	b = appendReplyHead(b, ActionConnect, tid)
	return binary.BigEndian.AppendUint64(b, conn)
}

// AppendUDPAnnounced appends the reply to an announce. All peers must have the address family
// of the socket.
func AppendUDPAnnounced(b []byte, tid uint32, interval time.Duration, c Counts, peers []netip.AddrPort) []byte {
	b = appendReplyHead(b, ActionAnnounce, tid)
	b = binary.BigEndian.AppendUint32(b, uint32(min(max(interval, 0), MaxInterval)/time.Second))
	b = appendCount(b, c.Leechers)
	b = appendCount(b, c.Seeders)
	return AppendCompact(b, peers)
}

// AppendUDPScraped appends the reply to a scrape.
func AppendUDPScraped(b []byte, tid uint32, all []Counts) []byte {
	b = appendReplyHead(b, ActionScrape, tid)
	for _, c := range all {
		b = appendCount(b, c.Seeders)
		b = appendCount(b, c.Downloaded)
		b = appendCount(b, c.Leechers)
	}
	return b
}

// AppendUDPError appends a reply that refuses.
func AppendUDPError(b []byte, tid uint32, text string) []byte {
	return append(appendReplyHead(b, ActionError, tid), text...)
}

func appendReplyHead(b []byte, a Action, tid uint32) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(a))
	return binary.BigEndian.AppendUint32(b, tid)
}

func appendCount(b []byte, n int64) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(min(max(n, 0), 1<<31-1)))
}

// AppendCompact appends peers in compact form, each by its family (BEP 23, BEP 7).
func AppendCompact(b []byte, peers []netip.AddrPort) []byte {
	for _, p := range peers {
		b = append(b, p.Addr().Unmap().AsSlice()...)
		b = binary.BigEndian.AppendUint16(b, p.Port())
	}
	return b
}
