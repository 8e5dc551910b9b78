package swarm

import (
	"shoal/internal/trace"
	"shoal/internal/why"
	"shoal/internal/wire"
)

// theirMetadata takes a ut_metadata message (BEP 9). A request is answered: every
// one that we can't serve is rejected, so that nobody waits for it.
func (s *Swarm) theirMetadata(p *peer, body []byte) error {
	m, err := wire.ParseMetadata(body)
	if err != nil || m.Type != wire.MetadataRequest || !p.ext.IDs.Speaks(wire.UTMetadata) {
		return err
	}
	s.sayMetadata(p, wire.Metadata{Type: wire.MetadataReject, Piece: m.Piece}, why.TheyAsked)
	return nil
}

func (s *Swarm) sayMetadata(p *peer, m wire.Metadata, w why.Why) {
	p.out = wire.AppendMetadata(p.out, p.ext.IDs[wire.UTMetadata], m)
	if s.tracing() {
		r := bare(w)
		s.note(trace.Sent, trace.Peer, p, metadataWords(&r, m), r)
	}
	s.touch(p)
}

// noteMetadata puts a ut_metadata message into words, and its piece into r.
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
