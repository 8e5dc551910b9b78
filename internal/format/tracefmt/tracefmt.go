// Package tracefmt turns the trace of a run into a conversation that people can read, in the field's
// terms: a line for each message, with the reason that the deciding machine recorded. It invents
// nothing: a line without a reason had none.
package tracefmt

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// Line is one line of a conversation.
type Line struct {
	Seconds float64 // since the start of the run
	From    string  // sender or actor
	To      string  // recipient; empty for an act
	Proto   string
	What    string // the message or act, in words
	Why     string // the reason in words; empty when there is none
}

// Conversation maps addresses to names.
type Conversation struct {
	// Name returns the name of an address, or its text when it has none.
	Name func(netip.AddrPort) string
	// Owners returns the connected peers of `who` that have a piece; nil when nobody counts them.
	Owners func(who string, piece int64) []string
}

// Line turns a record of the participant `who` into words.
func (c Conversation) Line(who string, r trace.Record) Line {
	other := ""
	if r.Peer.IsValid() {
		other = c.Name(r.Peer)
	}
	if r.Proto == trace.Web {
		other, r.Text, _ = strings.Cut(r.Text, ": ") // a web seed has the name of its host
	}
	l := Line{Seconds: r.At.Seconds(), Proto: r.Proto.String(), What: What(r), Why: c.reason(who, r)}
	switch r.Way {
	case trace.Sent:
		l.From, l.To = who, other
	case trace.Received:
		l.From, l.To = other, who
	default:
		l.From = who
		l.What = act(r, other)
	}
	return l
}

// act describes an act: "close B: both have every piece".
func act(r trace.Record, other string) string {
	if other == "" {
		return What(r)
	}
	text := r.Text
	r.Text = ""
	what := What(r) + " " + other
	if text != "" {
		what += ": " + text
	}
	return what
}

// What describes the message or act of a record.
func What(r trace.Record) string {
	var b strings.Builder
	b.WriteString(r.What)
	if r.Piece != trace.No {
		if r.What == "request" || r.What == "cancel" || r.What == "reject" || r.What == "piece" {
			if r.What != "piece" {
				b.WriteString(" piece")
			}
			fmt.Fprintf(&b, " %d, block %d", r.Piece, r.Block)
		} else {
			fmt.Fprintf(&b, " piece %d", r.Piece)
		}
	}
	switch r.What {
	case "fetch":
		return fmt.Sprintf("fetch %d bytes from piece %d, block %d on", r.N, r.Piece, r.Block)
	case "bitfield":
		return "bitfield " + r.Text
	case "have all", "have none":
		return r.What // and which pieces these are, which is plain
	case "port":
		return fmt.Sprintf("port %d", r.N)
	}
	if r.Text != "" {
		b.WriteString(": ")
		b.WriteString(r.Text)
	}
	return b.String()
}

// reason puts the Why of a record into words, with names where they help.
func (c Conversation) reason(who string, r trace.Record) string {
	if r.Why != why.Rarest {
		return r.Why.Words()
	}
	if c.Owners != nil {
		if owners := c.Owners(who, r.Piece); len(owners) == int(r.Owners) && len(owners) > 0 {
			if len(owners) == 1 {
				return "rarest: only " + owners[0] + " has it"
			}
			return "rarest: " + strings.Join(owners, " and ") + " have it"
		}
	}
	if r.Owners == 1 {
		return "rarest: one peer has it"
	}
	return fmt.Sprintf("rarest: %d peers have it", r.Owners)
}

// String aligns the line: time, sender and recipient, what, why.
func (l Line) String() string {
	who := l.From
	if l.To != "" {
		who += " → " + l.To
	}
	s := fmt.Sprintf("%7.3f  %s  %s", l.Seconds, pad(who, 9), l.What)
	if l.Why != "" {
		s = pad(s, 62) + "  " + l.Why
	}
	return s
}

// pad fills s with spaces to n characters.
func pad(s string, n int) string {
	if missing := n - utf8.RuneCountInString(s); missing > 0 {
		return s + strings.Repeat(" ", missing)
	}
	return s
}
