package swarm

import (
	"cmp"
	"net/netip"

	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/wire"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// PeerState is a connected peer at one instant.
type PeerState struct {
	Addr     netip.AddrPort // the other end of the connection
	Listens  netip.AddrPort // where it listens if it dialled us; invalid: unknown
	ID       [20]byte
	Client   string          // as the peer names itself; not printable yet
	Sources  peerbook.Source // that named its address; Incoming alone where it came by itself
	Incoming bool            // it dialled us

	// What the peer has told us.
	Choking, Interested bool
	UploadOnly          bool // it wants nothing (BEP 21)
	Have                uint32
	Seed                bool

	// What we have told the peer.
	Choked, Interesting bool
	Optimistic          bool    // its unchoke is the optimistic one
	Reason              why.Why // of our latest choke or unchoke; None before the first

	Snubbed              bool // it has sent nothing for a while though blocks are due
	Requests             int  // of ours, in flight
	Waiting              int  // of its requests
	Down, Up             float64
	Downloaded, Uploaded int64
	Joined, LastHeard    mono.Time
}

// Peers returns the connected peers in the order in which they are served. It shares nothing
// with the swarm.
func (s *Swarm) Peers(now mono.Time) []PeerState {
	if s.peers.count == 0 {
		return nil
	}
	out := make([]PeerState, 0, s.peers.count)
	for p := range s.peers.all() {
		out = append(out, s.state(now, p))
	}
	return out
}

func (s *Swarm) state(now mono.Time, p *peer) PeerState {
	st := PeerState{
		Addr: p.addr, Listens: p.listens, ID: p.id, Incoming: !p.dialled,
		Client:  cmp.Or(p.theirs.ext.Client, wire.ClientName(p.id)),
		Choking: p.theirs.choking, Interested: p.theirs.interested, UploadOnly: p.theirs.ext.UploadOnly,
		Choked: p.ours.choked, Interesting: p.ours.interesting, Reason: p.ours.reason,
		Optimistic: !p.ours.choked && s.slots.choker.Optimistic() == uint64(p.key),
		Snubbed:    p.download.snubbed, Requests: p.download.requests.len(), Waiting: p.upload.queue.len() + p.upload.flight,
		Down: p.download.down.Rate(now), Up: p.upload.up.Rate(now),
		Downloaded: p.download.down.Total(), Uploaded: p.upload.up.Total(),
		Joined: p.joined, LastHeard: p.theirs.lastHeard,
	}
	addr := p.addr
	if st.Incoming {
		st.Sources |= peerbook.Incoming
		addr = p.listens
	}
	if addr.IsValid() {
		st.Sources |= s.book.Sources(addr)
	}
	if s.magnet == nil {
		st.Have, st.Seed = p.theirs.have.Count(), p.complete()
	}
	return st
}
