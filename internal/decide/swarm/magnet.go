package swarm

import (
	"cmp"
	"fmt"
	"slices"

	"shoal/internal/decide/swarm/metadata"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/decide/swarm/picker"
	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
	"shoal/metainfo"
)

// A swarm may begin with nothing but an info-hash (BEP 9). It looks for peers, dials,
// and speaks the extension protocol as ever; but it has no pieces, so whatever is about
// pieces is only remembered, in early, and the metadata is fetched. Known makes it a
// swarm like any other, with its connections.
//
//	bare: no metadata --(effect Metadata)--> bare: files are opened --(Known)--> any other

// leftUnknown is what trackers are told to be missing while the size is not known: 0
// would be a seed, who gets no seeds.
const leftUnknown = 16384

// magnet is what a swarm has while it has no metadata (decision 0088).
type magnet struct {
	fetch *metadata.Machine // nil once the metadata is there
	raw   []byte            // the metadata
}

// early is what a peer said of its pieces before it was known how many there are.
// However it is said, it is kept as one bit a piece.
type early struct {
	all   bool
	exact bool // bits is a bitfield as it came, so its length counts
	bits  []byte
}

// Bare reports whether the metadata is still missing, or Known has not been called.
func (s *Swarm) Bare() bool { return s.bare != nil }

// Metadata gives the metadata that the effect of that name tells of.
func (s *Swarm) Metadata() []byte {
	if s.bare == nil {
		return s.cfg.Metadata
	}
	return s.bare.raw
}

// Fetched says how much of the metadata has come, and how large it is, as far as peers
// are to be believed; for showing.
func (s *Swarm) Fetched() metadata.Progress {
	if s.bare == nil || s.bare.fetch == nil {
		n := int64(len(s.Metadata()))
		return metadata.Progress{Got: n, Size: n, Limit: cmp.Or(s.cfg.MaxMetadata, metadata.DefaultLimit)}
	}
	return s.bare.fetch.Progress()
}

// before takes a message of a peer while it is not known what there is.
func (s *Swarm) before(p *peer, m wire.Message, b *block.Block) {
	e := p.theirs.beforeMetadata()
	switch m.ID {
	case wire.Have:
		if m.Piece >= metainfo.MaxPieces {
			s.drop(p, why.Protocol, fmt.Sprintf("it has piece %d, and no torrent has more than %d", m.Piece, metainfo.MaxPieces))
			return
		}
		e.set(m.Piece)
	case wire.Bitfield:
		if len(m.Body) > bitfield.WireLen(metainfo.MaxPieces) {
			s.drop(p, why.Protocol, fmt.Sprintf("a bitfield of %d bytes", len(m.Body)))
			return
		}
		*e = early{bits: slices.Clone(m.Body), exact: true}
	case wire.HaveAll, wire.HaveNone:
		*e = early{all: m.ID == wire.HaveAll}
	case wire.Choke, wire.Unchoke:
		p.theirs.chokes(m.ID == wire.Choke)
	case wire.Interested, wire.NotInterested:
		p.theirs.wants(m.ID == wire.Interested)
	case wire.Piece:
		s.effect(Effect{Kind: Discard, Block: b})
	case wire.Request:
		if p.upload.refuse() {
			s.drop(p, why.Protocol, "it keeps asking for what it cannot get")
			return
		}
		s.reject(p, m.Ref(), why.NoMetadata)
	}
}

// set takes one more piece.
func (e *early) set(piece uint32) {
	if e.all {
		return
	}
	if n := int(piece/8) + 1; n > len(e.bits) {
		if e.exact {
			return // out of its own range; found out when the range is known
		}
		e.bits = append(e.bits, make([]byte, n-len(e.bits))...)
	}
	e.bits[piece/8] |= 0x80 >> (piece % 8)
}

// lost takes a piece back (BEP 54).
func (e *early) lost(piece uint32) {
	if e != nil && int(piece/8) < len(e.bits) {
		e.bits[piece/8] &^= 0x80 >> (piece % 8)
	}
}

// pieces gives the set that was said, now that it is known how many there are.
func (e *early) pieces(n uint32) (*bitfield.Bitfield, error) {
	have := bitfield.New(n)
	switch {
	case e == nil:
	case e.all:
		have.SetAll()
	default:
		bits := e.bits
		if missing := bitfield.WireLen(n) - len(bits); missing > 0 && !e.exact {
			bits = append(bits, make([]byte, missing)...)
		}
		return bitfield.FromWire(bits, n)
	}
	return have, nil
}

// fetchFrom tells the machine that fetches what a peer says of the metadata.
func (s *Swarm) fetchFrom(p *peer) {
	if s.bare == nil || s.bare.fetch == nil {
		return
	}
	if p.theirs.ext.IDs.Speaks(wire.UTMetadata) {
		s.bare.fetch.Peer(s.now, metadata.Key(p.key), p.theirs.ext.MetaBytes)
	} else {
		s.bare.fetch.Gone(s.now, metadata.Key(p.key))
	}
	s.fetchMore()
}

// fetchMore does what the machine that fetches the metadata decided.
func (s *Swarm) fetchMore() {
	f := s.bare.fetch
	for acts := slices.Clone(f.Take()); len(acts) > 0; acts = slices.Clone(f.Take()) {
		for _, a := range acts {
			p := s.peers.byKey[PeerKey(a.Key)]
			if p == nil {
				continue
			}
			switch a.Kind {
			case metadata.Ask:
				s.sayMetadata(p, wire.Metadata{Type: wire.MetadataRequest, Piece: a.Piece}, a.Why)
			case metadata.Ban:
				s.shutOut(p.addr, bare(a.Why), "it sent wrong metadata")
			case metadata.Drop:
				s.drop(p, a.Why, "its metadata messages make no sense")
			}
		}
	}
	s.due(f.Deadline())
	if raw := f.Raw(); raw != nil {
		s.bare.fetch, s.bare.raw = nil, raw
		if s.tracing() {
			r := trace.Record{Piece: trace.No, Block: trace.No}
			r.N = int64(len(raw))
			s.note(trace.Did, trace.Torrent, nil, "metadata", r)
		}
		s.effect(Effect{Kind: Metadata})
	}
}

// tickFetch does what is due of fetching the metadata.
func (s *Swarm) tickFetch() {
	if s.bare == nil || s.bare.fetch == nil {
		return
	}
	if s.now >= s.bare.fetch.Deadline() {
		s.bare.fetch.Tick(s.now)
	}
	s.fetchMore()
}

// allowed are the sources of peers of a private torrent.
const allowed = peerbook.Manual | peerbook.Tracker

// Private says that the torrent turned out to be private, when its metadata came
// (BEP 27): from now on its peers come from its trackers and from the user alone, and
// those that may not are dropped (decision 0090).
func (s *Swarm) Private(now mono.Time) {
	s.now = now
	s.cfg.Private = true
	s.search.at = mono.Never
	for p := range s.peers.all() {
		// Who dialled us may have our address from anywhere. It finds us again through
		// the tracker if it may.
		if !p.dialled || s.book.Sources(p.addr)&allowed == 0 {
			s.drop(p, why.Private, "")
		}
	}
	for p := range s.peers.all() {
		p.theirs.endPex()
	}
	// order does not show: each is looked at by itself
	for addr, d := range s.dials {
		d.foreign = s.book.Sources(addr)&allowed == 0
		s.dials[addr] = d
	}
	s.book.Keep(allowed)
}

// Known is what a swarm is told that began with an info-hash, once its metadata came and
// its files were looked at.
type Known struct {
	Geometry   metainfo.Geometry
	Have       *bitfield.Bitfield // taken over
	Metadata   []byte
	Priorities []uint8               // as in SetPriorities
	Web        func() webplan.Config // as in Config
}

// Known makes a swarm like any other of one that began with an info-hash. Its peers
// stay, and what they said of their pieces counts from now on.
func (s *Swarm) Known(now mono.Time, k Known) {
	s.now = now
	if s.bare == nil {
		return
	}
	s.bare = nil
	s.cfg.Geometry, s.cfg.Metadata = k.Geometry, k.Metadata
	s.picker = picker.New(picker.Config{Geometry: k.Geometry, EndgameAfter: endgameAfter}, k.Have, s.rng)
	if k.Priorities != nil {
		s.picker.SetPriorities(k.Priorities)
	}
	s.cfg.Web = k.Web
	s.goal.begins(s.Complete(), s.needs(), s.picker.Missing() > 0)
	if s.goal.completed {
		s.effect(Effect{Kind: Complete})
	}
	for p := range s.peers.all() {
		have, said, err := p.theirs.metadataKnown(k.Geometry.Pieces)
		if err != nil {
			s.drop(p, why.Protocol, err.Error())
			continue
		}
		p.download.lookAgain()
		s.picker.SetTrial(p.slot, true)
		if !s.picker.Bitfield().None() {
			s.sayHave(p)
		}
		s.sayExtensions(p, why.MetadataKnown)
		if said {
			s.theySay(p, have)
		}
		s.partIfUseless(p)
	}
	s.freed = true
	s.slots.reopen()
	if s.started && !s.files.suspended && !s.stopped {
		s.Tick(now)
	}
}
