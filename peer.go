package shoal

import (
	"net/netip"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/engine"
	"shoal/internal/value/mono"
	"shoal/internal/value/printable"
	"shoal/internal/value/why"
)

// Peer is one connected peer of a torrent at one instant.
type Peer struct {
	Addr     netip.AddrPort // the other end of the connection
	Client   string         // name and version, as the peer claims them; printable, may be empty
	ID       [20]byte       // peer id
	Sources  []PeerSource   // sources of its address; empty when we have forgotten them since
	Incoming bool           // it dialled us

	Choking    bool // it chokes us
	Interested bool // it wants pieces from us
	UploadOnly bool // it wants nothing from anybody (BEP 21)
	Snubbed    bool // it does not choke us, and does not answer our requests

	Choked      bool   // we choke it
	Interesting bool   // we want pieces from it
	Optimistic  bool   // we unchoke it to learn how fast it sends (BEP 3)
	Reason      string // reason of our latest choke or unchoke, in words; empty before the first

	Requests int     // number of our requests that it has not answered
	Waiting  int     // number of its requests that we have not answered
	DownRate float64 // payload bytes a second that it sends us, over some seconds
	UpRate   float64 // payload bytes a second that we send it

	// Payload bytes of this connection.
	Downloaded, Uploaded int64

	Progress  float64   // part of the torrent's pieces that it has, from 0 to 1; 0 while we lack the metadata
	Connected time.Time // time of its handshake
	LastHeard time.Time // time of its latest message
}

// PeerSource says how we learned the address of a peer.
type PeerSource string

// The sources.
const (
	PeerFromUser     PeerSource = "user"     // AddOptions.Peers, Torrent.AddPeers
	PeerFromTracker  PeerSource = "tracker"  // an announce (BEP 3)
	PeerFromDHT      PeerSource = "dht"      // BEP 5
	PeerFromPEX      PeerSource = "pex"      // another peer (BEP 11)
	PeerFromLSD      PeerSource = "lsd"      // the local network (BEP 14)
	PeerFromIncoming PeerSource = "incoming" // it connected to us
	PeerFromLink     PeerSource = "link"     // a magnet link (x.pe)
)

var peerSources = []struct {
	bit  peerbook.Source
	name PeerSource
}{
	{peerbook.Manual, PeerFromUser},
	{peerbook.Tracker, PeerFromTracker},
	{peerbook.DHT, PeerFromDHT},
	{peerbook.PEX, PeerFromPEX},
	{peerbook.LSD, PeerFromLSD},
	{peerbook.Incoming, PeerFromIncoming},
	{peerbook.Link, PeerFromLink},
}

// Peers returns the connected peers. There are none while the torrent is paused or queued, and
// after it has ended. Each call makes the list; for their number alone use Stats.Peers.
func (t *Torrent) Peers() []Peer {
	all := t.t.Peers()
	out := make([]Peer, 0, len(all.All))
	for i := range all.All {
		out = append(out, peerOf(&all, &all.All[i]))
	}
	return out
}

func peerOf(all *engine.Peers, p *swarm.PeerState) Peer {
	at := func(t mono.Time) time.Time { return all.At.Add(t.Sub(all.Now)) }
	out := Peer{
		Addr: p.Addr, Client: printable.Of(p.Client), ID: p.ID, Incoming: p.Incoming,
		Choking: p.Choking, Interested: p.Interested, UploadOnly: p.UploadOnly, Snubbed: p.Snubbed,
		Choked: p.Choked, Interesting: p.Interesting, Optimistic: p.Optimistic,
		Requests: p.Requests, Waiting: p.Waiting, DownRate: p.Down, UpRate: p.Up,
		Downloaded: p.Downloaded, Uploaded: p.Uploaded, Connected: at(p.Joined), LastHeard: at(p.LastHeard),
	}
	if p.Reason != why.None {
		out.Reason = p.Reason.Words()
	}
	if all.Pieces > 0 {
		out.Progress = float64(p.Have) / float64(all.Pieces)
	}
	for _, s := range peerSources {
		if p.Sources&s.bit != 0 {
			out.Sources = append(out.Sources, s.name)
		}
	}
	return out
}
