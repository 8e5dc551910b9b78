// Package trace holds the record that each decision leaves while a trace is on: one flat
// value for each message sent or received and each act, with the reason of the deciding
// machine. The same record is printed as a conversation, written as JSON lines, and compared
// in golden scripts and simulations.
package trace

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"unicode"
	"unicode/utf8"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Way is the direction of a record.
type Way uint8

// Values of Way.
const (
	Did      Way = iota // an act of ours: a dial, a verified piece
	Sent                // a message to Peer
	Received            // a message from Peer
)

// String returns "did", "sent" or "received".
func (w Way) String() string {
	switch w {
	case Sent:
		return "sent"
	case Received:
		return "received"
	}
	return "did"
}

// Proto is the protocol of a record.
type Proto uint8

// Values of Proto.
const (
	Torrent Proto = iota // acts of a torrent: storing, verifying, dialling
	Peer                 // the peer protocol (BEP 3)
	DHT                  // KRPC (BEP 5)
	Tracker              // announces
	Web                  // web seeds (BEP 19, 17)
	LSD                  // the local network (BEP 14)
)

// String returns the protocol's name.
func (p Proto) String() string {
	return [...]string{"torrent", "peer", "dht", "tracker", "web", "lsd"}[min(p, LSD)]
}

// No marks an absent Piece or Block.
const No = -1

// Record is one line of a trace. Fields that do not apply are zero; Piece and Block are No.
type Record struct {
	At       mono.Time
	Proto    Proto
	Way      Way
	InfoHash [20]byte       // torrent or lookup target; zero: none
	Peer     netip.AddrPort // receiver or sender
	What     string         // message or act in the field's words
	Piece    int64          // No: not about a piece
	Block    int64          // No: not about a block
	N        int64          // count of bytes, nodes, peers or owners, by What
	Owners   int32          // connected peers that have Piece; with why.Rarest
	Why      why.Why
	Text     string // bitfield, reason or error; printable
}

// Func receives records. The owner of a machine calls it while the machine decides, so it
// must be quick and must not call back.
type Func func(Record)

// AppendJSON appends the record as one JSON object without a line end. "time" is in seconds
// since mono.Start.
func (r Record) AppendJSON(b []byte) []byte {
	b = append(b, `{"time":`...)
	b = strconv.AppendFloat(b, r.At.Seconds(), 'f', 6, 64)
	b = field(b, "proto", r.Proto.String())
	b = field(b, "way", r.Way.String())
	if r.Peer.IsValid() {
		b = field(b, "peer", r.Peer.String())
	}
	b = field(b, "what", r.What)
	if r.Piece != No {
		b = number(b, "piece", r.Piece)
	}
	if r.Block != No {
		b = number(b, "block", r.Block)
	}
	if r.N != 0 {
		b = number(b, "n", r.N)
	}
	if r.Owners != 0 {
		b = number(b, "owners", int64(r.Owners))
	}
	if r.Text != "" {
		b = field(b, "text", r.Text)
	}
	if r.Why != why.None {
		b = field(b, "why", r.Why.String())
	}
	if r.InfoHash != [20]byte{} {
		b = field(b, "info_hash", hex.EncodeToString(r.InfoHash[:]))
	}
	return append(b, '}')
}

func number(b []byte, key string, n int64) []byte {
	b = append(append(append(b, `,"`...), key...), `":`...)
	return strconv.AppendInt(b, n, 10)
}

// field appends a string, and escapes what JSON cannot hold. Characters that could mislead a
// terminal or a reader (controls, line separators, direction marks, bytes that are not UTF-8)
// become a question mark: much of the text comes from strangers.
func field(b []byte, key, s string) []byte {
	b = append(append(append(b, `,"`...), key...), `":"`...)
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', byte(c))
		case !unicode.IsPrint(c) || c == utf8.RuneError:
			b = append(b, '?')
		default:
			b = utf8.AppendRune(b, c)
		}
	}
	return append(b, '"')
}
