// Package krpc reads and writes the messages of the DHT: bencoded dictionaries, one a
// datagram (BEP 5, with the address families of BEP 32, the `ro` of BEP 43 and the `ip`
// of BEP 42). It knows what a message says and what is wrong with it, not what to do
// about it. One flat Message serves for every kind, both ways, and is meant to be used
// again: its slices keep their room.
package krpc

import "net/netip"

// What is read from a stranger is bounded. A longer list is cut; a longer string makes
// the message no message at all, or counts as absent.
const (
	// MaxTransaction is the longest transaction id in bytes that is echoed. Programs use 2
	// to 8; ids longer than this serve nobody but those who want large answers.
	MaxTransaction = 32
	// MaxToken is the longest token in bytes that is kept for an announce. Nodes give 4 to 20.
	MaxToken = 128
	// MaxNodes is how many nodes are read of one list. Nodes send K = 8, some 16.
	MaxNodes = 20
	// MaxValues is how many peers are read of one reply; a datagram that is not
	// fragmented holds fewer.
	MaxValues = 256
	// maxVersion is the longest `v` in bytes that is given; BEP 5 has 4.
	maxVersion = 16
	// maxText is the longest text in bytes that is given of an error.
	maxText = 128
)

// Kind is the kind of a message, the `y` of BEP 5.
type Kind uint8

// The kinds.
const (
	Query Kind = 1 + iota
	Reply
	Error
)

// Method is what a query asks for, its `q`.
type Method uint8

// The methods of BEP 5. Other is any further one.
const (
	Other Method = iota
	Ping
	FindNode
	GetPeers
	AnnouncePeer
)

var methods = [...]string{
	Other: "other", Ping: "ping", FindNode: "find_node", GetPeers: "get_peers", AnnouncePeer: "announce_peer",
}

// String gives the name as on the wire; "other" for Other.
func (m Method) String() string { return methods[m] }

// The error codes of BEP 5.
const (
	GenericError  = 201
	ServerError   = 202
	ProtocolError = 203 // a malformed packet, invalid arguments, a bad token
	MethodUnknown = 204
)

// Families is a set of address families.
type Families uint8

// The families of `want` (BEP 32), and of the lists `nodes` and `nodes6`.
const (
	IPv4 Families = 1 << iota
	IPv6
)

// Message is one KRPC message. The byte slices of a parsed message are part of the
// packet it was read from.
type Message struct {
	Kind        Kind
	Transaction []byte         // `t`: chosen by who asks, echoed by who answers
	Version     []byte         // `v`: the program; may be absent
	ReadOnly    bool           // `ro` of a query (BEP 43): do not take the sender for a node
	IP          netip.AddrPort // `ip` of a reply (BEP 42): the receiver's address as the sender sees it

	ID ID // the sender; of a query or reply

	// Of a query.
	Method      Method
	Name        []byte   // the method as it was sent, when it is Other
	Target      ID       // `target`, or `info_hash`
	HasTarget   bool     // Target was given; FindNode, GetPeers and AnnouncePeer always have it
	Want        Families // `want`: the families of nodes asked for; 0 leaves it to the sender's own
	Port        uint16   // of AnnouncePeer; not 0 unless ImpliedPort is set
	ImpliedPort bool     // of AnnouncePeer: Port is void, the peer's is that of the datagram

	Token []byte // of a reply to GetPeers; of AnnouncePeer

	// Of a reply.
	Nodes  []Node           // both families; in the order sent
	Lists  Families         // which of `nodes` and `nodes6` there were, or are to be written
	Values []netip.AddrPort // peers, of either family, as sent

	// Of an error.
	Code int
	Text []byte
}

// reset makes m an empty message that keeps the room of its lists.
func (m *Message) reset() {
	*m = Message{Nodes: m.Nodes[:0], Values: m.Values[:0]}
}
