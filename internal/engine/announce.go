package engine

import (
	"shoal/internal/decide/extip"
	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/tracker"
	"shoal/internal/net/announcer"
)

// announce queues an announce to one tracker behind the others of the engine.
func (t *Torrent) announce(e *swarm.Effect) {
	req := e.Request
	t.announces.Announce(req, tracker.Params{
		InfoHash: t.infoHash, PeerID: t.peerID, Port: t.e.port(false), Port6: t.e.port(true),
		Uploaded: e.Uploaded, Downloaded: e.Downloaded, Left: e.Left,
		Event: req.Event, NumWant: req.NumWant, Key: t.key, TrackerID: req.TrackerID,
	})
}

// Announced implements announcer.Host.
func (h *host) Announced(o *announcer.Outcome) {
	h.torrent().do(announced{o: o})
}

// Heard implements announcer.Host.
func (h *host) Heard(resp tracker.Response) {
	t := h.torrent()
	t.e.seenAs(extip.Tracker, resp.From, resp.ExternalIP)
	if f := trackerPeers(resp.Peers); len(f.addrs) > 0 {
		t.do(f)
	}
}

// trackerPeers returns the addresses of a reply, each with the peer id that the tracker
// reports for it, if any.
func trackerPeers(peers []tracker.Peer) *found {
	f := &found{src: peerbook.Tracker}
	for _, p := range peers {
		var id []byte
		if p.HasID {
			id = p.ID[:]
		}
		f.addrs = append(f.addrs, p.Addr)
		f.ids = append(f.ids, id)
	}
	return f
}

// Untold returns how many announces of torrents that stopped or are complete could not be
// made in time, since the engine began.
func (e *Engine) Untold() int { return e.announcer.Untold() }
