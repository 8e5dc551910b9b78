package transfer

import (
	"io"
	"net/netip"
	"os"
	"testing"
	"time"

	"shoal"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
	"shoal/magnet"
)

// A source that is given up must not go on in the engine while get waits for the others: it would
// create files after the command has reported a failure.
func TestGivenUpIsStopped(t *testing.T) {
	raw, err := os.ReadFile("../../../cmd/shoal/testdata/torrents/v1-multi.torrent")
	if err != nil {
		t.Fatal(err)
	}
	file, err := source.Parse("v1-multi.torrent", raw)
	if err != nil {
		t.Fatal(err)
	}
	link, err := magnet.Parse("magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567")
	if err != nil {
		t.Fatal(err)
	}
	e, err := shoal.New(shoal.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), DHT: shoal.DHTConfig{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	out := &ui.Output{Out: io.Discard, Errs: io.Discard, Now: time.Now}
	g := &gathering{out: out}
	n := session.Flags{NoDHT: true, State: "none"}
	for _, src := range []source.Source{{Path: "link", Link: link}, file} {
		w := &wanted{name: src.Path, download: &download{
			Session: &session.Session{Out: out, Engine: e}, src: src, dir: t.TempDir(),
			patience: patience{what: "get " + src.Path, now: time.Now, stall: time.Millisecond},
		}}
		g.all = append(g.all, w)
		g.one(t.Context(), w, n)
		if w.err == nil || len(e.Torrents()) > 0 {
			t.Errorf("%s: %v; %d torrents go on", src.Path, w.err, len(e.Torrents()))
		}
	}
	g.unwatch()
}
