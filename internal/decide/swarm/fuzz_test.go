package swarm

import (
	"crypto/sha1"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/blame"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/wire"
	"shoal/internal/testkit"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/metainfo"
)

// FuzzSwarm drives a swarm with any sequence of inputs that the engine could
// give it, drawn from bytes, and looks at its invariants after each.
func FuzzSwarm(f *testing.F) {
	f.Fuzz(func(t *testing.T, script []byte) {
		m := newMonkey(t, script)
		for m.left() && !m.s.stopped {
			m.step()
			m.flush()
		}
		m.s.Stop(m.now)
		m.flush()
		if !m.s.Idle() && m.s.peers.count > 0 || m.s.Deadline() != mono.Never {
			t.Fatalf("stopped, with %d peers and a deadline", m.s.peers.count)
		}
	})
}

// monkey plays engine, disk and peers by the bytes of a script.
type monkey struct {
	t      *testing.T
	script []byte
	s      *Swarm
	geo    metainfo.Geometry
	now    mono.Time

	keys   []PeerKey // given so far
	flight map[PeerKey]int
	later  []func() // what the writers tell of
	dials  []netip.AddrPort
	asked  []announce.Request
	disk   map[uint32][]bool // blocks stored
	full   []uint32          // pieces to be checked
	blocks int               // given and neither stored nor discarded
	search bool
}

func newMonkey(t *testing.T, script []byte) *monkey {
	m := &monkey{t: t, script: script, now: mono.Start, flight: map[PeerKey]int{}, disk: map[uint32][]bool{}}
	pieces := 1 + uint32(m.dice(9))
	length := uint32(1+m.dice(4)) * block.Size
	m.geo = metainfo.Geometry{Total: int64(pieces)*int64(length) - int64(m.dice(200)), PieceLength: length, Pieces: pieces}
	cfg := Config{
		PeerID: [20]byte{3}, Geometry: m.geo, Client: "shoal", Port: 6881, Have: m.some(),
		Private: m.dice(8) == 0, SeedOnly: m.dice(8) == 0, Slots: 1 + m.dice(3), MaxPeers: 1 + m.dice(8), HalfOpen: 1 + m.dice(3),
		SuperSeed: SuperSeed(m.dice(3)),
	}
	if m.dice(2) == 0 {
		cfg.DHTPort = 6881
	}
	if m.dice(2) == 0 {
		cfg.Tiers = [][]string{{"http://a.example/announce"}, {"http://b.example/announce"}}
	}
	seed := uint64(m.dice(256))
	if m.dice(6) == 0 {
		cfg.Geometry, cfg.Have, cfg.Private, cfg.NoMetadata = metainfo.Geometry{}, nil, false, true
		cfg.InfoHash = sha1.Sum(m.meta())
	} else {
		cfg.Metadata = m.meta()
	}
	m.s = New(cfg, m.now, rand.New(rand.NewPCG(seed, 1)))
	m.s.Start(m.now)
	m.flush()
	return m
}

// meta is a metadata of two parts.
func (m *monkey) meta() []byte { return testkit.Pattern(wire.MetadataPiece + 100) }

// known has the swarm of an info-hash learn what there is.
func (m *monkey) known() {
	if m.dice(2) == 0 {
		m.s.Private(m.now)
	}
	m.s.Known(m.now, Known{Geometry: m.geo, Have: m.some(), Metadata: m.meta()})
}

func (m *monkey) left() bool { return len(m.script) > 0 }

// dice gives the next byte of the script, below n.
func (m *monkey) dice(n int) int {
	if len(m.script) == 0 {
		return 0
	}
	b := int(m.script[0])
	m.script = m.script[1:]
	return b % n
}

func (m *monkey) some() *bitfield.Bitfield {
	have := bitfield.New(m.geo.Pieces)
	for i, bits := uint32(0), m.dice(256)|m.dice(256)<<8; i < m.geo.Pieces; i++ {
		if bits>>i&1 == 1 {
			have.Set(i)
		}
	}
	return have
}

func (m *monkey) piece() uint32 { return uint32(m.dice(int(m.geo.Pieces))) }

func (m *monkey) ref() block.Ref {
	piece := m.piece()
	return m.geo.Block(piece, uint32(m.dice(int(m.geo.Blocks(piece)))))
}

func (m *monkey) key() (PeerKey, bool) {
	if len(m.keys) == 0 {
		return 0, false
	}
	// Mostly the latest, sometimes one that may be gone.
	return m.keys[max(0, len(m.keys)-1-m.dice(8))], true
}

func (m *monkey) addr() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{203, 0, 113, byte(1 + m.dice(12))}), 6881)
}

func (m *monkey) step() {
	if m.s.NoMetadata() && m.dice(16) == 0 {
		m.known()
		return
	}
	switch m.dice(16) {
	case 0, 1:
		m.join()
	case 2:
		if key, ok := m.key(); ok && m.dice(4) == 0 {
			m.s.Left(m.now, key, "gone")
		}
	case 3:
		m.now = m.now.Add(time.Duration(m.dice(256)) * 200 * time.Millisecond)
		m.tick()
	case 4:
		m.now = m.now.Add(time.Duration(m.dice(256)) * time.Millisecond)
		m.tick()
	case 5:
		src := []peerbook.Source{peerbook.Manual, peerbook.Tracker, peerbook.DHT}[m.dice(3)]
		m.s.Found(m.now, src, []netip.AddrPort{m.addr(), m.addr()}, [][]byte{nil, make([]byte, 20*m.dice(2))})
	case 6:
		if m.dice(2) == 0 {
			m.outside()
		} else {
			m.user()
		}
	case 7, 8:
		m.check()
	case 9:
		if key, ok := m.key(); ok && m.flight[key] > 0 {
			n := 1 + m.dice(m.flight[key])
			m.flight[key] -= n
			m.s.Sent(m.now, key, n, int64(n)*block.Size)
		}
	default:
		m.message()
	}
}

func (m *monkey) tick() {
	if m.s.Deadline() <= m.now {
		m.s.Tick(m.now)
		m.flush()
		if m.s.Deadline() <= m.now {
			m.t.Fatalf("a tick at %v left a deadline at %v", m.now, m.s.Deadline())
		}
	}
}

func (m *monkey) join() {
	m.keys = append(m.keys, PeerKey(len(m.keys)+1))
	key := m.keys[len(m.keys)-1]
	a := Arrival{Addr: m.addr(), Handshake: wire.Handshake{PeerID: [20]byte{byte(m.dice(7))}}}
	a.Handshake.Reserved[5], a.Handshake.Reserved[7] = byte(m.dice(256)), byte(m.dice(256))
	if len(m.dials) > 0 && m.dice(2) == 0 {
		a.Addr, a.Dialled = m.dials[0], true
		m.dials = m.dials[1:]
	}
	m.s.Joined(m.now, key, a)
}

// outside is what trackers, the DHT, the disk and the user may say.
func (m *monkey) outside() {
	switch m.dice(6) {
	case 0:
		if len(m.dials) > 0 {
			m.s.DialFailed(m.now, m.dials[0], FaultRefused, "refused")
			m.dials = m.dials[1:]
		}
	case 1:
		if m.search {
			m.search = false
			m.s.Searched(m.now, m.dice(9))
		}
	case 2:
		if len(m.asked) > 0 {
			r := announce.Result{URL: m.asked[0].URL, Scrape: m.asked[0].Scrape, Event: m.asked[0].Event, Interval: time.Minute, Seeders: -1, Leechers: -1}
			if m.dice(2) == 0 {
				r.Err = "no answer"
			}
			m.asked = m.asked[1:]
			m.s.Announced(m.now, r)
		}
	case 3:
		m.s.SetSlots(m.dice(4))
	case 4:
		if m.dice(4) == 0 {
			m.s.Lost(m.now, m.piece())
		}
	case 5:
		if m.dice(16) == 0 {
			m.s.Stop(m.now)
		}
	}
}

// user is what the user, readers and the keeper of the files may say.
func (m *monkey) user() {
	switch m.dice(6) {
	case 0:
		prio := make([]uint8, m.geo.Pieces)
		for i := range prio {
			prio[i] = uint8(m.dice(5))
		}
		m.s.SetPriorities(m.now, prio)
	case 1:
		m.s.SetPriorities(m.now, nil)
	case 2, 3:
		from := m.piece()
		m.s.Urge(m.now, uint32(m.dice(3)), from, from+uint32(m.dice(5)))
	case 4:
		m.s.Hold(m.now, m.dice(2) == 0)
	case 5:
		switch m.dice(4) {
		case 0:
			m.s.Suspend(m.now, m.dice(2) == 0)
		default:
			m.s.Regained(m.now, m.piece())
		}
	}
}

// check ends the hashing of a piece in one of three ways.
func (m *monkey) check() {
	if len(m.full) == 0 {
		return
	}
	piece := m.full[0]
	m.full = m.full[1:]
	how := m.dice(4)
	sums := make([]blame.Sum, m.geo.Blocks(piece))
	for i := range sums {
		sums[i] = blame.Sum{byte(piece), byte(i), byte(m.dice(1 + 3*(how&1)))}
	}
	delete(m.disk, piece)
	switch how {
	case 0:
		m.s.WriteFailed(m.now, piece)
	case 1:
		m.s.Checked(m.now, piece, false, sums)
	default:
		m.s.Checked(m.now, piece, true, sums)
	}
}

// message has a peer say something, within what a connection lets through.
func (m *monkey) message() {
	key, ok := m.key()
	if !ok {
		return
	}
	msg := wire.Message{ID: []wire.ID{
		wire.Choke, wire.Unchoke, wire.Unchoke, wire.Interested, wire.NotInterested, wire.Have, wire.Bitfield,
		wire.Request, wire.Request, wire.Cancel, wire.Piece, wire.Piece, wire.Piece, wire.Port, wire.Extended, wire.KeepAlive, 77,
		wire.HaveAll, wire.HaveNone, wire.Suggest, wire.AllowedFast, wire.AllowedFast, wire.Reject, wire.Reject,
	}[m.dice(24)]}
	var b *block.Block
	switch msg.ID {
	case wire.Have, wire.Suggest, wire.AllowedFast:
		msg.Piece = m.piece()
	case wire.Bitfield:
		msg.Body = m.some().AppendWire(nil)
	case wire.Request, wire.Cancel, wire.Reject:
		r := m.ref()
		// Mostly what we asked for.
		if p := m.s.peers.byKey[key]; msg.ID == wire.Reject && p != nil && p.download.requests.len() > 0 && m.dice(8) > 0 {
			r = p.download.requests.live()[m.dice(p.download.requests.len())].ref
		}
		msg.Piece, msg.Begin, msg.Length = r.Piece, r.Begin, r.Length
	case wire.Piece:
		r := m.ref()
		// Mostly what was asked for.
		if p := m.s.peers.byKey[key]; p != nil && p.download.requests.len() > 0 && m.dice(8) > 0 {
			r = p.download.requests.live()[m.dice(p.download.requests.len())].ref
		}
		msg.Piece, msg.Begin, msg.Length = r.Piece, r.Begin, r.Length
		b = &block.Block{}
		m.blocks++
	case wire.Port:
		msg.Port = uint16(m.dice(256))
	case wire.Extended:
		if msg.Ext = uint8(m.dice(8)); msg.Ext != 0 {
			msg.Body = m.extension(msg.Ext)
			break
		}
		msg.Body = []byte([]string{theirAll, "d1:md11:ut_metadatai110ee13:metadata_sizei16484ee", "d1:pi6881ee", "d11:upload_onlyi1ee", "d11:upload_onlyi0e4:reqqi7ee", "nonsense"}[m.dice(6)])
	}
	if err := wire.BoundsOf(m.geo, m.geo.Pieces).Check(msg); err != nil {
		m.t.Fatalf("%+v: %v", msg, err)
	}
	m.s.Message(m.now, key, msg, b)
}

// extension makes the body of an extension message.
func (m *monkey) extension(id uint8) []byte {
	var b []byte
	switch x, _ := wire.Arrived(id); x {
	case wire.DontHave:
		b = wire.AppendExtended(nil, id, binary.BigEndian.AppendUint32(nil, m.piece()))
	case wire.UploadOnly:
		b = wire.AppendExtended(nil, id, []byte{byte(m.dice(2))})
	case wire.Holepunch:
		b = wire.AppendPunch(nil, id, wire.Punch{Addr: m.addr()})
	case wire.UTPex:
		b = wire.AppendPex(nil, id, wire.Pex{Added: []wire.PexPeer{{Addr: m.addr()}}, Dropped: []netip.AddrPort{m.addr()}})
	case wire.UTMetadata:
		msg := wire.Metadata{Type: wire.MetadataType(m.dice(3)), Piece: uint32(m.dice(3)), Total: int64(len(m.meta()))}
		if msg.Type == wire.MetadataData && m.dice(4) > 0 {
			msg.Data = m.meta()[min(int(msg.Piece)*wire.MetadataPiece, len(m.meta())):]
			msg.Data = msg.Data[:min(len(msg.Data), wire.MetadataPiece)]
		}
		b = wire.AppendMetadata(nil, id, msg)
	default:
		return []byte("nonsense")
	}
	return b[6:]
}

// flush takes what comes out, and looks at everything.
func (m *monkey) flush() {
	for _, f := range m.later {
		f()
	}
	m.later = m.later[:0]
	m.s.Flush(func(key PeerKey, out Out) {
		if n := m.flight[key]; out.TakeBack {
			m.later = append(m.later, func() { m.s.Unsent(m.now, key, n) })
			m.flight[key] = 0
		}
		if n := len(out.Parts); n > 0 {
			m.later = append(m.later, func() { m.s.PartsSent(m.now, key, n) })
		}
		m.flight[key] += len(out.Uploads)
		for b := slices.Concat(out.Bytes, slices.Concat(out.Parts...)); len(b) > 0; {
			_, n, err := wire.BoundsOf(m.geo, m.geo.Pieces).Decode(b)
			if err != nil || n == 0 {
				m.t.Fatalf("it says %x: %v", b, err)
			}
			b = b[n:]
		}
	})
	for _, e := range m.s.Effects() {
		m.perform(e)
	}
	if m.blocks != 0 {
		m.t.Fatalf("%d blocks were neither stored nor given back", m.blocks)
	}
	if err := m.s.CheckInvariants(); err != nil {
		m.t.Fatal(err)
	}
}

func (m *monkey) perform(e Effect) {
	switch e.Kind {
	case Store:
		m.blocks--
		got := m.disk[e.Ref.Piece]
		if got == nil {
			got = make([]bool, m.geo.Blocks(e.Ref.Piece))
			m.disk[e.Ref.Piece] = got
		}
		if got[e.Ref.Index()] {
			m.t.Fatalf("block %v stored twice", e.Ref)
		}
		got[e.Ref.Index()] = true
		for _, x := range got {
			if !x {
				return
			}
		}
		m.full = append(m.full, e.Ref.Piece)
	case Discard:
		m.blocks--
	case Forget:
		delete(m.disk, e.Piece)
	case Dial:
		m.dials = append(m.dials, e.Addr)
	case Announce:
		m.asked = append(m.asked, e.Request)
	case FindPeers:
		if m.search {
			m.t.Fatal("two searches at once")
		}
		m.search = true
	}
}
