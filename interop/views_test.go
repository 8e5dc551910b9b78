//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Other clients see exactly how much we have, also those that lack nothing of what we
// fetched last, and see us as a seed when we are one. Two clients have the first half and go
// on having just that, since our upload is slow; we get that half from them and the other
// from a seed.
func TestTheirViewOfUs(t *testing.T) {
	p, err := makePayload("views", map[string]int64{"a": 4 << 20, "b": 4 << 20})
	if err != nil {
		t.Fatal(err)
	}
	torrent := filepath.Join(t.TempDir(), "views.torrent")
	libtorrent{}.create(t, p, torrent, 64<<10, netip.AddrPort{})
	half := func() job {
		j := job{torrent: torrent, dir: t.TempDir(), listen: newAddr()}
		p.copyTo(t, j.dir)
		if err := os.Remove(filepath.Join(j.dir, "views", "b")); err != nil {
			t.Fatal(err)
		}
		return j
	}
	lj, tj := half(), half()
	l := libtorrent{}.run(t, ltSessionOf(lj, 0))
	tr, _ := transmission{}.get(t, tj).(*transmissionPeer)
	tr.until(t, "half complete", func() bool { return tr.have() == 4<<20 })

	seed := job{torrent: torrent, dir: t.TempDir(), listen: newAddr()}
	p.copyTo(t, seed.dir)
	d := shoalClient{}.run(t, "seed", seed, "--limit-up", "2MiB")
	d.await(t, "up")
	get := job{torrent: torrent, dir: t.TempDir(), listen: newAddr(), peers: []netip.AddrPort{lj.listen, tj.listen, seed.listen}}
	s := shoalClient{}.run(t, "get", get, "--seed", "--limit-up", "8KiB")
	s.await(t, "complete")

	l.until(t, "seeing a seed", func() bool { return l.sees(t, get.listen.Addr()) == "1000000 true" })
	tr.until(t, "seeing a seed", func() bool { return tr.sees(get.listen.Addr()) == "1" })
	if n := tr.have(); n > 7<<20 {
		t.Errorf("transmission has %d bytes: this shows nothing", n)
	}
	s.stop()
	d.stop()
}

// sees says what the session sees of the peer at an address.
func (p ltPeer) sees(t *testing.T, at netip.Addr) string {
	t.Helper()
	from := p.printed()
	p.tell(t, "views")
	e := p.awaitFrom(t, from, "views", func(e event) bool { return e.is("views") })
	peers, _ := e["peers"].(map[string]any)
	var all []string
	for addr, v := range peers {
		if v, ok := v.([]any); ok && len(v) == 2 && strings.HasPrefix(addr, at.String()+":") {
			all = append(all, fmt.Sprintf("%.0f %v", v[0], v[1]))
		}
	}
	return strings.Join(all, ", ")
}

// have is how many bytes are there and verified.
func (p *transmissionPeer) have() int64 {
	var got struct {
		Torrents []struct {
			HaveValid int64 `json:"haveValid"`
		} `json:"torrents"`
	}
	if err := p.call("torrent-get", map[string]any{"fields": []string{"haveValid"}}, &got); err != nil || len(got.Torrents) != 1 {
		return 0
	}
	return got.Torrents[0].HaveValid
}

// sees says what the client sees of the peer at an address: the part of the torrent that it has.
func (p *transmissionPeer) sees(at netip.Addr) string {
	var got struct {
		Torrents []struct {
			Peers []struct {
				Address  string  `json:"address"`
				Progress float64 `json:"progress"`
			} `json:"peers"`
		} `json:"torrents"`
	}
	if err := p.call("torrent-get", map[string]any{"fields": []string{"peers"}}, &got); err != nil || len(got.Torrents) != 1 {
		return ""
	}
	var all []string
	for _, x := range got.Torrents[0].Peers {
		if x.Address == at.String() {
			all = append(all, fmt.Sprint(x.Progress))
		}
	}
	return strings.Join(all, ", ")
}
