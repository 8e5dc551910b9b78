package swarm

import (
	"shoal/internal/decide/swarm/metadata"
	"shoal/internal/format/wire"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// theirMetadata takes a ut_metadata message (BEP 9).
func (s *Swarm) theirMetadata(p *peer, body []byte) error {
	m, err := wire.ParseMetadata(body)
	if err != nil {
		return err
	}
	if m.Type == wire.MetadataRequest {
		s.metadataRequested(p, m.Piece)
		return nil
	}
	if s.magnet == nil || s.magnet.fetch == nil {
		return nil // the message is late, or we already have the metadata
	}
	switch key := metadata.Key(p.key); m.Type {
	case wire.MetadataData:
		s.magnet.fetch.Data(s.now, key, m.Piece, m.Total, m.Data)
	case wire.MetadataReject:
		s.magnet.fetch.Rejected(s.now, key, m.Piece)
	}
	s.fetchMore()
	return nil
}

// metaBytes returns the metadata size that we announce to peers; 0: we do not serve it. We do
// not serve that of a private torrent: its users have it from the tracker's site (decision
// 0090).
func (s *Swarm) metaBytes() int64 {
	if s.cfg.Private {
		return 0
	}
	return int64(len(s.cfg.Metadata))
}

// metadataRequested takes a request for a part of the metadata. It answers every request: it
// rejects what we can't serve, so that no peer waits.
func (s *Swarm) metadataRequested(p *peer, piece uint32) {
	if !p.theirs.ext.IDs.Speaks(wire.UTMetadata) {
		p.theirs.notUnderstood() // we have no id to answer it with
		return
	}
	if int64(piece)*wire.MetadataPiece >= s.metaBytes() {
		s.sayMetadata(p, wire.Metadata{Type: wire.MetadataReject, Piece: piece}, why.TheyAsked)
		return
	}
	if !p.upload.metadata().Asked(s.now, piece, uint32((s.metaBytes()+wire.MetadataPiece-1)/wire.MetadataPiece)) {
		s.sayMetadata(p, wire.Metadata{Type: wire.MetadataReject, Piece: piece}, why.TooMany)
		return
	}
	s.tickParts(p)
}

// tickParts sends a peer the parts of the metadata whose turn it is.
func (s *Swarm) tickParts(p *peer) {
	if p.upload.parts == nil {
		return
	}
	for {
		piece, ok := p.upload.parts.Next(s.now)
		if !ok {
			break
		}
		from := int64(piece) * wire.MetadataPiece
		if from >= s.metaBytes() || !p.theirs.ext.IDs.Speaks(wire.UTMetadata) {
			p.upload.parts.Sent(1)
			continue // the torrent is private now, or the peer switched ut_metadata off
		}
		raw := s.cfg.Metadata
		m := wire.Metadata{
			Type: wire.MetadataData, Piece: piece, Total: int64(len(raw)),
			Data: raw[from:min(from+wire.MetadataPiece, int64(len(raw)))],
		}
		p.out.part(wire.AppendMetadata(nil, p.theirs.ext.IDs[wire.UTMetadata], m))
		r := record(why.TheyAsked)
		what := metadataWords(&r, m)
		s.say(p, p.out.bytes, what, r)
	}
	s.wakeBy(p.upload.parts.Deadline())
}

// PartsSent says that parts of the metadata were written to a peer.
func (s *Swarm) PartsSent(now mono.Time, key PeerKey, parts int) {
	s.now = now
	if p := s.peers.byKey[key]; p != nil && p.upload.parts != nil {
		p.upload.parts.Sent(parts)
		s.tickParts(p)
	}
}

// sayMetadata sends a ut_metadata message to a peer that speaks it.
func (s *Swarm) sayMetadata(p *peer, m wire.Metadata, w why.Why) {
	r := record(w)
	what := metadataWords(&r, m)
	s.say(p, wire.AppendMetadata(p.out.bytes, p.theirs.ext.IDs[wire.UTMetadata], m), what, r)
}

// noteMetadata returns the trace words of a ut_metadata message, and puts its piece into r.
func noteMetadata(r *trace.Record, body []byte) string {
	m, err := wire.ParseMetadata(body)
	if err != nil {
		return wire.UTMetadata.String()
	}
	return metadataWords(r, m)
}

func metadataWords(r *trace.Record, m wire.Metadata) string {
	if m.Type == wire.MetadataUnknown {
		return "metadata message of an unknown type"
	}
	r.Piece, r.N = int64(m.Piece), int64(len(m.Data))
	return [...]string{"metadata request", "metadata", "metadata reject"}[m.Type]
}
