package ui

import (
	"slices"
	"testing"
	"time"

	"shoal"
)

// Every cause in words, with the times that run down.
func TestWords(t *testing.T) {
	then := time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.UTC)
	in := func(d time.Duration) time.Time { return then.Add(d) }
	for _, c := range []struct {
		c    shoal.Cause
		want string
	}{
		{shoal.Cause{Kind: shoal.CauseFiles, Err: "write a: no space left on device", Next: in(4 * time.Second)}, "write a: no space left on device; tried again in 4s"},
		{shoal.Cause{Kind: shoal.CauseFilesGone, Err: "the files are not there", Next: in(-time.Second)}, "the files are not there; looked for again now"},
		{shoal.Cause{Kind: shoal.CausePaused}, "paused"},
		{shoal.Cause{Kind: shoal.CauseQueued}, "waits for its turn: others come first"},
		{shoal.Cause{Kind: shoal.CauseMetadata}, "looking for the metadata"},
		{shoal.Cause{Kind: shoal.CauseMetadata, N: 4404019, Of: 14 << 20}, "metadata: 4.20 MiB of 14.0 MiB"},
		{shoal.Cause{Kind: shoal.CauseMetadataTooLarge, N: 40 << 20, Of: 30 << 20}, "its metadata has 40.0 MiB and at most 30.0 MiB is fetched: use the .torrent file, or --max-metadata"},
		{shoal.Cause{Kind: shoal.CauseSilent, N: 1, Since: in(-12500 * time.Millisecond)}, "no data for 12s from 1 peer"},
		{shoal.Cause{Kind: shoal.CauseSilent, N: 3}, "no data yet from 3 peers"},
		{shoal.Cause{Kind: shoal.CauseChoked, N: 1}, "the only peer that has what is missing lets others go first"},
		{shoal.Cause{Kind: shoal.CauseChoked, N: 4}, "all 4 peers that have what is missing let others go first"},
		{shoal.Cause{Kind: shoal.CauseLacking, N: 1}, "the only peer has nothing that is missing"},
		{shoal.Cause{Kind: shoal.CauseLacking, N: 5}, "none of 5 peers has anything that is missing"},
		{shoal.Cause{Kind: shoal.CauseUnavailable, N: 1, Of: 9}, "nobody connected has 1 of 9 missing pieces"},
		{shoal.Cause{Kind: shoal.CauseUnavailable, N: 9, Of: 9}, "nobody connected has any of the missing pieces"},
		{shoal.Cause{Kind: shoal.CauseWebSeed, URL: "http://***@mirror.example:81/pub/***/", Err: "HTTP status 503", Next: in(30 * time.Second)}, "web seed mirror.example:81: HTTP status 503; asked again in 30s"},
		{shoal.Cause{Kind: shoal.CauseWebSeed, URL: "http://mirror.example/", Err: "HTTP status 404"}, "web seed mirror.example: HTTP status 404; given up"},
		{shoal.Cause{Kind: shoal.CauseWebSeedLacks, URL: "http://mirror.example/", N: 2, Err: "m/c.bin: HTTP status 404"}, "web seed mirror.example lacks 2 files: m/c.bin: HTTP status 404"},
		{shoal.Cause{Kind: shoal.CauseNoPeers}, "no peers: 0 addresses known"},
		{shoal.Cause{Kind: shoal.CauseNoPeers, N: 1, Next: in(9 * time.Second)}, "no peers: 1 address known, the next is dialled in 9s"},
		{shoal.Cause{Kind: shoal.CauseNoPeers, N: 7, Of: 2, Next: in(9 * time.Second)}, "no peers: 7 addresses known, 2 being dialled"},
		{shoal.Cause{Kind: shoal.CauseClosed, N: 4, Of: 9}, "4 of 9 connections closed by the other side during the handshake"},
		{shoal.Cause{Kind: shoal.CauseNoAnswer, N: 1, Of: 1}, "1 of 1 attempt came to nothing"},
		{shoal.Cause{Kind: shoal.CauseTracker, URL: "http://t.example/announce?passkey=***", Err: "announce to t.example: HTTP status 502", Next: in(15 * time.Second)}, "tracker t.example: HTTP status 502; asked again in 15s"},
		{shoal.Cause{Kind: shoal.CauseTracker, URL: "not a URL", Err: "x"}, "tracker not a URL: x; given up"},
		{shoal.Cause{Kind: shoal.CauseAsking, URL: "udp://t.example:6969"}, "tracker t.example:6969 has not answered yet"},
		{shoal.Cause{Kind: shoal.CauseNoSource}, "no tracker is named and there is no DHT: peers have to come by themselves, or by --peer"},
		{shoal.Cause{Kind: shoal.CauseNoNodes}, "DHT: no node has answered yet"},
		{shoal.Cause{Kind: shoal.CauseUnreached, N: 6881}, "port 6881: nobody has connected to it yet"},
		{shoal.Cause{Kind: "of a later version"}, "of a later version"},
	} {
		if got := CauseWords(c.c, then); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.c.Kind, got, c.want)
		}
	}
}

// Text is broken at spaces, no line is wider than the terminal, and nothing is lost but
// behind dots.
func TestWrap(t *testing.T) {
	for _, c := range []struct {
		text        string
		width, most int
		want        []string
	}{
		{"", 10, 3, nil},
		{"short", 10, 3, []string{"short"}},
		{"one two three four", 9, 3, []string{"one two", "three", "four"}},
		{"one two three four", 9, 2, []string{"one two", "three fo…"}},
		{"abcdefghijklmno", 6, 3, []string{"abcdef", "ghijkl", "mno"}},
		{"word", 0, 2, []string{""}},
	} {
		if got := Wrap(c.text, c.width, c.most, Blocks); !slices.Equal(got, c.want) {
			t.Errorf("%q in %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
