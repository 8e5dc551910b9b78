package engine

import (
	"net/netip"
	"testing"
	"time"

	"shoal/internal/decide/peerstore"
	"shoal/internal/net/trackerd"
	"shoal/internal/simnet"
)

// ourTracker starts the tracker of this module on host n, over both families, and names it
// tracker.example.
func (w *world) ourTracker(n byte) *trackerd.Server {
	w.t.Helper()
	s, err := trackerd.New(trackerd.Config{
		Network: w.net.Host(hostAddr(n), six(n)), Peers: peerstore.Config{Interval: 10 * time.Minute},
		Listen: []netip.AddrPort{netip.AddrPortFrom(hostAddr(n), 6969), netip.AddrPortFrom(six(n), 6969)},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	w.net.Name("tracker.example", hostAddr(n), six(n))
	w.t.Cleanup(func() { s.Close() })
	return s
}

// Peers meet at a tracker over HTTP and over UDP: one with both families, one with IPv4
// and one with IPv6 alone; those two have nothing in common but the first. When all have
// stopped the tracker knows nobody.
func TestMeetAtATrackerOfBothFamilies(t *testing.T) {
	for _, scheme := range []string{"http", "udp"} {
		t.Run(scheme, func(t *testing.T) {
			bubble(t, func(t *testing.T, w *world) {
				tr := w.ourTracker(200)
				c := makeContent(t, "families", 16<<10, 300_000).withTracker(scheme + "://tracker.example:6969/announce")
				s := w.seed(w.at(Config{}, at(1), netip.AddrPortFrom(six(1), 7881)), c)
				time.Sleep(time.Second)
				if st := tr.Stats(); st.Peers != 2 {
					t.Errorf("the seed is %d peers to the tracker, want one for each family", st.Peers)
				}
				l4, fs4 := w.leech(w.engine(2, Config{}), c)
				l6, fs6 := w.leech(w.at(Config{}, netip.AddrPortFrom(six(3), port)), c)
				wait(t, l4)
				wait(t, l6)
				c.in(t, fs4)
				c.in(t, fs6)
				time.Sleep(11 * time.Minute) // another round of announces
				if st := tr.Stats(); st.Peers != 4 || st.Refused+st.Dropped != 0 {
					t.Errorf("%+v", st)
				}
				for _, l := range []*Torrent{l4, l6, s} {
					l.Stop(t.Context())
				}
				if st := tr.Stats(); st.Peers != 0 || st.Torrents != 0 || st.Announces < 14 {
					t.Errorf("at the end: %+v", st)
				}
			})
		})
	}
}

// On a network that loses a third of all datagrams the seed is found at a UDP tracker all
// the same, and within the minute.
func TestUDPTrackerOnALossyNetwork(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		tr := w.ourTracker(200)
		c := makeContent(t, "lossy", 16<<10, 100_000).withTracker("udp://tracker.example:6969")
		for n := byte(1); n <= 2; n++ {
			w.net.Host(hostAddr(n))
			w.net.SetLink(hostAddr(n), hostAddr(200), simnet.Link{Delay: 50 * time.Millisecond, Loss: 0.33})
		}
		w.seed(w.engine(1, Config{}), c)
		l, fs := w.leech(w.engine(2, Config{}), c)
		waitFor(t, l, time.Minute)
		c.in(t, fs)
		if st := tr.Stats(); st.Announces < 2 {
			t.Errorf("%+v", st)
		}
	})
}
