// Package tracker is the format of the messages between clients and trackers, over HTTP and
// UDP.
//
// Over HTTP (BEP 3): the query of an announce, and the reply with its compact (BEP 23), IPv6
// (BEP 7) and dictionary peer lists, the external address (BEP 24) and the wait after a
// failure (BEP 31). Over UDP (BEP 15): the packets of both sides, with the options of an
// announce (BEP 41). And the counts of torrents by scrape, in both (BEP 48).
//
// The package holds no state. It reads leniently and within bounds, since both sides are
// strangers.
package tracker

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"shoal/internal/value/infohash"
)

// Event is what an announce reports. The numbers are those of BEP 15, as far as it defines
// them.
type Event uint8

// Events of BEP 3, and Paused.
const (
	None      Event = iota // an announce at the usual interval
	Completed              // the last piece arrived; never for a torrent complete at its start
	Started                // the first announce
	Stopped                // the last announce
	Paused                 // None from a partial seed (BEP 21); UDP has no such event
)

// String returns the event's name in a query; empty for None.
func (e Event) String() string {
	return [...]string{"", "completed", "started", "stopped", "paused", "", "", ""}[e&7]
}

// Params are what an announce sends to a tracker.
type Params struct {
	InfoHash infohash.Hash // of the v1 torrent, or the truncated one of v2
	PeerID   [20]byte
	Port     uint16 // port on which this engine listens
	Port6    uint16 // port for IPv6; 0: Port

	// Bytes of this torrent since Started was sent, and bytes still missing. While the
	// metadata is unknown Left must not be 0: the tracker would take us for a seed and send
	// no seeds.
	Uploaded, Downloaded, Left int64

	Event     Event
	NumWant   int    // number of requested peers; negative: the tracker's default
	Key       uint32 // identifies us to the tracker when our address changes (BEP 7)
	TrackerID string // from an earlier reply

	// Dictionary asks for peers with their ids instead of a compact list. A tracker may
	// ignore it and use either form (BEP 23).
	Dictionary bool
}

// Never as a RetryIn means that the announce should not be repeated (BEP 31).
const Never time.Duration = math.MaxInt64

// Response is the reply to an announce that succeeded.
type Response struct {
	Interval    time.Duration // time until the next announce; 0: absent; at most MaxInterval
	MinInterval time.Duration // least time until the next announce; 0: absent; at most MaxInterval
	TrackerID   string        // to send with later announces; empty: absent
	Warning     string        // for the user; printable
	Note        string        // what was odd about the reply, in our words; empty: nothing
	From        netip.Addr    // address that answered, as the client saw it; not part of the reply
	Took        time.Duration // from the request to the reply; not part of the reply; 0: unknown
	ExternalIP  netip.Addr    // our address as the tracker sees it; invalid: absent
	Seeders     int64         // complete peers; -1: absent
	Leechers    int64         // incomplete peers; -1: absent
	Peers       []Peer        // at most MaxPeers, of which at most MaxNames by name
}

// Peer is one peer of a reply. It has an Addr, or a Host and Port.
type Peer struct {
	Addr netip.AddrPort // connectable in form: no port 0, no multicast or unspecified address
	Host string         // a name to resolve, from a dictionary list; ASCII
	Port uint16         // port of Host

	ID    [20]byte // the promised peer id, from a dictionary list
	HasID bool
}

// Counts are a tracker's counts of a torrent; -1: absent.
type Counts struct {
	Seeders     int64 // complete peers
	Leechers    int64 // incomplete peers
	Downloaded  int64 // number of "completed" events
	Downloaders int64 // of Leechers, those that want more (BEP 21)
}

// FailureError is returned for a reply that refuses.
type FailureError struct {
	Reason  string        // the tracker's words; printable, may be empty
	RetryIn time.Duration // wait before the next request (BEP 31): 0: absent; Never; or at most MaxInterval
	Soonest time.Duration // wait before an event that can't wait longer: its min interval; 0: absent
}

// Error returns the tracker's words.
func (e *FailureError) Error() string {
	if e.Reason == "" {
		return "the tracker refused without a reason"
	}
	if e.refusesPort() {
		return "the tracker said: " + e.Reason + " (listen on another port: most trackers take any from 49152 to 65535)"
	}
	return "the tracker said: " + e.Reason
}

// refusesPort reports whether the tracker refuses the port on which we listen. Private
// trackers refuse ports that providers used to throttle. The words are those of deployed
// trackers.
func (e *FailureError) refusesPort() bool {
	text := strings.ToLower(e.Reason)
	if !strings.Contains(text, "port") || strings.Contains(text, "support") {
		return false
	}
	for _, word := range []string{"blacklist", "black list", "black-list", "banned", "not allowed", "disallowed", "forbidden", "blocked", "invalid", "prohibited", "not permitted", "restricted", "denied", "unauthorized"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

// Errors of announce URLs and replies, besides FailureError and the errors of bencode.
var (
	ErrURL       = errors.New("not an announce URL")
	ErrEmpty     = errors.New("empty reply")
	ErrTooLong   = fmt.Errorf("reply longer than %d bytes", MaxBody)
	ErrMalformed = errors.New("reply is not a dictionary")
)

// Bounds on what a tracker can make us hold.
const (
	MaxURL      = 4096           // bytes of an announce URL
	MaxBody     = 2 << 20        // bytes of a reply: over a hundred thousand compact peers
	MaxPeers    = 2000           // peers taken from a reply: as many as a torrent keeps
	MaxNames    = 16             // of them by name, each of which costs a DNS look-up
	MaxInterval = 24 * time.Hour // a longer wait is a mistake or an attack

	maxText      = 300 // characters of a warning or failure reason
	maxTrackerID = 512 // bytes; a longer one is not sent back
)

// wholeWords removes the last word of a text that was cut, because that may be half of a
// passkey, and redaction recognises only whole ones. It recognises a longer word by its
// length.
func wholeWords(s string) string {
	const longest = 64
	for i := len(s); i > 0 && len(s)-i <= longest; i-- {
		if c := s[i-1]; c < 0x80 && !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return strings.TrimRight(s[:i], " ")
		}
	}
	return s
}

// printable makes a stranger's text safe to show: one line, no control characters, at most
// maxText characters.
func printable(b []byte) string {
	var s strings.Builder
	n := 0
	for _, r := range strings.ToValidUTF8(string(b[:min(len(b), 8*maxText)]), "?") {
		if n++; n > maxText {
			return wholeWords(s.String()) + "…"
		}
		if isControl(r) {
			r = ' '
		}
		s.WriteRune(r)
	}
	return strings.TrimSpace(s.String())
}
