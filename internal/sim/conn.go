package sim

import (
	"net/netip"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/format/wire"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// Timeouts of connections, as in the shell.
const (
	dialTimeout      = 15 * time.Second
	handshakeTimeout = 10 * time.Second
)

// burst is how many blocks a writer sends before it reports them.
const burst = 16

// socketBuffers is how many bytes two kernels hold of a stream that is not read.
const socketBuffers = 96 << 10

// party is the owner of one end of a connection: a node or an actor.
type party interface {
	host() netip.Addr
	lag() time.Duration // from here to the middle of the network
	line() *uplink
	handshake() wire.Handshake
	// arrived takes over an end whose other side has sent its handshake.
	arrived(e *end, h wire.Handshake)
	// take handles one message; tag is the payload of a piece. turn follows a run of messages.
	take(e *end, m wire.Message, tag uint64)
	turn(e *end)
	// tag returns the payload of a block as it is sent now.
	tag(ref block.Ref) uint64
	// stalled reports whether blocks no longer leave.
	stalled() bool
	sent(e *end, blocks int, bytes int64)
	// deaf parties accept connections and do nothing with them.
	deaf() bool
	// lost reports that the other side, or broken protocol, closed the end.
	lost(e *end, reason string)
}

// end is one side of a connection. Its owner reads and writes it; its output waits for its turn on
// the owner's uplink, control bytes before blocks.
type end struct {
	w       *World
	owner   party
	other   *end
	remote  netip.AddrPort // address of the other side, as the owner sees it
	dialled bool
	key     swarm.PeerKey // assigned by a node
	watch   *witness      // set for a node

	// onShake, for an end that was dialled, receives the handshake or the error before it.
	onShake func(h wire.Handshake, problem string)

	since  mono.Time // time of its creation
	shaken bool      // the other side's handshake has arrived
	closed bool
	void   bool      // everything sent from here vanishes
	deaf   bool      // nobody reads what arrives
	unread int64     // bytes of blocks sent from here and not yet read
	readAt mono.Time // time when the other side has read everything sent; see Actor.Reads

	// Outbox.
	control []byte
	uploads []block.Ref
	queued  bool // waits on the uplink
	written int  // number of blocks since the last call of sent
	bytes   int64

	// In flight and arriving.
	last mono.Time // time of arrival of the latest frame from here
	in   []byte
	tags []uint64
}

// dial connects a party to an address. done receives the end after the handshakes, or nil and the
// error; the party's arrived is not called for it.
func (w *World) dial(from party, to netip.AddrPort, done func(e *end, h wire.Handshake, problem string)) {
	target := w.listeners[to]
	if target == nil {
		// Nobody was ever there, or the host vanished.
		w.after(dialTimeout, func() { done(nil, wire.Handshake{}, "no answer") })
		return
	}
	delay := w.trip(from, target)
	if w.parted(from, target) {
		w.after(dialTimeout, func() { done(nil, wire.Handshake{}, "no answer") })
		return
	}
	w.after(2*delay, func() {
		if w.listeners[to] != target {
			done(nil, wire.Handshake{}, "refused")
			return
		}
		a := w.connect(from, target, to)
		a.onShake = func(h wire.Handshake, problem string) {
			if problem != "" {
				done(nil, h, problem)
				return
			}
			done(a, h, "")
		}
	})
}

// connect creates a connection, with the dialler's handshake on its way, and returns the dialler's
// end.
func (w *World) connect(from, to party, at netip.AddrPort) *end {
	w.ports++
	a := &end{w: w, since: w.now, owner: from, remote: at, dialled: true}
	b := &end{w: w, since: w.now, owner: to, remote: netip.AddrPortFrom(from.host(), uint16(20000+w.ports%40000))}
	a.other, b.other = b, a
	b.deaf = to.deaf()
	a.greet()
	deadline := func(e *end) {
		w.after(handshakeTimeout, func() {
			if !e.shaken {
				e.cut("the handshake took too long")
			}
		})
	}
	deadline(a)
	deadline(b)
	return a
}

// greet sends our handshake, before anything else.
func (e *end) greet() { e.depart(frame{bytes: wire.AppendHandshake(nil, e.owner.handshake())}) }

// trip returns a random time of travel between two parties.
func (w *World) trip(from, to party) time.Duration {
	d := from.lag() + to.lag()
	return d + time.Duration(w.net.Int64N(int64(d)/8+1))
}

// parted reports whether a partition lies between two hosts.
func (w *World) parted(a, b party) bool {
	return w.healsAt > w.now && w.island[a.host()] != w.island[b.host()]
}

// write adds control bytes and blocks to the outbox.
func (e *end) write(control []byte, uploads []block.Ref) {
	if e.closed {
		return
	}
	e.control = append(e.control, control...)
	e.uploads = append(e.uploads, uploads...)
	e.owner.line().ready(e.w, e)
}

// takeBack drops the blocks that have not left. It returns how many these are, and what was written
// and not yet reported.
func (e *end) takeBack() (unsent, blocks int, bytes int64) {
	unsent, blocks, bytes = len(e.uploads), e.written, e.bytes
	e.uploads, e.written, e.bytes = nil, 0, 0
	return unsent, blocks, bytes
}

// hasWork reports whether something can leave.
func (e *end) hasWork() bool {
	return !e.closed && (len(e.control) > 0 || len(e.uploads) > 0 && !e.owner.stalled() && e.unread < socketBuffers)
}

// uplink is the upload capacity of a host, shared by its connections in turn.
type uplink struct {
	rate int64 // bytes a second; 0 is without bound
	busy bool
	turn []*end
}

func (u *uplink) ready(w *World, e *end) {
	if !e.queued && e.hasWork() {
		e.queued = true
		u.turn = append(u.turn, e)
	}
	u.pump(w)
}

// pump starts to send the next frame: all control bytes of an end, or one block.
func (u *uplink) pump(w *World) {
	for !u.busy && len(u.turn) > 0 {
		e := u.turn[0]
		u.turn = u.turn[1:]
		e.queued = false
		if !e.hasWork() {
			continue
		}
		u.busy = true
		var f frame
		size := len(e.control)
		if size > 0 {
			f.bytes = append(f.bytes, e.control...)
			e.control = e.control[:0]
		} else {
			ref := e.uploads[0]
			e.uploads = e.uploads[1:]
			f.block, f.tag = true, e.owner.tag(ref)
			f.bytes = wire.AppendPieceHeader(nil, ref)
			f.length = int64(ref.Length)
			size = len(f.bytes) + int(ref.Length)
		}
		var took time.Duration
		if u.rate > 0 {
			took = time.Duration(int64(size) * int64(time.Second) / u.rate)
		}
		w.after(took, func() {
			u.busy = false
			e.depart(f)
			u.ready(w, e)
		})
	}
}

// frame is sent in one go: whole messages, or the header and tag of a block.
type frame struct {
	bytes  []byte
	block  bool
	tag    uint64
	length int64
}

// depart sends a frame, and reports blocks.
func (e *end) depart(f frame) {
	if e.closed {
		return
	}
	if f.block {
		e.written++
		e.bytes += f.length
		e.lingers(f.length)
	}
	w, to := e.w, e.other
	if !e.void {
		arrival := w.now.Add(w.trip(e.owner, to.owner))
		if w.parted(e.owner, to.owner) {
			// Lost data is sent again until it gets through.
			arrival = w.healsAt.Add(w.trip(e.owner, to.owner))
		}
		// A stream keeps its order, and can arrive in parts.
		parts := [][]byte{f.bytes}
		if n := len(f.bytes); !f.block && n > 1 && w.net.IntN(8) == 0 {
			cut := 1 + w.net.IntN(n-1)
			parts = [][]byte{f.bytes[:cut], f.bytes[cut:]}
		}
		for i, part := range parts {
			e.last = max(e.last, arrival)
			w.at(e.last, func() { to.receive(part, f.block, f.tag) })
			if i+1 < len(parts) {
				// The rest is late, but delays what follows only for a while.
				arrival = arrival.Add(time.Duration(w.net.Int64N(int64(50 * time.Millisecond))))
			}
		}
	}
	if f.block && (e.written == burst || len(e.uploads) == 0) {
		blocks, bytes := e.written, e.bytes
		e.written, e.bytes = 0, 0
		e.owner.sent(e, blocks, bytes)
	}
}

// lingers keeps the bytes of a block in the kernels' buffers until an actor has read them.
func (e *end) lingers(bytes int64) {
	a, slow := e.other.owner.(*Actor)
	if !slow || a.Reads == 0 {
		return
	}
	e.unread += bytes
	if a.Reads < 0 {
		return
	}
	e.readAt = max(e.readAt, e.w.now).Add(time.Duration(bytes * int64(time.Second) / a.Reads))
	e.w.at(e.readAt, func() {
		e.unread -= bytes
		e.owner.line().ready(e.w, e)
	})
}

// receive reads what arrived, as a connection does.
func (e *end) receive(b []byte, isBlock bool, tag uint64) {
	if e.closed || e.deaf {
		return
	}
	e.in = append(e.in, b...)
	if isBlock {
		e.tags = append(e.tags, tag)
	}
	if !e.shaken && !e.shake() || e.closed {
		return
	}
	if err := e.parse(); err != nil {
		e.cut(err.Error())
		return
	}
	if !e.closed {
		e.owner.turn(e)
	}
}

// shake reads the other side's handshake, and reports whether it is complete.
func (e *end) shake() bool {
	if !wire.CouldBeHandshake(e.in) {
		e.cut("not a BitTorrent handshake")
		return false
	}
	if len(e.in) < wire.HandshakeLen {
		return false
	}
	h, err := wire.ParseHandshake(e.in)
	if err != nil || h.InfoHash != e.w.InfoHash {
		e.cut("another torrent")
		return false
	}
	e.in = e.in[:copy(e.in, e.in[wire.HandshakeLen:])]
	e.shaken = true
	if !e.dialled {
		e.greet()
	}
	if e.onShake != nil {
		e.onShake(h, "")
	} else {
		e.owner.arrived(e, h)
	}
	return true
}

// parse removes the whole messages from the input.
func (e *end) parse() error {
	read := 0
	defer func() { e.in = e.in[:copy(e.in, e.in[min(read, len(e.in)):])] }()
	for !e.closed {
		m, n, err := e.w.bounds.Decode(e.in[read:])
		if err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		var tag uint64
		if m.ID == wire.Piece {
			if len(e.tags) == 0 {
				return nil // the payload is still on its way
			}
			tag, e.tags = e.tags[0], e.tags[1:]
		}
		read += n
		e.owner.take(e, m, tag)
	}
	return nil
}

// close ends the connection from this side. The other side notices after everything sent has
// arrived.
func (e *end) close() {
	if e.closed {
		return
	}
	if e.shaken && len(e.control) > 0 {
		// The outbox is sent before the connection ends.
		e.depart(frame{bytes: e.control})
	}
	e.closed = true
	e.control, e.uploads = nil, nil
	to := e.other
	if to.closed || e.void {
		return
	}
	arrival := max(e.w.now.Add(e.w.trip(e.owner, to.owner)), e.last)
	if e.w.parted(e.owner, to.owner) {
		arrival = max(arrival, e.w.healsAt)
	}
	e.w.at(arrival, func() { to.gone("closed by the other side") })
}

// cut closes the end and tells its owner.
func (e *end) cut(reason string) {
	if !e.closed {
		e.close()
		e.tell(reason)
	}
}

// gone handles a close from the other side.
func (e *end) gone(reason string) {
	if !e.closed {
		e.closed = true
		e.control, e.uploads = nil, nil
		e.tell(reason)
	}
}

func (e *end) tell(reason string) {
	if e.onShake != nil && !e.shaken {
		e.onShake(wire.Handshake{}, reason)
		return
	}
	e.owner.lost(e, reason)
}

// reset breaks the connection for both sides at once.
func (e *end) reset() {
	other := e.other
	e.gone("connection reset")
	other.gone("connection reset")
}

// silence makes everything that is sent from now on vanish, in both directions.
func (e *end) silence() { e.void, e.other.void = true, true }
