package swarm

import (
	"bytes"
	"fmt"
	"net/netip"

	"shoal/internal/decide/swarm/metadata"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/decide/swarm/superseed"
	"shoal/internal/format/wire"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// Arrival is a connection whose handshakes are done.
type Arrival struct {
	Addr      netip.AddrPort // remote address
	Dialled   bool           // we dialled it, after a Dial effect for Addr
	Handshake wire.Handshake // handshake of the peer
}

// Joined takes a connection whose handshakes are done. It drops ourselves, a second
// connection to the same peer, a peer with another id than the tracker promised, a banned
// address, and a connection above the limit. A peer that stays gets our pieces. The handshake
// that we sent has the bit of the fast extension.
func (s *Swarm) Joined(now mono.Time, key PeerKey, a Arrival) {
	s.now = now
	p := newPeer(now, key, a, !s.book.SeenRecently(now, a.Addr), s.cfg.Geometry.Pieces)
	if a.Handshake.Reserved.Fast() {
		p.fast = new(fast)
	}
	expect, dialling := s.dials[a.Addr]
	if a.Dialled {
		delete(s.dials, a.Addr)
	}
	if s.tracing() {
		s.noteHandshakes(p, expect.why)
	}
	if a.Dialled || !dialling {
		s.book.Connected(now, a.Addr)
	}
	s.contacts.joined(a.Dialled)
	switch {
	case s.stopped:
		s.refuse(p, why.Stopping, "the torrent is stopped")
	case s.files.suspended:
		s.refuse(p, s.files.suspendedFor, "")
	case p.id == s.cfg.PeerID:
		if a.Dialled {
			s.book.Self(a.Addr)
		}
		s.refuse(p, why.SelfConnect, "this is our own peer id")
	case a.Dialled && expect.expects && expect.expectID != p.id:
		// BEP 3: the peer id must be the one the tracker gave.
		s.refuse(p, why.WrongPeerID, "its peer id is not the one the tracker gave")
	case s.book.Banned(a.Addr):
		s.refuse(p, why.Banned, "its address is banned")
	case a.Dialled && expect.foreign:
		s.refuse(p, why.Private, "")
		s.book.Keep(allowed)
	case s.collapse(p):
		// The older connection to the same peer was kept.
	case s.peers.count >= s.cfg.MaxPeers && !s.makePlace(p):
		s.refuse(p, why.NoRoom, "")
	default:
		s.welcome(p)
	}
}

// noteHandshakes records both handshakes in the order in which they were sent: the side that
// dialled sends first.
func (s *Swarm) noteHandshakes(p *peer, dialled why.Why) {
	theirs := trace.Record{Piece: trace.No, Block: trace.No, Text: wire.ClientName(p.id)}
	if !p.dialled {
		s.note(trace.Received, trace.Peer, p, "handshake", theirs)
		s.note(trace.Sent, trace.Peer, p, "handshake", record(why.TheyAsked))
		return
	}
	s.note(trace.Sent, trace.Peer, p, "handshake", record(dialled))
	s.note(trace.Received, trace.Peer, p, "handshake", theirs)
}

// collapse decides which of two connections to the same peer stays. Both sides must come to
// the same answer: of two connections in opposite directions the one that the larger peer id
// dialled stays; of two in the same direction the older one. It reports whether p was the one
// refused (decision 0035).
func (s *Swarm) collapse(p *peer) bool {
	for q := range s.peers.all() {
		if q.id != p.id {
			continue
		}
		weLarger := bytes.Compare(s.cfg.PeerID[:], p.id[:]) > 0
		if p.dialled != q.dialled && p.dialled == weLarger {
			s.drop(q, why.Duplicate, "another connection to this peer is kept")
			s.sameAs(p, q)
			return false
		}
		s.refuse(p, why.Duplicate, "there is a connection to this peer already")
		s.sameAs(q, p)
		return true
	}
	return false
}

// sameAs notes that kept also listens at the address of a connection that we gave up: while
// kept is there, we need not dial that address.
func (s *Swarm) sameAs(kept, other *peer) {
	if kept.dialled {
		s.book.Connected(s.now, kept.addr)
	}
	addr := other.listens
	if other.dialled {
		addr = other.addr
	}
	switch {
	case !addr.IsValid() || kept.dialled && kept.addr == addr:
	case !kept.listens.IsValid() || kept.listens == addr:
		kept.listensAt(addr)
		s.book.Connected(s.now, addr)
	}
}

// refuse ends a connection that never became a peer of the swarm.
func (s *Swarm) refuse(p *peer, w why.Why, text string) {
	p.out.close()
	s.contacts.Turned++
	s.book.Closed(s.now, p.addr, false)
	if s.tracing() {
		s.note(trace.Did, trace.Peer, p, "close", trace.Record{Piece: trace.No, Block: trace.No, Why: w, Text: text})
	}
	s.effect(Effect{Kind: Drop, Peer: p.key, Addr: p.addr, Why: w, Text: text})
}

func (s *Swarm) welcome(p *peer) {
	p.trust.remember(s.slots.account(p.addr))
	s.peers.seat(p)
	s.picker.SetTrial(p.slot, true)
	if s.peers.count == 1 {
		s.slots.nextRound(s.now.Add(chokeInterval))
		s.wakeBy(s.slots.roundAt)
	}
	s.wakeBy(s.now.Add(speaksAfter))
	s.wakeBy(s.now.Add(keepAliveAfter))

	s.dealing.stale = true
	if s.maskFor() {
		p.mask = &masked{told: bitfield.New(s.cfg.Geometry.Pieces)}
		if !s.dealing.masks {
			s.dealing.masks, s.dealing.dealer = true, nil // the super-seeding dealer starts over
		}
	}
	s.sayHave(p)
	s.sayExtensions(p, why.HandshakeDone)
	// BEP 5: PORT follows when both sides set the DHT bit; it names the DHT of the family
	// that carries the message (BEP 32). BEP 27: a private torrent does not use the DHT.
	if port := s.cfg.dhtPort(p.addr); p.reserved.DHT() && port != 0 && !s.cfg.Private {
		r := record(why.HandshakeDone)
		r.N = int64(port)
		s.say(p, wire.AppendPort(p.out.bytes, port), "port", r)
	}
	s.touch(p)
}

// sayExtensions sends the handshake of the extension protocol (BEP 10), at first and whenever
// we begin or cease to want anything (BEP 21): a peer that skips files is complete for
// itself, and only this handshake says so.
func (s *Swarm) sayExtensions(p *peer, w why.Why) {
	if !p.reserved.Extensions() {
		return
	}
	bytes := wire.AppendExtensions(p.out.bytes, wire.Extensions{
		IDs:        s.ourExtensions(),
		MetaBytes:  s.metaBytes(),
		Client:     s.cfg.Client,
		Reqq:       ourReqq,
		Port:       s.cfg.port(p.addr.Addr()),
		UploadOnly: !s.wants() && p.mask == nil,
		YourIP:     p.addr.Addr().Unmap(),
	})
	r := record(w)
	r.N = ourReqq
	s.say(p, bytes, "extension handshake", r)
}

// Left says that a connection has ended, for any reason. After a Drop effect it changes
// nothing.
func (s *Swarm) Left(now mono.Time, key PeerKey, reason string) {
	s.now = now
	if p := s.peers.byKey[key]; p != nil {
		if s.tracing() {
			s.note(trace.Did, trace.Peer, p, "gone", trace.Record{Piece: trace.No, Block: trace.No, Text: reason})
		}
		s.remove(p)
	}
}

// drop ends a connection and forgets the peer.
func (s *Swarm) drop(p *peer, w why.Why, text string) {
	if p.out.gone {
		return
	}
	if s.tracing() {
		s.note(trace.Did, trace.Peer, p, "close", trace.Record{Piece: trace.No, Block: trace.No, Why: w, Text: text})
	}
	s.effect(Effect{Kind: Drop, Peer: p.key, Addr: p.addr, Why: w, Text: text})
	s.remove(p)
}

func (s *Swarm) remove(p *peer) {
	p.out.close()
	s.peers.remove(p)
	if s.magnet != nil && s.magnet.fetch != nil {
		s.magnet.fetch.Gone(s.now, metadata.Key(p.key))
	}
	if s.dealing.dealer != nil {
		s.dealing.dealer.Leave(superseed.Peer(p.slot), p.theirs.have)
	}
	s.dealing.stale = true
	s.picker.AbandonAll(p.slot)
	s.picker.PeerBits(p.theirs.have, nil)
	s.freed = true
	s.slots.left(p)
	useful := p.download.down.Total() > 0 || p.upload.up.Total() > 0
	for _, addr := range [...]netip.AddrPort{p.addr, p.listens} {
		if addr.IsValid() {
			s.book.Closed(s.now, addr, useful)
			if s.useless(p) {
				s.book.Parted(s.now, addr)
			}
		}
	}
	if s.peers.count == 0 {
		s.slots.nextRound(mono.Never)
		s.peers.release()
		s.scratch = nil
		s.dealing.dealer, s.dealing.masks = nil, false
		if !s.needs() {
			s.slots.forgetAccounts()
		}
	}
}

// Found takes addresses from a source. ids, when not nil, holds one promised peer id for each
// address; an empty id promises nothing.
func (s *Swarm) Found(now mono.Time, src peerbook.Source, addrs []netip.AddrPort, ids [][]byte) {
	s.now = now
	if s.stopped || (s.cfg.Private && src != peerbook.Manual && src != peerbook.Tracker) {
		return
	}
	for i, a := range addrs {
		var id []byte
		if i < len(ids) {
			id = ids[i]
		}
		s.book.Add(now, src, a, id)
	}
}

// port returns where we listen for peers of a's address family; 0 when we do not.
func (c *Config) port(a netip.Addr) uint16 {
	if a.Unmap().Is6() {
		return c.Port6
	}
	return c.Port
}

// dhtPort returns the port of our node in the DHT of the peer's address family; 0 when we
// have no node there.
func (c *Config) dhtPort(p netip.AddrPort) uint16 {
	if p.Addr().Unmap().Is6() {
		return c.DHTPort6
	}
	return c.DHTPort
}

// External sets our address as the world sees it. The peer book ranks addresses by it and
// theirs from now on (BEP 40). After a change we soon search and announce again: the DHT
// still hands out the old address.
func (s *Swarm) External(now mono.Time, addr netip.Addr) {
	s.now = now
	s.book.External(netip.AddrPortFrom(addr, s.cfg.port(addr)))
	old := &s.search.external[0]
	if addr.Is6() {
		old = &s.search.external[1]
	}
	moved := old.IsValid() && *old != addr
	*old = addr
	if moved && s.started && s.searches() && !s.inactive() && !s.search.running {
		s.search.moved, s.search.at = true, now
		s.wakeBy(now)
	}
}

// DialFailed says that a Dial effect failed; reason puts it into words.
func (s *Swarm) DialFailed(now mono.Time, addr netip.AddrPort, fault Fault, reason string) {
	s.now = now
	d, ok := s.dials[addr]
	if !ok {
		return
	}
	delete(s.dials, addr)
	s.contacts.failed(fault)
	s.book.Failed(now, addr)
	if d.foreign {
		s.book.Keep(allowed)
	}
	if s.tracing() {
		s.note(trace.Did, trace.Peer, &peer{identity: identity{addr: addr}}, "dial failed", trace.Record{Piece: trace.No, Block: trace.No, Text: reason})
	}
}

// PutOff says that the engine did not follow a Dial effect, because it has reached its limit
// of connections.
func (s *Swarm) PutOff(now mono.Time, addr netip.AddrPort) {
	s.now = now
	if _, ok := s.dials[addr]; !ok {
		return
	}
	delete(s.dials, addr)
	s.contacts.Dialled-- // the dial never started
	s.book.PutOff(now, addr)
	if s.tracing() {
		s.note(trace.Did, trace.Peer, &peer{identity: identity{addr: addr}}, "dial put off", record(why.NoRoom))
	}
}

// Room says that the engine may have room for one more connection. It reports whether we dial
// a peer for it.
func (s *Swarm) Room(now mono.Time) bool {
	s.now = now
	if s.stopped || s.inactive() || s.full() || !s.book.Recover(now) {
		return false
	}
	s.wakeBy(now)
	return true
}

// tickPeer does what is due for one peer and sets its deadlines.
func (s *Swarm) tickPeer(p *peer) {
	if s.now >= p.theirs.lastHeard.Add(silentAfter) {
		s.drop(p, why.Silent, fmt.Sprintf("nothing was heard for %v", silentAfter))
		return
	}
	s.wakeBy(p.theirs.lastHeard.Add(silentAfter))
	if s.now >= p.out.lastSent.Add(keepAliveAfter) {
		p.out.keptAlive(s.now)
		s.say(p, wire.AppendKeepAlive(p.out.bytes), "keep-alive", record(why.KeepAlive))
	}
	s.wakeBy(p.out.lastSent.Add(keepAliveAfter))
	if by := p.joined.Add(speaksAfter); s.now < by {
		s.wakeBy(by) // the peer may count as vacant then
	}
	s.tickRequests(p)
	s.tickFast(p)
	s.tickParts(p)
	s.tickPex(p)
}
