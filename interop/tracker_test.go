//go:build interop

package interop

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"shoal/bencode"
)

// A tracker answers announces over HTTP (BEP 3, BEP 23) and keeps them.
type tracker struct {
	url string

	mu        sync.Mutex
	announces []announce
}

// An announce is one request as it came.
type announce struct {
	peerID   string
	infoHash string
	addr     netip.AddrPort
	event    string
	left     string
	query    url.Values
}

func startTracker(t *testing.T) *tracker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &tracker{url: fmt.Sprintf("http://%s/announce?passkey=a%%20b", l.Addr())}
	serve(t, l, tr)
	return tr
}

// serve answers the requests to a listener until the test ends.
func serve(t *testing.T, l net.Listener, h http.Handler) {
	server := &http.Server{Handler: h}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		server.Serve(l)
	}()
	t.Cleanup(func() {
		server.Close()
		<-ended
	})
}

func (tr *tracker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	var port uint16
	fmt.Sscan(q.Get("port"), &port)
	if err != nil || len(q.Get("info_hash")) != 20 || len(q.Get("peer_id")) != 20 || port == 0 || q.Get("passkey") != "a b" {
		http.Error(w, "d14:failure reason11:bad requeste", http.StatusOK)
		return
	}
	a := announce{
		peerID: q.Get("peer_id"), infoHash: q.Get("info_hash"), addr: netip.AddrPortFrom(from.Addr(), port),
		event: q.Get("event"), left: q.Get("left"), query: q,
	}
	tr.mu.Lock()
	tr.announces = append(tr.announces, a)
	peers := tr.others(a)
	tr.mu.Unlock()
	w.Write(answer(peers))
}

// others gives the peers of the same torrent that have not left, in order of
// their first announce.
func (tr *tracker) others(a announce) []netip.AddrPort {
	var peers []netip.AddrPort
	for _, b := range tr.announces {
		switch {
		case b.infoHash != a.infoHash || b.peerID == a.peerID:
		case b.event == "stopped":
			peers = slices.DeleteFunc(peers, func(p netip.AddrPort) bool { return p == b.addr })
		case !slices.Contains(peers, b.addr):
			peers = append(peers, b.addr)
		}
	}
	return peers
}

// answer writes a compact answer that asks to come back in half an hour.
func answer(peers []netip.AddrPort) []byte {
	var compact []byte
	for _, p := range peers {
		ip := p.Addr().As4()
		compact = append(compact, ip[:]...)
		compact = append(compact, byte(p.Port()>>8), byte(p.Port()))
	}
	b := []byte("d8:intervali1800e5:peers")
	b = bencode.AppendBytes(b, compact)
	return append(b, 'e')
}

// events gives what one peer announced, in order, each event once with the
// amount it had left.
func (tr *tracker) events(at netip.AddrPort) []announce {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	var of []announce
	for _, a := range tr.announces {
		if a.addr == at && a.event != "" {
			of = append(of, a)
		}
	}
	return of
}

// Peers meet at a tracker and by nothing else: libtorrent and aria2 seed, shoal
// downloads and tells the tracker when it starts, completes and stops; then
// shoal seeds alone, and libtorrent finds it.
func TestTracker(t *testing.T) {
	p := theBig(t)
	tr := startTracker(t)
	torrent := filepath.Join(t.TempDir(), "tracked.torrent")
	shoalClient{}.create(t, p, torrent, "--tracker", tr.url)

	// The tracker knows peers by the source of their announces, so all are at
	// one address here, at ports of their own.
	at := func() netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), newAddr().Port())
	}
	t.Run("get", func(t *testing.T) {
		for _, c := range []client{libtorrent{}, aria2{}} {
			addr := at()
			seed := seedOf(t, c, p, job{torrent: torrent, listen: addr})
			defer seed.stop()
			tr.await(t, addr, "started")
		}
		dir, addr := t.TempDir(), at()
		shoalClient{}.get(t, job{torrent: torrent, dir: dir, listen: addr}).complete(t)
		p.arrived(t, dir, false)

		got := tr.events(addr)
		var names []string
		for _, a := range got {
			names = append(names, a.event)
		}
		if !slices.Equal(names, []string{"started", "completed", "stopped"}) {
			t.Fatalf("announced %q, want started, completed, stopped", names)
		}
		for i, left := range []string{fmt.Sprint(p.size), "0", "0"} {
			if got[i].left != left {
				t.Errorf("%s: left=%s, want %s", got[i].event, got[i].left, left)
			}
		}
	})
	t.Run("seed", func(t *testing.T) {
		addr := at()
		seed := seedOf(t, shoalClient{}, p, job{torrent: torrent, listen: addr})
		tr.await(t, addr, "started")
		dir := t.TempDir()
		libtorrent{}.get(t, job{torrent: torrent, dir: dir, listen: at()}).complete(t)
		p.arrived(t, dir, false)
		seed.stop()
		got := tr.events(addr)
		if last := got[len(got)-1]; last.event != "stopped" || last.left != "0" {
			t.Errorf("the last announce is %q with left=%s, want stopped with 0", last.event, last.left)
		}
	})
}

// await waits until the tracker has heard an event from a peer.
func (tr *tracker) await(t *testing.T, from netip.AddrPort, event string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%v announces %s", from, event), func() bool {
		return slices.ContainsFunc(tr.events(from), func(a announce) bool { return a.event == event })
	})
}
