package picker

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

const modelPeers = 6

// model drives a Picker by arbitrary but well-formed calls and keeps, in the
// plainest way there is, what must be true of the answers.
type model struct {
	now   mono.Time
	g     uniform
	p     *Picker
	has   [modelPeers]*bitfield.Bitfield
	asked [modelPeers]map[block.Ref]bool
	got   map[block.Ref]bool
	had   map[uint32]bool
}

func newModel(g uniform, cfg Config, rng *rand.Rand) *model {
	cfg.Geometry = g
	m := &model{
		now: mono.Start, g: g, p: New(cfg, bitfield.New(g.pieces), rng),
		got: map[block.Ref]bool{}, had: map[uint32]bool{},
	}
	for i := range m.asked {
		m.asked[i] = map[block.Ref]bool{}
	}
	return m
}

func (m *model) peers() iter.Seq2[Peer, *bitfield.Bitfield] {
	return func(yield func(Peer, *bitfield.Bitfield) bool) {
		for i, has := range m.has {
			if has != nil && !yield(Peer(i), has) {
				return
			}
		}
	}
}

func (m *model) ref(piece, index uint32) block.Ref {
	return block.Ref{Piece: piece, Begin: index * block.Size, Length: m.g.BlockSize(piece, index)}
}

// step does one thing, chosen by three bytes.
func (m *model) step(op, a, b byte) error {
	m.now = m.now.Add(time.Duration(b) * 100 * time.Millisecond)
	peer := int(a) % modelPeers
	piece := uint32(b) % m.g.pieces
	ref := m.ref(piece, uint32(a)/modelPeers%m.g.blocks)
	var err error
	switch op % 16 {
	case 0, 1:
		m.join(peer, b)
	case 2:
		m.leave(peer)
	case 3:
		switch {
		case m.has[peer] == nil:
		case m.has[peer].Set(piece):
			m.p.PeerHas(piece)
		default:
			for ref := range m.asked[peer] {
				if ref.Piece == piece {
					m.p.Abandon(Peer(peer), ref)
					delete(m.asked[peer], ref)
				}
			}
			m.p.PeerLost(m.has[peer], piece)
		}
	case 4, 5, 6, 7:
		err = m.pick(peer, int(b)%9)
	case 8, 9, 10:
		err = m.deliver(peer, a, b)
	case 11:
		err = m.receive(peer, ref)
	case 12:
		if got := m.p.Abandon(Peer(peer), ref); got != m.asked[peer][ref] {
			err = fmt.Errorf("peer %d abandons %v: %v, the model says %v", peer, ref, got, !got)
		}
		delete(m.asked[peer], ref)
	case 13:
		m.p.AbandonAll(Peer(peer))
		clear(m.asked[peer])
	case 14:
		m.checked(piece, a%4 != 0)
	case 15:
		m.undo(piece, a%2 == 0)
	}
	if err != nil {
		return err
	}
	return m.p.CheckInvariants(m.peers())
}

func (m *model) join(peer int, b byte) {
	next := bitfield.New(m.g.pieces)
	if b%4 == 0 {
		next.SetAll()
	}
	for i := range m.g.pieces {
		if (uint32(b)>>(i%8))&1 == 1 {
			next.Set(i)
		}
	}
	if m.has[peer] != nil {
		m.leave(peer) // sets that shrink under requests are the swarm's to refuse
	}
	m.has[peer] = next
	m.p.PeerBits(nil, next)
}

func (m *model) leave(peer int) {
	m.p.AbandonAll(Peer(peer))
	clear(m.asked[peer])
	m.p.PeerBits(m.has[peer], nil)
	m.has[peer] = nil
}

// free reports whether nobody is asked for a block and it has not arrived.
func (m *model) free(ref block.Ref) bool {
	if m.got[ref] || m.had[ref.Piece] {
		return false
	}
	for i := range m.asked {
		if m.asked[i][ref] {
			return false
		}
	}
	return true
}

func (m *model) pick(peer, n int) error {
	has := m.has[peer]
	if has == nil {
		return nil
	}
	freeBefore := m.countFree(has)
	cs := m.p.Pick(m.now, Peer(peer), has, n, Pace{}, nil)
	if len(cs) > n {
		return fmt.Errorf("asked for %d blocks, chose %d", n, len(cs))
	}
	for _, c := range cs {
		switch {
		case !has.Has(c.Ref.Piece):
			return fmt.Errorf("%v chosen of peer %d, which lacks the piece", c.Ref, peer)
		case m.had[c.Ref.Piece] || m.got[c.Ref]:
			return fmt.Errorf("%v chosen, which is here", c.Ref)
		case m.asked[peer][c.Ref]:
			return fmt.Errorf("%v chosen twice of peer %d", c.Ref, peer)
		case (c.Why == why.Endgame) == m.free(c.Ref):
			return fmt.Errorf("%v chosen for %v, free is %v", c.Ref, c.Why, m.free(c.Ref))
		case c.Why == why.Endgame && m.countFree(has) > 0 && !m.suspects():
			return fmt.Errorf("%v chosen for endgame while there are free blocks", c.Ref)
		}
		m.asked[peer][c.Ref] = true
	}
	if left := m.countDuplicable(peer); len(cs) < n && left > 0 && !m.suspects() {
		return fmt.Errorf("%d blocks chosen of %d wanted, and endgame has %d more for peer %d", len(cs), n, left, peer)
	}
	if len(cs) < min(n, freeBefore) && !m.suspects() && !m.p.full() {
		return fmt.Errorf("%d blocks chosen of %d wanted and %d free", len(cs), n, freeBefore)
	}
	return nil
}

func (m *model) countFree(has *bitfield.Bitfield) int {
	n := 0
	for i := range has.Pieces() {
		for j := range m.g.blocks {
			if m.free(m.ref(i, j)) {
				n++
			}
		}
	}
	return n
}

// countDuplicable counts the blocks that endgame may ask of the peer; there is
// no endgame while a connected peer has a free block.
func (m *model) countDuplicable(peer int) int {
	for _, has := range m.peers() {
		if m.countFree(has) > 0 {
			return 0
		}
	}
	n := 0
	for i := range m.has[peer].Pieces() {
		for j := range m.g.blocks {
			copies := 0
			for other := range m.asked {
				if m.asked[other][m.ref(i, j)] {
					copies++
				}
			}
			if copies > 0 && copies < m.p.cfg.EndgameCopies && !m.asked[peer][m.ref(i, j)] {
				n++
			}
		}
	}
	return n
}

func (m *model) suspects() bool { return len(m.p.begun.failures) > 0 }

// deliver has the peer send one of the blocks it was asked for, if any.
func (m *model) deliver(peer int, a, b byte) error {
	for i := range m.g.pieces {
		for j := range m.g.blocks {
			ref := m.ref((i+uint32(a))%m.g.pieces, (j+uint32(b))%m.g.blocks)
			if m.asked[peer][ref] {
				return m.receive(peer, ref)
			}
		}
	}
	return nil
}

func (m *model) receive(peer int, ref block.Ref) error {
	missing := !m.got[ref] && !m.had[ref.Piece]
	got, asked, others := m.p.Received(Peer(peer), uint32(peer)+1, ref, nil)
	if asked != m.asked[peer][ref] {
		return fmt.Errorf("%v from peer %d: asked is %v", ref, peer, asked)
	}
	if got != Wanted {
		if missing && !m.suspects() || asked {
			return fmt.Errorf("%v from peer %d is %v, it was missing: %v", ref, peer, got, missing)
		}
		return nil
	}
	if !missing {
		return fmt.Errorf("%v from peer %d is wanted again", ref, peer)
	}
	delete(m.asked[peer], ref)
	for _, other := range others {
		if !m.asked[other][ref] {
			return fmt.Errorf("%v: a cancel to peer %d, which was not asked", ref, other)
		}
		delete(m.asked[other], ref)
	}
	for i := range m.asked {
		if m.asked[i][ref] {
			return fmt.Errorf("%v: no cancel to peer %d", ref, i)
		}
	}
	m.got[ref] = true
	return nil
}

// checked ends a piece that is all here, well or badly.
func (m *model) checked(piece uint32, ok bool) {
	for j := range m.g.blocks {
		if !m.got[m.ref(piece, j)] {
			return
		}
	}
	if ok {
		m.p.Verified(piece)
		m.had[piece] = true
	} else {
		m.p.Failed(piece)
	}
	m.forget(piece)
}

// undo loses what is here of a piece.
func (m *model) undo(piece uint32, had bool) {
	if had {
		m.lose(piece)
	} else if !m.had[piece] {
		m.p.Forget(piece)
		m.forget(piece)
	}
}

// lose has a piece lost, and peers counted anew when none was missing.
func (m *model) lose(piece uint32) {
	all := m.p.Missing() == 0
	m.p.Lost(piece)
	delete(m.had, piece)
	if all {
		for _, has := range m.peers() {
			m.p.PeerBits(nil, has)
		}
	}
}

func (m *model) forget(piece uint32) {
	for j := range m.g.blocks {
		delete(m.got, m.ref(piece, j))
	}
}

// run plays the bytes as steps.
func (m *model) run(ops []byte) error {
	for i := 0; i+3 <= len(ops); i += 3 {
		if err := m.step(ops[i], ops[i+1], ops[i+2]); err != nil {
			return fmt.Errorf("step %d (%d %d %d): %w", i/3, ops[i], ops[i+1], ops[i+2], err)
		}
	}
	return nil
}

func TestRandomOperations(t *testing.T) {
	for seed := range uint64(60) {
		rng := rand.New(rand.NewPCG(seed, 1))
		g := uniform{1 + rng.Uint32N(30), 1 + rng.Uint32N(6)}
		cfg := Config{EndgameCopies: rng.IntN(4)}
		if rng.IntN(3) == 0 {
			cfg.MaxStarted = 1 + rng.IntN(20)
		}
		ops := make([]byte, 3*600)
		for i := range ops {
			ops[i] = byte(rng.Uint32())
		}
		if err := newModel(g, cfg, rng).run(ops); err != nil {
			t.Errorf("seed %d, %+v: %v", seed, g, err)
		}
	}
}

func FuzzOperations(f *testing.F) {
	f.Add(byte(3), byte(2), []byte{0, 0, 4, 4, 0, 8, 8, 0, 0, 8, 0, 0, 14, 1, 0})
	f.Add(byte(1), byte(3), []byte{0, 0, 4, 0, 1, 4, 4, 0, 3, 4, 1, 8, 9, 1, 0, 9, 1, 0, 9, 1, 0, 14, 0, 0, 4, 2, 8})
	f.Add(byte(20), byte(1), []byte{0, 0, 255, 3, 0, 1, 13, 0, 0, 15, 0, 1, 2, 0, 0})
	f.Fuzz(func(t *testing.T, pieces, blocks byte, ops []byte) {
		g := uniform{1 + uint32(pieces)%40, 1 + uint32(blocks)%6}
		if len(ops) > 3*2000 {
			ops = ops[:3*2000]
		}
		if err := newModel(g, Config{}, rand.New(rand.NewPCG(1, 2))).run(ops); err != nil {
			t.Fatal(err)
		}
	})
}

// Whatever peers have, reject, leave unanswered until a time-out, or spoil: as
// long as together they have every piece, the torrent gets complete, and at the
// end nothing is left over.
func TestEverySwarmCompletes(t *testing.T) {
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 2))
		g := uniform{1 + rng.Uint32N(40), 1 + rng.Uint32N(5)}
		cfg := Config{MaxStarted: 1 + rng.IntN(40), EndgameCopies: 1 + rng.IntN(3)}
		m := newModel(g, cfg, rng)
		for i := range m.has {
			m.has[i] = bitfield.New(g.pieces)
		}
		for i := range g.pieces { // each piece has an owner, some have several
			m.has[rng.IntN(modelPeers)].Set(i)
			m.has[rng.IntN(modelPeers)].Set(i)
		}
		for _, has := range m.has {
			m.p.PeerBits(nil, has)
		}
		rounds := 0
		for ; !m.p.Complete() && rounds < 4000; rounds++ {
			if err := m.round(rng); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if s := m.p.Stats(); !m.p.Complete() || s.Requests != 0 || s.Started != 0 || s.Offered != 0 {
			t.Errorf("seed %d: after %d rounds: %+v", seed, rounds, s)
		}
	}
}

// round lets one peer be asked, and then send, reject or time out.
func (m *model) round(rng *rand.Rand) error {
	peer := rng.IntN(modelPeers)
	if err := m.pick(peer, 1+rng.IntN(8)); err != nil {
		return err
	}
	m.now = m.now.Add(time.Second)
	var err error
	switch luck := rng.IntN(10); {
	case luck < 6:
		for range rng.IntN(8) {
			if e := m.deliver(peer, byte(rng.Uint32()), byte(rng.Uint32())); e != nil {
				err = e
			}
		}
	case luck < 8:
		m.p.AbandonAll(Peer(peer))
		clear(m.asked[peer])
	}
	for i := range m.g.pieces {
		m.checked(i, rng.IntN(20) > 0)
	}
	if err != nil {
		return err
	}
	return m.p.CheckInvariants(m.peers())
}
