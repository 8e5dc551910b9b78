package shoal_test

import (
	"net/netip"
	"testing"

	"shoal"
)

// TestOneHandle holds that a torrent has one handle, wherever it comes from.
func TestOneHandle(t *testing.T) {
	raw, dir := padded(t, "4:attr1:p", ".pad/12768")
	e, err := shoal.New(shoal.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), DHT: shoal.DHTConfig{Off: true}, StateDir: t.TempDir(), Remember: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	tor, err := e.Add(shoal.AddOptions{Metainfo: raw, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[*shoal.Torrent]bool{tor: true, e.Torrents()[0]: true}
	for _, r := range e.Remembered() {
		seen[r.Torrent] = true
	}
	if len(seen) != 1 {
		t.Errorf("%d handles of one torrent", len(seen))
	}
}
