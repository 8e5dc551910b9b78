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

// A swarm may begin with only an info-hash (BEP 9). It seeks peers, dials them and speaks the
// extension protocol as usual, and fetches the metadata. Without the metadata it has no
// pieces, so it only remembers in early what peers announce about pieces. Known makes it a
// normal swarm and keeps its connections.
//
//	no metadata --(effect Metadata)--> files are opened --(Known)--> normal

// leftUnknown is what we announce to trackers as left while the size is unknown: 0 would mean
// a seed, and trackers send no seeds to a seed.
const leftUnknown = 16384

// magnet is the state of a swarm without metadata (decision 0088).
type magnet struct {
	fetch *metadata.Machine // nil once the metadata is here
	raw   []byte            // the metadata; nil until then
}

// early is what a peer announced about its pieces before we know how many there are: one bit
// a piece, whatever message announced it.
type early struct {
	all   bool
	exact bool // bits is a bitfield as received, so its length counts
	bits  []byte
}

// NoMetadata reports whether the metadata is still missing, or Known was not yet called.
func (s *Swarm) NoMetadata() bool { return s.magnet != nil }

// Metadata returns the metadata that the Metadata effect announces.
func (s *Swarm) Metadata() []byte {
	if s.magnet == nil {
		return s.cfg.Metadata
	}
	return s.magnet.raw
}

// Fetched returns how much of the metadata we have, and its size as peers claim it, for
// display.
func (s *Swarm) Fetched() metadata.Progress {
	if s.magnet == nil || s.magnet.fetch == nil {
		n := int64(len(s.Metadata()))
		return metadata.Progress{Got: n, Size: n, Limit: cmp.Or(s.cfg.MaxMetadata, metadata.DefaultLimit)}
	}
	return s.magnet.fetch.Progress()
}

// before takes a message of a peer while the metadata is unknown.
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

// set adds one piece.
func (e *early) set(piece uint32) {
	if e.all {
		return
	}
	if n := int(piece/8) + 1; n > len(e.bits) {
		if e.exact {
			return // beyond its own bitfield; Known rejects the peer if that is too short
		}
		e.bits = append(e.bits, make([]byte, n-len(e.bits))...)
	}
	e.bits[piece/8] |= 0x80 >> (piece % 8)
}

// lost removes a piece (BEP 54).
func (e *early) lost(piece uint32) {
	if e != nil && int(piece/8) < len(e.bits) {
		e.bits[piece/8] &^= 0x80 >> (piece % 8)
	}
}

// pieces returns the announced set, now that we know how many pieces there are.
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

// fetchFrom tells the metadata machine what a peer announces about the metadata.
func (s *Swarm) fetchFrom(p *peer) {
	if s.magnet == nil || s.magnet.fetch == nil {
		return
	}
	if p.theirs.ext.IDs.Speaks(wire.UTMetadata) {
		s.magnet.fetch.Peer(s.now, metadata.Key(p.key), p.theirs.ext.MetaBytes)
	} else {
		s.magnet.fetch.Gone(s.now, metadata.Key(p.key))
	}
	s.fetchMore()
}

// fetchMore does what the metadata machine decided.
func (s *Swarm) fetchMore() {
	f := s.magnet.fetch
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
				s.shutOut(p.addr, record(a.Why), "it sent wrong metadata")
			case metadata.Drop:
				s.drop(p, a.Why, "its metadata messages make no sense")
			}
		}
	}
	s.wakeBy(f.Deadline())
	if raw := f.Raw(); raw != nil {
		s.magnet.fetch, s.magnet.raw = nil, raw
		if s.tracing() {
			r := trace.Record{Piece: trace.No, Block: trace.No}
			r.N = int64(len(raw))
			s.note(trace.Did, trace.Torrent, nil, "metadata", r)
		}
		s.effect(Effect{Kind: Metadata})
	}
}

// tickFetch does what is due in fetching the metadata.
func (s *Swarm) tickFetch() {
	if s.magnet == nil || s.magnet.fetch == nil {
		return
	}
	if s.now >= s.magnet.fetch.Deadline() {
		s.magnet.fetch.Tick(s.now)
	}
	s.fetchMore()
}

// allowed are the sources of peers that a private torrent may use.
const allowed = peerbook.Manual | peerbook.Tracker

// Private says that the received metadata made the torrent private (BEP 27): from now on its
// peers come from its trackers and the user alone, and we drop the others (decision 0090).
func (s *Swarm) Private(now mono.Time) {
	s.now = now
	s.cfg.Private = true
	s.search.at = mono.Never
	for p := range s.peers.all() {
		// A peer that dialled us may have our address from anywhere. If it belongs to the
		// torrent, it finds us again through the tracker.
		if !p.dialled || s.book.Sources(p.addr)&allowed == 0 {
			s.drop(p, why.Private, "")
		}
	}
	for p := range s.peers.all() {
		p.theirs.endPex()
	}
	// order does not show: each dial is looked at by itself
	for addr, d := range s.dials {
		d.foreign = s.book.Sources(addr)&allowed == 0
		s.dials[addr] = d
	}
	s.book.Keep(allowed)
}

// Known is what a swarm that began with an info-hash learns once its metadata is here and its
// files were examined.
type Known struct {
	Geometry   metainfo.Geometry
	Have       *bitfield.Bitfield // verified pieces; the Swarm takes it over
	Metadata   []byte
	Priorities []uint8               // as in SetPriorities
	Web        func() webplan.Config // as in Config
}

// Known turns a swarm that began with an info-hash into a normal one. Its peers stay, and the
// pieces that they announced count from now on.
func (s *Swarm) Known(now mono.Time, k Known) {
	s.now = now
	if s.magnet == nil {
		return
	}
	s.magnet = nil
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
