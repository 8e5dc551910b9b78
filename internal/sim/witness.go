package sim

import (
	"errors"
	"fmt"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// silence is well below the 120 s after which deployed clients disconnect a silent peer: a swarm
// must write more often.
const silence = 100 * time.Second

// witness watches one connection of a node from outside: it sees the bytes and knows nothing about
// the swarm's decisions. It holds the swarm to BEP 3, and to BEP 6 where both sides speak it.
type witness struct {
	n    *Node
	e    *end
	fast bool // both sides speak the fast extension (BEP 6)

	// What we sent.
	said       int // number of messages
	unchoked   bool
	interested bool
	have       *bitfield.Bitfield
	lastWrote  mono.Time

	// What they sent.
	unchokedUs bool
	theirs     *bitfield.Bitfield
	reqq       uint32
	allowed    map[uint32]bool // pieces that they let us request while they choke us
	granted    map[uint32]bool // pieces that we let them request

	asked  map[block.Ref]bool // our unanswered requests
	late   map[block.Ref]int  // our requests that were cancelled or choked away; the blocks can still arrive
	theyed map[block.Ref]int  // their unanswered requests
	came   map[block.Ref]int  // requested blocks that arrived
}

func newWitness(n *Node, e *end) *witness {
	return &witness{
		n: n, e: e, lastWrote: n.w.now,
		have: bitfield.New(n.w.Geometry.Pieces), theirs: bitfield.New(n.w.Geometry.Pieces),
		asked: make(map[block.Ref]bool), late: make(map[block.Ref]int), theyed: make(map[block.Ref]int), came: make(map[block.Ref]int),
		allowed: make(map[uint32]bool), granted: make(map[uint32]bool),
	}
}

// received handles a message of theirs, before the swarm does.
func (x *witness) received(m wire.Message) {
	switch m.ID {
	case wire.Choke:
		x.unchokedUs = false
		if x.fast {
			break // each is still answered
		}
		// The order does not matter: each entry is moved by itself.
		for ref := range x.asked {
			x.late[ref]++
		}
		clear(x.asked)
	case wire.Unchoke:
		x.unchokedUs = true
	case wire.Have:
		x.theirs.Set(m.Piece)
	case wire.HaveAll:
		x.theirs = x.n.w.Full()
	case wire.HaveNone:
		x.theirs = bitfield.New(x.theirs.Len())
	case wire.AllowedFast:
		x.allowed[m.Piece] = true
	case wire.Reject:
		if ref := m.Ref(); x.late[ref] > 0 {
			x.late[ref]--
		} else {
			delete(x.asked, ref)
		}
	case wire.Bitfield:
		if b, err := bitfield.FromWire(m.Body, x.theirs.Len()); err == nil {
			x.theirs = b
		}
	case wire.Request:
		if x.unchoked || x.fast {
			x.theyed[m.Ref()]++
		}
	case wire.Cancel:
		if !x.fast {
			x.theyed[m.Ref()] = 0
		}
	case wire.Extended:
		if m.Ext == 0 {
			var ext wire.Extensions
			if ext.Update(m.Body) == nil && ext.Reqq > 0 {
				x.reqq = ext.Reqq
			}
		}
	case wire.Piece:
		ref := m.Ref()
		if o, ok := x.e.other.owner.(*Node); ok && !x.fast && !x.unchokedUs && o.honest() {
			x.n.w.failf("%s got block %v of %s after a choke", x.n.spec.Name, ref, o.spec.Name)
		}
		switch {
		case x.asked[ref]:
			delete(x.asked, ref)
			x.came[ref]++
		case x.late[ref] > 0:
			x.late[ref]--
			x.came[ref]++
		}
	}
}

// stored checks that the swarm requested a block that it kept.
func (x *witness) stored(ref block.Ref) error {
	if x.came[ref] == 0 {
		return fmt.Errorf("block %v was kept and never asked for", ref)
	}
	return nil
}

// wrote checks the swarm's output: messages first, then blocks.
func (x *witness) wrote(out swarm.Out) error {
	if gap := x.n.w.now.Sub(x.lastWrote); gap > silence {
		return fmt.Errorf("the swarm sent nothing for %v", gap)
	}
	x.lastWrote = x.n.w.now
	first := x.said == 0
	b := out.Bytes
	for len(b) > 0 {
		m, n, err := x.n.w.bounds.Decode(b)
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("half a message: %x", b)
		}
		b = b[n:]
		if err := x.judge(m); err != nil {
			return fmt.Errorf("%s: %w", m.ID, err)
		}
		if m.ID.Fast() && !x.fast {
			return fmt.Errorf("%s to a peer that does not speak the fast extension", m.ID)
		}
		if first && x.fast && x.said == 0 && m.ID != wire.Bitfield && m.ID != wire.HaveAll && m.ID != wire.HaveNone {
			return fmt.Errorf("%s before what we have", m.ID)
		}
		x.said++
	}
	for _, ref := range out.Uploads {
		switch {
		case !x.unchoked && !x.granted[ref.Piece]:
			return fmt.Errorf("block %v to a peer that is choked", ref)
		case !x.n.disk.verified.Has(ref.Piece):
			return fmt.Errorf("block %v of a piece that is not verified", ref)
		case !x.have.Has(ref.Piece):
			return fmt.Errorf("block %v of a piece that we never said we have", ref)
		case x.theyed[ref] == 0:
			return fmt.Errorf("block %v was not asked for, or taken back", ref)
		}
		x.theyed[ref]--
	}
	if x.fast && !x.unchoked {
		// The order does not matter: any entry is an error.
		for ref, n := range x.theyed {
			if n > 0 && !x.granted[ref.Piece] {
				return fmt.Errorf("they are choked, and %d requests for %v have had no answer", n, ref)
			}
		}
	}
	return nil
}

func (x *witness) judge(m wire.Message) error {
	switch m.ID {
	case wire.Choke, wire.Unchoke:
		unchoke := m.ID == wire.Unchoke
		if x.unchoked == unchoke {
			return errors.New("said twice")
		}
		x.unchoked = unchoke
		if !unchoke && !x.fast {
			clear(x.theyed)
		}
	case wire.Interested, wire.NotInterested:
		interested := m.ID == wire.Interested
		if x.interested == interested {
			return errors.New("said twice")
		}
		x.interested = interested
		if interested && !x.theirs.HasAny(x.n.disk.verified) {
			return errors.New("they have nothing that we lack")
		}
	case wire.Bitfield, wire.HaveAll, wire.HaveNone:
		// A node that started with an info-hash alone sends it once it knows the pieces.
		if x.said > 0 && !(x.n.spec.Magnet && x.have.None()) {
			return errors.New("it is not the first message")
		}
		have := bitfield.New(x.have.Len())
		switch {
		case m.ID == wire.HaveAll:
			have.SetAll()
		case m.ID == wire.HaveNone && x.fast:
			return nil
		case m.ID == wire.Bitfield:
			var err error
			if have, err = bitfield.FromWire(m.Body, have.Len()); err != nil {
				return err
			}
		}
		if have.None() || have.HasAny(x.n.disk.verified) {
			return fmt.Errorf("says %v, verified are %v", have, x.n.disk.verified)
		}
		x.have = have
	case wire.Have:
		if !x.n.disk.verified.Has(m.Piece) {
			return fmt.Errorf("piece %d is not verified", m.Piece)
		}
		if !x.have.Set(m.Piece) {
			return fmt.Errorf("piece %d was announced before", m.Piece)
		}
	case wire.Request:
		ref := m.Ref()
		switch {
		case !x.unchokedUs && !x.allowed[ref.Piece]:
			return fmt.Errorf("%v, and they choke us", ref)
		case !x.interested:
			return fmt.Errorf("%v, and we never said that we are interested", ref)
		case !x.theirs.Has(ref.Piece):
			return fmt.Errorf("%v, which they do not have", ref)
		case x.n.disk.verified.Has(ref.Piece):
			return fmt.Errorf("%v, which we have", ref)
		case x.asked[ref]:
			return fmt.Errorf("%v is asked twice", ref)
		}
		if err := x.n.mayAsk(ref.Piece); err != nil {
			return fmt.Errorf("%v, %w", ref, err)
		}
		x.asked[ref] = true
		if x.reqq > 0 && len(x.asked) > int(x.reqq) {
			return fmt.Errorf("%d requests, they keep %d", len(x.asked), x.reqq)
		}
	case wire.Cancel:
		ref := m.Ref()
		switch {
		case x.asked[ref]:
			delete(x.asked, ref)
			x.late[ref]++
		case x.late[ref] == 0:
			// A choke at the same moment has taken it back already.
			return fmt.Errorf("%v was not asked", ref)
		}
	case wire.Port:
		if x.n.spec.Private || !x.n.spec.DHT {
			return errors.New("there is no DHT node to name")
		}
	case wire.Reject:
		ref := m.Ref()
		if x.theyed[ref] == 0 {
			return fmt.Errorf("%v was not asked for, or is answered", ref)
		}
		x.theyed[ref]--
	case wire.AllowedFast:
		x.granted[m.Piece] = true
	case wire.Suggest:
		if !x.have.Has(m.Piece) || x.theirs.Has(m.Piece) {
			return fmt.Errorf("piece %d: we said that we have it is %v, they have it is %v", m.Piece, x.have.Has(m.Piece), x.theirs.Has(m.Piece))
		}
	case wire.Extended, wire.KeepAlive:
	default:
		return errors.New("it is none of ours")
	}
	return nil
}
