package network

import (
	"slices"
	"testing"

	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/ui"
)

func TestReadAsked(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef01234567"
	a, err := readAsked("magnet:?xt=urn:btih:"+hash+"&tr=udp://a.example:1&tr=udp://b.example:1", askFlags{trackers: cmdline.URLsFlag{"udp://c.example:1", "udp://a.example:1"}})
	if want := []string{"udp://a.example:1", "udp://b.example:1", "udp://c.example:1"}; err != nil || !slices.Equal(a.trackers, want) {
		t.Errorf("%q, %v, want %q", a.trackers, err, want)
	}
	for _, c := range []struct {
		name string
		f    askFlags
		code int
	}{
		{hash, askFlags{}, ui.ExitSource},
		{"udp://a.example:1", askFlags{}, ui.ExitUsage},
		{"udp://a.example:1", askFlags{hashes: []string{"12"}}, ui.ExitUsage},
		{"magnet:?dn=x", askFlags{}, ui.ExitSource},
		{"nothing.torrent", askFlags{}, ui.ExitSource},
	} {
		_, err := readAsked(c.name, c.f)
		if f, ok := err.(*ui.Failure); !ok || f.Code != c.code {
			t.Errorf("%s: %v, want exit %d", c.name, err, c.code)
		}
	}
}
