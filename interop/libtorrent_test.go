//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"testing"
)

// The system's Python has the Debian package of the binding.
const python = "/usr/bin/python3"

// libtorrent is the library, driven by ltclient.py.
type libtorrent struct{}

func (libtorrent) String() string { return "libtorrent" }
func (libtorrent) dials() bool    { return true }

func (l libtorrent) seed(t *testing.T, j job) peer {
	t.Helper()
	p := l.run(t, ltSessionOf(j, 0))
	p.complete(t)
	return p
}

func (l libtorrent) get(t *testing.T, j job) peer {
	t.Helper()
	return l.run(t, ltSessionOf(j, 0))
}

// ltSession and ltTorrent are the configuration of ltclient.py.
type ltSession struct {
	Listen   string      `json:"listen"`
	DHT      bool        `json:"dht"`
	DHTNodes []string    `json:"dht_nodes,omitempty"`
	LSD      bool        `json:"lsd,omitempty"`
	Torrents []ltTorrent `json:"torrents,omitempty"`
}

type ltTorrent struct {
	Torrent     string   `json:"torrent"`
	Dir         string   `json:"dir"`
	Peers       []string `json:"peers,omitempty"`
	UploadLimit int64    `json:"upload_limit,omitempty"` // bytes a second
}

func ltSessionOf(j job, uploadLimit int64) ltSession {
	return ltSession{
		Listen: j.listen.String(), DHT: j.dht, DHTNodes: strs(j.dhtNodes),
		Torrents: []ltTorrent{{Torrent: j.torrent, Dir: j.dir, Peers: strs(j.peers), UploadLimit: uploadLimit}},
	}
}

// ltPeer is a process of ltclient.py with one or more sessions.
type ltPeer struct{ *process }

// run starts sessions in one process and waits until all of them listen.
func (libtorrent) run(t *testing.T, sessions ...ltSession) ltPeer {
	t.Helper()
	conf, err := json.Marshal(map[string]any{"sessions": sessions})
	if err != nil {
		t.Fatal(err)
	}
	p := ltPeer{start(t, "libtorrent", python, "ltclient.py", "run", string(conf))}
	for i := range sessions {
		for _, kind := range []string{"tcp", "udp"} {
			p.awaitFrom(t, 0, "listening", func(e event) bool {
				return e.is("listening") && e.number("session") == int64(i) && e["kind"] == kind
			})
		}
	}
	return p
}

func (p ltPeer) complete(t *testing.T) {
	t.Helper()
	p.await(t, "complete")
}

// stats asks for the totals of a session.
func (p ltPeer) stats(t *testing.T, session int) event {
	t.Helper()
	from := p.printed()
	p.tell(t, "stats")
	return p.awaitFrom(t, from, "stats", func(e event) bool {
		return e.is("stats") && e.number("session") == int64(session)
	})
}

func (p ltPeer) tell(t *testing.T, order string) {
	t.Helper()
	if _, err := io.WriteString(p.in, order+"\n"); err != nil {
		t.Fatalf("%s: tell it %s: %v", p.name, order, err)
	}
}

// create has libtorrent make a torrent of the payload, and gives its info-hash.
func (libtorrent) create(t *testing.T, p *payload, out string, pieceLength int, node netip.AddrPort) string {
	t.Helper()
	args := []string{"ltclient.py", "create", p.path(), out, fmt.Sprint(pieceLength)}
	if node.IsValid() {
		args = append(args, node.String())
	}
	return strings.TrimSpace(output(t, python, args...))
}
