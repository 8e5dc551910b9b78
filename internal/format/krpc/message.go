// Package krpc reads and writes the messages of the DHT: bencoded dictionaries, one in each
// datagram (BEP 5, with the address families of BEP 32, the `ro` of BEP 43 and the `ip` of
// BEP 42). It knows what a message says and what is wrong with it, not what to do about it.
// One flat Message serves for every kind, both ways, and is meant to be reused: its slices
// keep their memory.
package krpc

import "net/netip"

// Bounds on what we read from a stranger. A longer list is cut; a longer string makes the
// message invalid, or counts as absent.
const (
	// MaxTransaction is the longest transaction id, in bytes, that we echo. Programs use 2 to
	// 8; longer ids help only attackers that want large answers.
	MaxTransaction = 32
	// MaxToken is the longest token, in bytes, that we keep for an announce. Nodes send 4 to
	// 20.
	MaxToken = 128
	// MaxNodes is how many nodes we read from one list. Nodes send K = 8, some 16.
	MaxNodes = 20
	// MaxValues is how many peers we read from one reply; a datagram that is not fragmented
	// holds fewer.
	MaxValues = 256
	// maxVersion is the longest `v`, in bytes, that we return; BEP 5 has 4.
	maxVersion = 16
	// maxText is the longest error text, in bytes, that we return.
	maxText = 128
)

// Kind is the kind of a message, the `y` of BEP 5.
type Kind uint8

// Values of Kind.
const (
	Query Kind = 1 + iota
	Reply
	Error
)

// Method is the method of a query, its `q`.
type Method uint8

// Methods of BEP 5. Other is any other one.
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

// String returns the name as on the wire; "other" for Other.
func (m Method) String() string { return methods[m] }

// Error codes of BEP 5.
const (
	GenericError  = 201
	ServerError   = 202
	ProtocolError = 203 // a malformed packet, invalid arguments, a bad token
	MethodUnknown = 204
)

// Families is a set of address families.
type Families uint8

// Families of `want` (BEP 32), and of the lists `nodes` and `nodes6`.
const (
	IPv4 Families = 1 << iota
	IPv6
)

// Message is one KRPC message. The byte slices of a parsed message are parts of the packet
// that it came from.
type Message struct {
	Kind        Kind
	Transaction []byte         // `t`: chosen by the sender of the query, echoed in the reply
	Version     []byte         // `v`: the program; may be absent
	ReadOnly    bool           // `ro` of a query (BEP 43): the sender must not be treated as a node
	IP          netip.AddrPort // `ip` of a reply (BEP 42): the receiver's address as the sender sees it

	ID ID // the sender; in a query or reply

	// Fields of a query.
	Method      Method
	Name        []byte   // the method as it was sent, when Method is Other
	Target      ID       // `target`, or `info_hash`
	HasTarget   bool     // Target was sent; FindNode, GetPeers and AnnouncePeer always have it
	Want        Families // `want`: the requested families of nodes; 0: the receiver's own
	Port        uint16   // in AnnouncePeer; not 0 unless ImpliedPort is set
	ImpliedPort bool     // in AnnouncePeer: Port is void, and the peer's port is the datagram's source port

	Token []byte // in a reply to GetPeers, and in AnnouncePeer

	// Fields of a reply.
	Nodes  []Node           // both families; in the order sent
	Lists  Families         // `nodes` and `nodes6` that were present, or that Append must write
	Values []netip.AddrPort // peers, of either family, as sent

	// Fields of an error.
	Code int
	Text []byte
}

// reset makes m an empty message that keeps the memory of its lists.
func (m *Message) reset() {
	*m = Message{Nodes: m.Nodes[:0], Values: m.Values[:0]}
}
