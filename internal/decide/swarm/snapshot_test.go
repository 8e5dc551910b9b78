package swarm

import (
	"math/rand/v2"
	"strings"
	"testing"

	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/wire"
	"shoal/internal/value/mono"
)

// peers tells what the snapshot of each peer says.
func (d *driver) peers() {
	for _, p := range d.s.Peers(d.now) {
		var words []string
		for _, w := range []struct {
			on   bool
			name string
		}{
			{p.Incoming, "incoming"},
			{p.Choking, "choking"},
			{p.Interested, "interested"},
			{p.UploadOnly, "upload-only"},
			{p.Choked, "choked"},
			{p.Interesting, "interesting"},
			{p.Optimistic, "optimistic"},
			{p.Snubbed, "snubbed"},
			{p.Seed, "seed"},
		} {
			if w.on {
				words = append(words, w.name)
			}
		}
		for i, name := range []string{"user", "tracker", "DHT", "PEX", "LSD", "incoming", "link"} {
			if p.Sources&(peerbook.Manual<<i) != 0 {
				words = append(words, "by="+name)
			}
		}
		d.say("%c %s have=%d requests=%d waiting=%d down=%d up=%d (%s)",
			p.ID[8], strings.Join(words, " "), p.Have, p.Requests, p.Waiting, p.Downloaded, p.Uploaded, p.Reason.Words())
	}
}

// Nobody is connected: there is nothing to tell, and nothing is kept for it.
func TestPeersOfNobody(t *testing.T) {
	s := New(Config{}, mono.Start, rand.New(rand.NewPCG(1, 1)))
	if all := s.Peers(mono.Start); all != nil {
		t.Errorf("%+v", all)
	}
}

// A client goes by what its extension handshake says, or else by its peer id.
func TestPeerClient(t *testing.T) {
	d := &driver{t: t}
	d.do("torrent", []string{"pieces=4"})
	d.do("connect", []string{"A"})
	if got := d.s.Peers(d.now)[0]; got.Client != wire.ClientName(peerID("A")) || got.Joined != d.now {
		t.Errorf("%+v", got)
	}
	if len(d.s.Peers(d.now)) != 1 {
		t.Error("a second look finds another number of peers")
	}
}
