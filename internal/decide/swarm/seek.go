package swarm

import (
	"net/netip"
	"time"

	"shoal/internal/decide/swarm/announce"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// search schedules the searches for peers in the DHT. A search also announces us, so it
// continues while seeding.
type search struct {
	at      mono.Time
	running bool
	gap     time.Duration // time until the next search while peers are short
	done    int           // searches that have ended
	moved   bool          // our address has changed since the latest search
	urged   bool          // the user wants the next search
	began   mono.Time     // time of the latest search

	external [2]netip.Addr // our addresses as the world sees them: IPv4, IPv6
}

// We repeat a search soon while it finds no peers, because a swarm or the DHT around us may
// be just starting, then less and less often. Nodes keep our announce for half an hour or
// more, so we repeat it well before that.
const (
	firstGap    = 2 * time.Second
	longestGap  = 5 * time.Minute
	searchEvery = 15 * time.Minute
	// fewPeers is how many connections are too few to wait for searchEvery.
	fewPeers = 8
	// fewHolders is how many nodes should hold our announce; the K closest nodes do when
	// there are that many.
	fewHolders = 4
)

// searches reports whether this torrent may use the DHT at all.
func (s *Swarm) searches() bool { return (s.cfg.DHTPort != 0 || s.cfg.DHTPort6 != 0) && !s.cfg.Private }

// Searched says that a FindPeers effect has ended, and how many nodes hold our announce.
func (s *Swarm) Searched(now mono.Time, holders int) {
	s.now = now
	s.search.running = false
	if s.inactive() || !s.searches() { // its metadata may have made it private meanwhile
		return
	}
	s.search.done++
	wait := searchEvery
	if holders < fewHolders || (s.wants() && s.peers.count < fewPeers) {
		s.search.gap = min(max(2*s.search.gap, firstGap), longestGap)
		wait = s.search.gap
	} else {
		s.search.gap = 0
	}
	s.search.at = now.Add(wait)
	s.wakeBy(s.search.at)
}

// needPeers reports whether there are too few connections.
func (s *Swarm) needPeers() bool {
	return s.wants() && !s.files.held && s.peers.count+len(s.dials) < min(fewPeers, s.cfg.MaxPeers)
}

// seek looks for peers and dials known addresses.
func (s *Swarm) seek() {
	if s.inactive() || !s.started {
		return
	}
	s.trackers.NeedPeers(s.now, s.needPeers())
	s.trackers.Seeking(s.needs())
	s.trackers.Partial(!s.needs() && s.picker.Missing() > 0)
	s.trackers.Tick(s.now)
	for _, r := range s.trackers.Take() {
		s.announce(r)
	}
	s.wakeBy(s.trackers.Deadline())

	if s.searches() && !s.search.running && s.now >= s.search.at {
		s.search.running, s.search.began = true, s.now
		w := why.NeedPeers
		switch {
		case s.search.urged:
			w = why.UserAsked
		case s.search.done == 0:
			w = why.FirstAnnounce
		case s.search.moved:
			w = why.Moved
		case !s.needPeers():
			w = why.Periodic
		}
		s.search.moved, s.search.urged = false, false
		if s.tracing() {
			s.note(trace.Did, trace.DHT, nil, "look for peers", record(w))
		}
		s.effect(Effect{Kind: FindPeers, Why: w})
	}
	if !s.search.running {
		s.wakeBy(s.search.at)
	}
	s.dialMore()
}

// dialMore dials known addresses while there is room.
func (s *Swarm) dialMore() {
	for len(s.dials) < s.cfg.HalfOpen {
		if s.full() && (s.slots.turn.dials == 0 || s.book.Available(s.now) == 0) || !s.roomToDial() {
			return
		}
		c, ok := s.book.Next(s.now)
		if !ok {
			s.wakeBy(s.book.Deadline())
			return
		}
		if s.dials == nil {
			s.dials = make(map[netip.AddrPort]dial)
		}
		s.dials[c.Addr] = dial{expectID: c.ExpectID, expects: c.HasID, why: c.Why}
		if s.tracing() {
			s.note(trace.Did, trace.Peer, &peer{identity: identity{addr: c.Addr}}, "dial", record(c.Why))
		}
		s.contacts.Dialled++
		s.effect(Effect{Kind: Dial, Addr: c.Addr, Why: c.Why})
	}
}

// announce emits one request to a tracker, with the counters of this moment.
func (s *Swarm) announce(r announce.Request) {
	if s.tracing() {
		what := "announce"
		if r.Scrape {
			what = "scrape"
		}
		s.note(trace.Sent, trace.Tracker, nil, what, trace.Record{
			Piece: trace.No, Block: trace.No, Text: r.Event.String(), Why: r.Why,
		})
	}
	down, up := s.Moved()
	s.effect(Effect{
		Kind: Announce, Why: r.Why, Request: r,
		Uploaded: up, Downloaded: down - s.traffic.wasted, Left: s.left(),
	})
}

// Announced takes the outcome of an Announce effect. Found takes the peers that it brought.
func (s *Swarm) Announced(now mono.Time, r announce.Result) {
	s.now = now
	if s.tracing() {
		what := "announce reply"
		if r.Scrape {
			what = "scrape reply"
		}
		text := r.Err
		if text == "" {
			text = r.Warning
		}
		s.note(trace.Received, trace.Tracker, nil, what, trace.Record{Piece: trace.No, Block: trace.No, N: int64(r.Peers), Text: text})
	}
	s.trackers.Done(now, r)
}

// left returns the number of bytes in pieces not yet verified, wanted or not.
func (s *Swarm) left() int64 {
	if s.magnet != nil {
		return leftUnknown
	}
	return s.missing()
}

// missing returns the number of bytes in pieces not yet verified; 0 while the metadata is
// unknown.
func (s *Swarm) missing() int64 {
	g := s.cfg.Geometry
	missing := int64(s.picker.Missing()) * int64(g.PieceLength)
	if last := g.Pieces - 1; g.Pieces > 0 && !s.picker.Have(last) {
		missing -= int64(g.PieceLength) - int64(g.PieceSize(last))
	}
	return missing
}
