// Package tracker is what clients and trackers say to each other, in both its forms.
//
// Over HTTP (BEP 3): the query that says who asks for what, and the reply with its
// compact (BEP 23), IPv6 (BEP 7) and dictionary peer lists, the external address (BEP
// 24) and the wait after a failure (BEP 31). Over UDP (BEP 15): the packets of both
// sides, with the options of an announce (BEP 41). And the counts of torrents by
// scrape, in both (BEP 48).
//
// It holds no state; what comes is read leniently and within bounds, since both sides
// are strangers.
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

// Event is what an announce reports. The numbers are those of BEP 15, as far as it goes.
type Event uint8

// The events of BEP 3.
const (
	None      Event = iota // an announce at the usual interval
	Completed              // the last piece arrived; never for a torrent complete at its start
	Started                // the first announce
	Stopped                // the last one
	Paused                 // one as None, of a partial seed (BEP 21); over UDP there is none
)

// String gives the event's name in a query; empty for None.
func (e Event) String() string {
	return [...]string{"", "completed", "started", "stopped", "paused", "", "", ""}[e&7]
}

// Params are what an announce tells a tracker.
type Params struct {
	InfoHash infohash.Hash // of the v1 torrent, or truncated of the v2 one
	PeerID   [20]byte
	Port     uint16 // where this engine listens
	Port6    uint16 // where it does for IPv6; 0 means Port

	// Bytes of this torrent since Started was sent, and still missing. While the
	// metadata is unknown Left must not be 0: the tracker would take us for a seed
	// and name no seeds.
	Uploaded, Downloaded, Left int64

	Event     Event
	NumWant   int    // peers wished for; 0 for none, negative leaves it to the tracker
	Key       uint32 // who we are to the tracker when our address changes (BEP 7)
	TrackerID string // as an earlier reply gave it

	// Dictionary asks for peers with their ids rather than for a compact list. It
	// is a wish; a tracker may give either form to either wish (BEP 23).
	Dictionary bool
}

// Never as a RetryIn says that the announce should not be repeated (BEP 31).
const Never time.Duration = math.MaxInt64

// Response is the reply to an announce that did not fail.
type Response struct {
	Interval    time.Duration // until the next announce; 0 when not given, at most MaxInterval
	MinInterval time.Duration // no announce before; 0 when not given, at most MaxInterval
	TrackerID   string        // to be sent with later announces; empty when not given
	Warning     string        // for the user; printable
	Note        string        // what was odd about the reply, in our words; empty for a sound one
	From        netip.Addr    // who answered, as the client saw; not of the reply
	ExternalIP  netip.Addr    // our address as the tracker sees it; invalid when not given
	Seeders     int64         // peers that are complete; -1 when not given
	Leechers    int64         // peers that are not; -1 when not given
	Peers       []Peer        // at most MaxPeers, of which at most MaxNames by name
}

// Peer is one peer of a reply. It has an Addr or a Host and Port.
type Peer struct {
	Addr netip.AddrPort // connectable in form: no port 0, no multicast or unspecified address
	Host string         // a name to resolve, from a dictionary list; ASCII
	Port uint16         // of Host

	ID    [20]byte // the peer id promised, from a dictionary list
	HasID bool
}

// Counts is what a tracker knows of a torrent by number; -1 where it does not tell.
type Counts struct {
	Seeders     int64 // peers that are complete
	Leechers    int64 // peers that are not
	Downloaded  int64 // how often "completed" was said
	Downloaders int64 // of Leechers, those that want more (BEP 21)
}

// FailureError is a reply that says no.
type FailureError struct {
	Reason  string        // the tracker's words; printable, may be empty
	RetryIn time.Duration // when to ask again (BEP 31): 0 when not given, Never, or at most MaxInterval
	Soonest time.Duration // when what can't wait may be told: its min interval; 0 when not given
}

// Error gives the tracker's words.
func (e *FailureError) Error() string {
	if e.Reason == "" {
		return "the tracker refused without a reason"
	}
	if e.refusesPort() {
		return "the tracker said: " + e.Reason + " (listen on another port: most trackers take any from 49152 to 65535)"
	}
	return "the tracker said: " + e.Reason
}

// refusesPort reports whether the reason is the port that we listen on. Private trackers
// refuse those that were shaped by providers once. The words are those of deployed ones.
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

// What can be wrong with an announce URL or a reply, besides a FailureError and the
// errors of bencode.
var (
	ErrURL       = errors.New("not an announce URL")
	ErrEmpty     = errors.New("empty reply")
	ErrTooLong   = fmt.Errorf("reply longer than %d bytes", MaxBody)
	ErrMalformed = errors.New("reply is not a dictionary")
)

// Bounds of what a tracker can make us hold.
const (
	MaxURL      = 4096           // bytes of an announce URL
	MaxBody     = 2 << 20        // bytes of a reply: compact, over a hundred thousand peers
	MaxPeers    = 2000           // peers taken from a reply: as many as a torrent keeps
	MaxNames    = 16             // of them by name, each of which costs a look-up
	MaxInterval = 24 * time.Hour // beyond this a wait is a mistake or an attack

	maxText      = 300 // characters of a warning or failure reason
	maxTrackerID = 512 // bytes; a longer one is not echoed
)

// wholeWords cuts off the last word of a text that was cut, which may be half of a passkey: what
// hides those knows only whole ones. A longer word it knows by its length.
func wholeWords(s string) string {
	const longest = 64
	for i := len(s); i > 0 && len(s)-i <= longest; i-- {
		if c := s[i-1]; c < 0x80 && !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z') {
			return strings.TrimRight(s[:i], " ")
		}
	}
	return s
}

// printable makes a stranger's text safe to show: one line, no control characters,
// no more than maxText characters.
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
