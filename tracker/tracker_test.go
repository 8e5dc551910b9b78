package tracker_test

import (
	"net/netip"
	"slices"
	"testing"

	"shoal/metainfo"
	"shoal/tracker"
)

// Over both protocols a server names one client to another, counts it, and forgets it when it
// withdraws.
func TestClientAndServer(t *testing.T) {
	loopback := []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}
	known, other := metainfo.Hash{1}, metainfo.Hash{2}
	s, err := tracker.NewServer(tracker.ServerConfig{Listen: loopback, Only: []metainfo.Hash{known}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at := s.Addrs()[0].String()
	for _, url := range []string{"http://" + at + "/announce", "udp://" + at} {
		one := tracker.NewClient(tracker.ClientConfig{From: loopback, Named: []string{url}})
		defer one.Close()
		two := tracker.NewClient(tracker.ClientConfig{From: loopback, Named: []string{url}})
		defer two.Close()
		seed := tracker.Announce{InfoHash: known, Port: 7001}
		if _, err := one.Announce(t.Context(), url, seed); err != nil {
			t.Fatal(err)
		}
		r, err := two.Announce(t.Context(), url, tracker.Announce{InfoHash: known, Port: 7002, Left: 1, NumWant: 10})
		if err != nil || !slices.Contains(r.Peers, netip.MustParseAddrPort("127.0.0.1:7001")) || r.Seeders != 1 {
			t.Errorf("%s: %+v, %v", url, r, err)
		}
		if err := one.Withdraw(t.Context(), url, seed); err != nil {
			t.Error(err)
		}
		counts, err := two.Scrape(t.Context(), url, known, other)
		if err != nil || counts[other].Seeders+counts[other].Leechers != 0 || counts[known].Seeders != 0 || counts[known].Leechers != 1 {
			t.Errorf("%s: %+v, %v", url, counts, err)
		}
		if _, err := two.Announce(t.Context(), url, tracker.Announce{InfoHash: other, Port: 7002}); err == nil {
			t.Errorf("%s: a torrent that is not served was taken", url)
		}
		if err := two.Withdraw(t.Context(), url, tracker.Announce{InfoHash: known, Port: 7002}); err != nil {
			t.Error(err)
		}
	}
	if st := s.Stats(); st.Announces == 0 || st.Scrapes != 2 || st.Refused == 0 {
		t.Errorf("%+v", st)
	}
	if tracker.CheckURL("ftp://x") == nil || tracker.CheckURL("udp://a.example:1") != nil {
		t.Error("CheckURL")
	}
}
