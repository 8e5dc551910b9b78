package sim

import (
	"encoding/binary"
	"math"
	"net/netip"
	"slices"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
)

// Actor is a scripted peer without a swarm: it says what its script says, whatever the rules. It
// dials nobody by itself; nodes that know its address dial it, or Visit makes it dial them.
type Actor struct {
	w      *World
	Name   string
	addr   netip.AddrPort
	id     [20]byte
	uplink uplink
	ends   []*end

	// Mute actors accept a connection and never send their handshake.
	Mute bool
	// Reads is how many bytes of blocks a second it reads from a connection; 0 means all of them, a
	// negative number none. All other messages arrive.
	Reads int64
	// Fast actors speak the fast extension (BEP 6).
	Fast bool
	// Begin is called after the handshakes, Hear for each message.
	Begin func(a *Actor, e *Conn)
	Hear  func(a *Actor, e *Conn, m wire.Message)
	// Closed counts the connections that others ended.
	Closed int
}

// Cast adds an actor to the world.
func (w *World) Cast(a *Actor) *Actor {
	a.w, a.addr = w, w.address()
	copy(a.id[:], "-XX0666-")
	for i := 8; i < 20; i++ {
		a.id[i] = byte(w.faults.IntN(256))
	}
	w.listeners[a.addr] = a
	w.actors = append(w.actors, a)
	return a
}

// Visit makes the actor dial a node, and again whenever the node drops it.
func (a *Actor) Visit(n *Node, again time.Duration) {
	a.w.dial(a, n.addr, func(e *end, _ wire.Handshake, problem string) {
		if problem == "" {
			a.begin(e)
		}
		a.w.after(again, func() {
			if e == nil || e.closed {
				a.Visit(n, again)
			}
		})
	})
}

// Leave removes the actor from the world.
func (a *Actor) Leave() {
	delete(a.w.listeners, a.addr)
	for _, e := range a.ends {
		e.close()
	}
	a.Begin, a.Hear = nil, nil
}

func (a *Actor) begin(e *end) {
	a.ends = append(a.ends, e)
	if a.Begin != nil {
		a.Begin(a, e)
	}
}

// repeat calls do at intervals until the connection ends.
func (a *Actor) repeat(e *end, every time.Duration, do func()) {
	if e.closed || a.Begin == nil {
		return
	}
	do()
	a.w.after(every, func() { a.repeat(e, every, do) })
}

// The actor as a party.

func (a *Actor) host() netip.Addr     { return a.addr.Addr() }
func (a *Actor) lag() time.Duration   { return 20 * time.Millisecond }
func (a *Actor) line() *uplink        { return &a.uplink }
func (a *Actor) stalled() bool        { return false }
func (a *Actor) deaf() bool           { return a.Mute }
func (a *Actor) turn(*end)            {}
func (a *Actor) tag(block.Ref) uint64 { return math.MaxUint64 }
func (a *Actor) sent(*end, int, int64) {
}

func (a *Actor) lost(e *end, _ string) {
	a.Closed++
	a.ends = slices.DeleteFunc(a.ends, func(x *end) bool { return x == e })
}

func (a *Actor) handshake() wire.Handshake {
	h := wire.Handshake{Reserved: wire.Reserved{}.WithExtensions(), InfoHash: a.w.InfoHash, PeerID: a.id}
	if a.Fast {
		h.Reserved = h.Reserved.WithFast()
	}
	return h
}

func (a *Actor) arrived(e *end, _ wire.Handshake) { a.begin(e) }

func (a *Actor) take(e *end, m wire.Message, _ uint64) {
	if a.Hear != nil {
		a.Hear(a, e, m)
	}
}

// The cast: behaviours that are seen in real swarms.

// piece draws a random piece.
func (a *Actor) piece() uint32 { return uint32(a.w.faults.IntN(int(a.w.Geometry.Pieces))) }

// ref draws a random block.
func (a *Actor) ref() block.Ref {
	piece := a.piece()
	return a.w.Geometry.Block(piece, uint32(a.w.faults.IntN(int(a.w.Geometry.Blocks(piece)))))
}

// Flooder announces random pieces, hundreds a second, again and again.
func Flooder() *Actor {
	return &Actor{Name: "flooder", Begin: func(a *Actor, e *Conn) {
		a.repeat(e, 100*time.Millisecond, func() {
			var b []byte
			for range 50 {
				b = wire.AppendHave(b, a.piece())
			}
			e.write(b, nil)
		})
	}}
}

// Fickle replaces its bitfield now and then, unchokes and chokes, and answers few requests.
func Fickle() *Actor {
	return &Actor{Name: "fickle", Begin: func(a *Actor, e *Conn) {
		a.repeat(e, 700*time.Millisecond, func() {
			have := bitfield.New(a.w.Geometry.Pieces)
			for i := range have.Len() {
				if a.w.faults.IntN(3) == 0 {
					have.Set(i)
				}
			}
			b := wire.AppendBitfield(nil, have)
			b = wire.AppendSimple(b, []wire.ID{wire.Choke, wire.Unchoke, wire.Unchoke, wire.Interested, wire.NotInterested}[a.w.faults.IntN(5)])
			e.write(b, nil)
		})
	}}
}

// Silent claims to have everything, unchokes, and never sends a block.
func Silent() *Actor {
	return &Actor{Name: "silent", Begin: func(a *Actor, e *Conn) {
		e.write(wire.AppendSimple(wire.AppendBitfield(nil, a.w.Full()), wire.Unchoke), nil)
		a.repeat(e, 30*time.Second, func() { e.write(wire.AppendKeepAlive(nil), nil) })
	}}
}

// Closed claims to have everything and never unchokes.
func Closed() *Actor {
	return &Actor{Name: "closed", Begin: func(a *Actor, e *Conn) {
		e.write(wire.AppendBitfield(nil, a.w.Full()), nil)
		a.repeat(e, 30*time.Second, func() { e.write(wire.AppendKeepAlive(nil), nil) })
	}}
}

// Pusher sends blocks that nobody requested, with wrong content.
func Pusher() *Actor {
	return &Actor{Name: "pusher", Begin: func(a *Actor, e *Conn) {
		e.write(wire.AppendSimple(wire.AppendBitfield(nil, a.w.Full()), wire.Unchoke), nil)
		a.repeat(e, 50*time.Millisecond, func() { e.write(nil, []block.Ref{a.ref(), a.ref()}) })
	}}
}

// Taker requests everything all the time, choked or not.
func Taker() *Actor {
	return &Actor{Name: "taker", Begin: func(a *Actor, e *Conn) {
		e.write(wire.AppendSimple(nil, wire.Interested), nil)
		a.repeat(e, 200*time.Millisecond, func() {
			var b []byte
			for range 300 {
				b = wire.AppendRequest(b, a.ref())
			}
			e.write(b, nil)
		})
	}}
}

// Narrow accepts a single request at a time, says so, and serves exactly what it claims to have,
// all of it wrong content.
func Narrow() *Actor {
	return &Actor{
		Name: "narrow",
		Begin: func(a *Actor, e *Conn) {
			b := wire.AppendExtensions(nil, wire.Extensions{Client: "narrow", Reqq: 1})
			b = wire.AppendBitfield(b, a.w.Full())
			e.write(wire.AppendSimple(b, wire.Unchoke), nil)
		},
		Hear: func(a *Actor, e *Conn, m wire.Message) {
			if m.ID == wire.Request {
				a.w.after(300*time.Millisecond, func() { e.write(nil, []block.Ref{m.Ref()}) })
			}
		},
	}
}

// Rude breaks the protocol in a way that is drawn for each connection.
func Rude() *Actor {
	return &Actor{Name: "rude", Begin: func(a *Actor, e *Conn) {
		last := a.w.Geometry.Pieces
		ways := [][]byte{
			wire.AppendHave(nil, last),
			wire.AppendHave(nil, math.MaxUint32),
			wire.AppendRequest(nil, block.Ref{Piece: 0, Begin: 0, Length: 1 << 17}),
			wire.AppendRequest(nil, block.Ref{Piece: 0, Begin: math.MaxUint32 - 1, Length: 16384}),
			wire.AppendRequest(nil, block.Ref{Piece: last - 1, Begin: 0, Length: 0}),
			wire.AppendCancel(nil, block.Ref{Piece: last, Begin: 0, Length: 16384}),
			wire.AppendBitfield(nil, bitfield.New(last+8)),
			binary.BigEndian.AppendUint32(nil, math.MaxUint32),
			{0x7f, 0xff, 0xff, 0xff, 5},
			{0, 0, 0, 2, 0, 0},
			{0, 0, 0, 9, 7, 0, 0, 0, 0, 0, 0, 0, 0},
			{0, 0, 0, 1, 20},
		}
		e.write(ways[a.w.faults.IntN(len(ways))], nil)
	}}
}

// Stranger speaks extensions that we do not, in messages with unknown ids, and repeats its
// extension handshake.
func Stranger() *Actor {
	return &Actor{Name: "stranger", Begin: func(a *Actor, e *Conn) {
		a.repeat(e, time.Second, func() {
			b := []byte{0, 0, 0, 1, 12, 0, 0, 0, 5, 18, 0, 0, 0, 1, 0, 0, 0, 3, 99, 1, 2}
			b = wire.AppendExtended(b, 0, []byte("d1:md6:ut_pexi1ee4:reqqi100e1:v8:\x1b[2Jodd\xffe"))
			b = wire.AppendExtended(b, 0, []byte("d1:m"))
			b = wire.AppendExtended(b, 7, []byte("whatever"))
			b = wire.AppendPort(b, 6881)
			e.write(wire.AppendKeepAlive(b), nil)
		})
	}}
}

// Sneak uses the fast extension without having announced it.
func Sneak() *Actor {
	return &Actor{Name: "sneak", Begin: func(a *Actor, e *Conn) {
		e.write(wire.AppendAllowedFast(wire.AppendSimple(nil, wire.HaveAll), a.piece()), nil)
	}}
}

// Refuser speaks the fast extension, unchokes, and rejects every request at once and repeatedly,
// and also requests that it never received.
func Refuser() *Actor {
	return &Actor{
		Name: "refuser", Fast: true,
		Begin: func(a *Actor, e *Conn) {
			e.write(wire.AppendSimple(wire.AppendSimple(nil, wire.HaveAll), wire.Unchoke), nil)
			a.repeat(e, 5*time.Second, func() {
				e.write(wire.AppendReject(wire.AppendSimple(wire.AppendSimple(nil, wire.Choke), wire.Unchoke), a.ref()), nil)
			})
		},
		Hear: func(_ *Actor, e *Conn, m wire.Message) {
			if m.ID == wire.Request {
				e.write(wire.AppendReject(wire.AppendReject(nil, m.Ref()), m.Ref()), nil)
			}
		},
	}
}

// Generous speaks the fast extension, allows and suggests everything, and sends nothing.
func Generous() *Actor {
	return &Actor{Name: "generous", Fast: true, Begin: func(a *Actor, e *Conn) {
		e.write(wire.AppendSimple(nil, wire.HaveAll), nil)
		a.repeat(e, 300*time.Millisecond, func() {
			e.write(wire.AppendSuggest(wire.AppendAllowedFast(nil, a.piece()), a.piece()), nil)
		})
	}}
}

// Greedy speaks the fast extension, requests everything although it is choked, and cancels it
// again.
func Greedy() *Actor {
	return &Actor{Name: "greedy", Fast: true, Begin: func(a *Actor, e *Conn) {
		e.write(wire.AppendSimple(wire.AppendSimple(nil, wire.HaveNone), wire.Interested), nil)
		a.repeat(e, 500*time.Millisecond, func() {
			var b []byte
			for range 20 {
				ref := a.ref()
				b = wire.AppendRequest(wire.AppendRequest(b, ref), a.ref())
				b = wire.AppendCancel(b, ref)
			}
			e.write(b, nil)
		})
	}}
}

// Mute accepts connections and never sends a byte.
func Mute() *Actor { return &Actor{Name: "mute", Mute: true} }

// cast is all actors.
var cast = []func() *Actor{
	Flooder, Fickle, Silent, Closed, Pusher, Taker, Narrow, Rude, Stranger, Mute,
	Sneak, Refuser, Generous, Greedy,
}
