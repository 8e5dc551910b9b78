package swarm

import (
	"net/netip"

	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/wire"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// extended takes a message of the extension protocol (BEP 10): its handshake, or a message
// with the id that we announced for it. It ignores what it can't parse, as deployed clients
// do, and counts it like unknown messages.
func (s *Swarm) extended(p *peer, m wire.Message) {
	if m.Ext == 0 {
		s.theirExtensions(p, m.Body)
		return
	}
	var err error
	x, _ := wire.Arrived(m.Ext)
	switch x {
	case wire.UTMetadata:
		err = s.theirMetadata(p, m.Body)
	case wire.UTPex:
		err = s.theirPex(p, m.Body)
	case wire.DontHave:
		err = s.theirDontHave(p, m.Body)
	case wire.Holepunch:
		err = s.theirPunch(p, m.Body)
	case wire.UploadOnly:
		err = s.theirUploadOnly(p, m.Body)
	default:
		p.theirs.notUnderstood()
	}
	if err != nil {
		p.theirs.notUnderstood()
	}
}

// ourExtensions returns the messages that we take, with the ids that we announce for them.
func (s *Swarm) ourExtensions() wire.IDs {
	ids := wire.OurIDs(wire.DontHave, wire.UploadOnly, wire.UTPex)
	if s.cfg.Private {
		ids[wire.UTPex] = 0
	}
	if s.magnet != nil || s.metaBytes() > 0 {
		ids[wire.UTMetadata] = wire.OurIDs(wire.UTMetadata)[wire.UTMetadata]
	}
	return ids
}

// theirExtensions takes a handshake of the extension protocol, the first or a later one.
func (s *Swarm) theirExtensions(p *peer, body []byte) {
	if p.theirs.ext.Update(body) == nil && p.theirs.ext.Reqq > 0 {
		// Some clients silently drop requests when they hold exactly reqq of them.
		p.download.window.SetMax(int(p.theirs.ext.Reqq - p.theirs.ext.Reqq/8))
	}
	if p.theirs.ext.YourIP.IsValid() && p.theirs.firstVote() {
		s.effect(Effect{Kind: SeenAs, Peer: p.key, Addr: netip.AddrPortFrom(p.theirs.ext.YourIP, 0)})
	}
	s.pexSpoken(p)
	s.fetchFrom(p)
	if p.out.gone {
		return
	}
	s.partIfUseless(p)
	if p.theirs.ext.Port != 0 && !p.dialled && !p.listens.IsValid() {
		// It dialled us. Now we know its address as others would name it, and need not dial
		// it.
		p.listensAt(addrWithPort(p.addr, p.theirs.ext.Port))
		s.book.Add(s.now, peerbook.Incoming, p.listens, nil)
		s.book.Connected(s.now, p.listens)
	}
}

// noteExtended records a message of the extension protocol by its name.
func (s *Swarm) noteExtended(p *peer, m wire.Message) {
	r, what := record(why.None), "extension handshake"
	if m.Ext != 0 {
		x, _ := wire.Arrived(m.Ext)
		what = x.String()
		switch x {
		case wire.UTMetadata:
			what = noteMetadata(&r, m.Body)
		case wire.UTPex:
			what = "peer exchange"
			if m, err := wire.ParsePex(m.Body); err == nil {
				r.N = int64(len(m.Added) + len(m.Dropped))
			}
		case wire.DontHave:
			if piece, err := wire.ParseDontHave(m.Body); err == nil {
				r.Piece = int64(piece)
			}
		}
	}
	s.note(trace.Received, trace.Peer, p, what, r)
}
