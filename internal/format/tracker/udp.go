package tracker

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"time"

	"shoal/internal/value/infohash"
)

// Action is the kind of a UDP packet (BEP 15).
type Action uint32

// Actions of BEP 15.
const (
	ActionConnect Action = iota
	ActionAnnounce
	ActionScrape
	ActionError // in replies only
)

const (
	// connectMagic replaces the connection id in a connect packet.
	connectMagic = 0x41727101980

	// ConnectionLife is how long a client may use a connection id.
	ConnectionLife = time.Minute

	// MaxUDPHashes is how many torrents one scrape packet may name: more do not fit into a
	// packet that every network carries whole.
	MaxUDPHashes = 74

	// MaxUDPPacket is more than any packet of a tracker needs: MaxPeers peers over IPv6. A
	// longer packet is cut, and the peers at its end are lost.
	MaxUDPPacket = announceReplySize + MaxPeers*compact6

	// MinUDPReply is the size of an action and a transaction id: a shorter packet is not a
	// reply.
	MinUDPReply = 8

	connectSize       = 16
	announceSize      = 98
	announceReplySize = 20
	scrapeEntry       = 12

	optionEnd     = 0 // BEP 41
	optionNop     = 1
	optionURLData = 2
)

// AppendUDPConnect appends a packet that requests a connection id.
func AppendUDPConnect(b []byte, tid uint32) []byte {
	b = binary.BigEndian.AppendUint64(b, connectMagic)
	b = binary.BigEndian.AppendUint32(b, uint32(ActionConnect))
	return binary.BigEndian.AppendUint32(b, tid)
}

// AppendUDPAnnounce appends an announce. urlData is the path and query of the announce URL,
// sent as options if not empty (BEP 41).
func AppendUDPAnnounce(b []byte, conn uint64, tid uint32, p Params, urlData string) []byte {
	b = appendUDPHead(b, conn, ActionAnnounce, tid)
	b = append(b, p.InfoHash[:]...)
	b = append(b, p.PeerID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(max(p.Downloaded, 0)))
	b = binary.BigEndian.AppendUint64(b, uint64(max(p.Left, 0)))
	b = binary.BigEndian.AppendUint64(b, uint64(max(p.Uploaded, 0)))
	b = binary.BigEndian.AppendUint32(b, p.Event.udp())
	b = binary.BigEndian.AppendUint32(b, 0) // our address; 0: the source address of the packet
	b = binary.BigEndian.AppendUint32(b, p.Key)
	b = binary.BigEndian.AppendUint32(b, uint32(int32(max(p.NumWant, -1))))
	b = binary.BigEndian.AppendUint16(b, p.Port)
	for len(urlData) > 0 {
		n := min(len(urlData), 255)
		b = append(b, optionURLData, byte(n))
		b = append(b, urlData[:n]...)
		urlData = urlData[n:]
	}
	return b
}

// AppendUDPScrape appends a scrape of at most MaxUDPHashes torrents.
func AppendUDPScrape(b []byte, conn uint64, tid uint32, hashes []infohash.Hash) []byte {
	b = appendUDPHead(b, conn, ActionScrape, tid)
	for _, h := range hashes[:min(len(hashes), MaxUDPHashes)] {
		b = append(b, h[:]...)
	}
	return b
}

func appendUDPHead(b []byte, conn uint64, a Action, tid uint32) []byte {
	b = binary.BigEndian.AppendUint64(b, conn)
	b = binary.BigEndian.AppendUint32(b, uint32(a))
	return binary.BigEndian.AppendUint32(b, tid)
}

// udp returns the number of an event in a UDP packet.
func (e Event) udp() uint32 {
	if e > Stopped {
		return uint32(None) // UDP does not have it
	}
	return uint32(e)
}

// UDPReply is a well-formed packet from a tracker. Its Action decides which methods are
// valid.
type UDPReply struct {
	Action Action
	TID    uint32
	body   []byte
}

// ParseUDPReply reads the head of a packet from a tracker, and reports whether it is
// well-formed. A packet that is too short for its action, or has an unknown action, answers
// nothing; only its Action and TID are valid, if it has MinUDPReply bytes. The reply refers
// to b.
func ParseUDPReply(b []byte) (UDPReply, bool) {
	if len(b) < MinUDPReply {
		return UDPReply{}, false
	}
	r := UDPReply{
		Action: Action(binary.BigEndian.Uint32(b)),
		TID:    binary.BigEndian.Uint32(b[4:]),
		body:   b[MinUDPReply:],
	}
	switch r.Action {
	case ActionConnect:
		return r, len(b) >= connectSize
	case ActionAnnounce:
		return r, len(b) >= announceReplySize
	case ActionScrape, ActionError:
		return r, true
	}
	return r, false
}

// ConnectionID returns the connection id in a reply to a connect.
func (r UDPReply) ConnectionID() uint64 { return binary.BigEndian.Uint64(r.body) }

// Response returns the contents of a reply to an announce. The socket decides whether its
// peers have IPv4 or IPv6 addresses (BEP 15). The length overrules the socket only if the
// packet can't be right: over IPv6, a list of whole IPv4 peers without a valid IPv6 peer
// address.
func (r UDPReply) Response(v6 bool) Response {
	size, list, note := compact4, r.body[12:], ""
	if v6 {
		if size = compact6; only4(list) {
			size, note = compact4, "its peers have IPv4 addresses, in an answer over IPv6"
		}
	}
	if len(list)%size != 0 {
		note = cutList // cut on its way, or by the tracker
	}
	seconds := min(time.Duration(binary.BigEndian.Uint32(r.body))*time.Second, MaxInterval)
	if int32(binary.BigEndian.Uint32(r.body)) < 0 {
		seconds = 0 // some trackers write a negative number
	}
	return Response{
		Interval: seconds,
		Leechers: udpCount(r.body[4:]),
		Seeders:  udpCount(r.body[8:]),
		Peers:    appendCompact(nil, list, size),
		Note:     note,
	}
}

// only4 reports whether a list that came over IPv6 holds IPv4 peers: it is not a whole number
// of IPv6 peers, and no IPv6 peer read from it would have a global or local address.
func only4(list []byte) bool {
	if len(list)%compact6 == 0 || len(list)%compact4 != 0 {
		return false
	}
	for b := list; len(b) >= compact6; b = b[compact6:] {
		a, _ := netip.AddrFromSlice(b[:compact6-2])
		if first := b[0]; first>>5 == 1 || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsLoopback() || a.Is4In6() {
			return false
		}
	}
	return true
}

// Counts returns the counts in a reply to a scrape, in the order of the request: at most n,
// and fewer when the tracker left some out.
func (r UDPReply) Counts(n int) []Counts {
	var all []Counts
	for b := r.body; len(b) >= scrapeEntry && len(all) < n; b = b[scrapeEntry:] {
		all = append(all, Counts{
			Seeders: udpCount(b), Downloaded: udpCount(b[4:]), Leechers: udpCount(b[8:]), Downloaders: -1,
		})
	}
	return all
}

// Failure returns the error in a reply. Some trackers end the text as in C, followed by what
// was in the buffer.
func (r UDPReply) Failure() *FailureError {
	text, _, _ := bytes.Cut(bytes.TrimLeft(r.body, "\x00"), []byte{0})
	return &FailureError{Reason: spoken(text)}
}

// udpCount reads a number of peers; a negative one counts as absent.
func udpCount(b []byte) int64 {
	if n := int32(binary.BigEndian.Uint32(b)); n >= 0 {
		return int64(n)
	}
	return -1
}
