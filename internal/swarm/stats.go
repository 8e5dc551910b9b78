package swarm

import (
	"shoal/internal/announce"
	"shoal/internal/mono"
)

// Stats is what a swarm can say of itself at one instant.
type Stats struct {
	Size     int64  // bytes of the torrent
	Verified int64  // bytes in verified pieces
	Pieces   uint32 // how many there are
	Have     uint32 // how many are verified
	Started  int    // how many are begun

	Downloaded, Wasted, Uploaded int64 // payload bytes of this run
	DownRate, UpRate             float64

	Peers, Seeds, Unchoked int
	Dialling, Known        int
	Requests               int // in flight, all peers together
	Trackers               []announce.TrackerStatus
}

// Stats gives a snapshot that shares nothing with the swarm.
func (s *Swarm) Stats(now mono.Time) Stats {
	g := s.cfg.Geometry
	p := s.picker.Stats()
	st := Stats{
		Size: g.Total, Verified: g.Total - s.left(), Pieces: g.Pieces, Have: p.Have, Started: p.Started,
		Downloaded: s.down.Total(), Wasted: s.wasted, Uploaded: s.up.Total(),
		DownRate: s.down.Rate(now), UpRate: s.up.Rate(now),
		Peers: s.count, Dialling: len(s.dials), Known: s.book.Count(),
		Requests: p.Requests, Trackers: s.trackers.Status(),
	}
	for _, p := range s.peers {
		if p == nil {
			continue
		}
		if p.complete() {
			st.Seeds++
		}
		if !p.choked {
			st.Unchoked++
		}
	}
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
