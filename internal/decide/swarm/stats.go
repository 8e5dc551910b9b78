package swarm

import (
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/picker"
	"shoal/internal/value/mono"
)

// Unused counts connections that other torrents could use.
type Unused struct {
	Vacant int  // peers that only hold a place
	Spare  bool // some peer is vacant, can't be used at the moment, or brings nothing
}

// Stats is a snapshot of a swarm.
type Stats struct {
	Size     int64  // bytes of the torrent
	Verified int64  // bytes in verified pieces
	Pieces   uint32 // pieces of the torrent
	Have     uint32 // verified pieces
	Started  int    // started pieces

	Wanted, WantedHave         uint32 // pieces not skipped; of these, verified ones
	WantedSize, WantedVerified int64  // the same in bytes
	Held                       bool   // writes fail: we request nothing
	Suspended                  bool   // the files can't be used: no peers
	Reading                    bool   // a reader waits for a piece
	Urgent, UrgentCopied       int64  // blocks requested for readers; of these, those asked of one more peer

	Downloaded, Wasted, Uploaded int64 // payload bytes of this run
	Rates                        Rates
	Stand                        Sources

	Peers, Seeds, Unchoked int
	Unused                 Unused
	Dialling, Known        int
	NextDial               mono.Time // time of the next dial; mono.Never: none
	Contacts               Contacts
	Requests               int // requests in flight, all peers together
	Trackers               []announce.TrackerStatus

	WebDownloaded int64 // part of Downloaded that came from web seeds
	WebRate       float64
	WebSeeds      []WebSeedStats
}

// Stats returns a snapshot that shares nothing with the swarm.
func (s *Swarm) Stats(now mono.Time) Stats {
	g := s.cfg.Geometry
	p := s.picker.Stats()
	st := Stats{
		Size: g.Total, Verified: g.Total - s.missing(), Pieces: g.Pieces, Have: p.Have, Started: p.Started,
		Wasted: s.traffic.wasted, Rates: s.rates(now), NextDial: s.nextDial(),
		Contacts: s.contacts,
		Peers:    s.peers.count, Dialling: len(s.dials), Known: s.book.Count(),
		Requests: p.Requests, Trackers: s.trackers.Status(),
		Wanted: p.Wanted, WantedHave: p.WantedHave,
		Held: s.files.held, Suspended: s.files.suspended, Reading: s.wants() && s.picker.Reading(now),
		Urgent: p.Urgent, UrgentCopied: p.Copied,
	}
	st.Downloaded, st.Uploaded = s.Moved()
	st.Stand = s.sources(st.Rates.Down == 0 || s.peers.count == 0)
	if s.web != nil {
		st.WebDownloaded, st.WebRate, st.WebSeeds = s.web.down.Total(), s.web.down.Rate(now), s.webStats(now)
	}
	st.WantedSize, st.WantedVerified = s.wantedBytes()
	for p := range s.peers.all() {
		if p.complete() && s.magnet == nil {
			st.Seeds++
		}
		if !p.ours.choked {
			st.Unchoked++
		}
		if s.vacant(p) {
			st.Unused.Vacant++
		}
	}
	st.Unused.Spare = st.Unused.Vacant > 0 || s.needless() != nil || s.idlest() != nil
	return st
}

// AppendMap appends one letter for each piece: v verified, s started, m missing.
func (s *Swarm) AppendMap(b []byte) []byte {
	for i := range s.cfg.Geometry.Pieces {
		switch {
		case s.picker.Have(i):
			b = append(b, 'v')
		case s.picker.Started(i):
			b = append(b, 's')
		default:
			b = append(b, 'm')
		}
	}
	return b
}

// wantedBytes returns the bytes in pieces that are not skipped, and in those of them that are
// verified.
func (s *Swarm) wantedBytes() (size, verified int64) {
	g := s.cfg.Geometry
	if !s.picker.Ranked() {
		return g.Total, g.Total - s.missing()
	}
	for i := range g.Pieces {
		if s.picker.Priority(i) == picker.Skip {
			continue
		}
		size += int64(g.PieceSize(i))
		if s.picker.Have(i) {
			verified += int64(g.PieceSize(i))
		}
	}
	return size, verified
}
