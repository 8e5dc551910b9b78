package progress

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/cli/ui"
)

// While metadata is looked for the screen says what has come and who was asked.
func TestLooking(t *testing.T) {
	then := time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.UTC)
	st := shoal.Stats{
		Metadata: shoal.MetadataStats{Have: 4404019, Size: 14 << 20}, Peers: 3, KnownPeers: 12, DHTNodes: 40,
		Contacts: shoal.Contacts{Dialled: 9, Connected: 3, Closed: 4},
		Waiting:  []shoal.Cause{{Kind: shoal.CauseMetadata, N: 4404019, Of: 14 << 20}},
	}
	none := shoal.Stats{KnownPeers: 1, Waiting: []shoal.Cause{
		{Kind: shoal.CauseMetadata},
		{Kind: shoal.CauseNoPeers, N: 1},
		{Kind: shoal.CauseClosed, N: 4, Of: 4},
		{Kind: shoal.CauseTracker, URL: "http://t.example/announce", Err: "connection refused", Next: then.Add(15 * time.Second)},
		{Kind: shoal.CauseNoNodes},
	}}
	for _, c := range []struct {
		st    shoal.Stats
		width int
		want  string
	}{
		{st, 79, `
metadata  29.9%  ████████▋                      4.20 MiB of 14.0 MiB  320 KiB/s
3 peers connected, 12 addresses known, 2 attempts under way, 40 DHT nodes
`},
		{none, 60, `
0 peers connected, 1 address known
4 of 4 connections closed by the other side during the
handshake
tracker t.example: connection refused; asked again in 15s
DHT: no node has answered yet
`},
	} {
		got := "\n" + strings.Join(looking(c.st, []string{"320 KiB/s"}, then, c.width, 24, ui.Blocks, ui.Colours{}), "\n") + "\n"
		if got != c.want {
			t.Errorf("%d cells:\n got %s\nwant %s", c.width, got, c.want)
		}
	}
}

// Into a file or pipe the tracker's words come when it says them, once, and every ten seconds
// all that is waited for; events come when something changes.
func TestLookingLines(t *testing.T) {
	now := time.Unix(1e9, 0)
	play := func(json bool) string {
		var text bytes.Buffer
		out := &ui.Output{JSON: json, Now: func() time.Time { return now }, Out: &text, Errs: io.Discard}
		l := seeker{out: out, began: now}
		l.folds.Now, l.folds.Say = out.Now, func(line string) { out.Say("%s", line) }
		failing := shoal.TrackerStats{URL: "http://tracker.example/announce?passkey=0123456789abcdef0123456789abcdef", State: "failing", Err: "go away"}
		st := shoal.Stats{Waiting: []shoal.Cause{{Kind: shoal.CauseMetadata}, {Kind: shoal.CauseNoPeers}}}
		for i := range 13 {
			if i == 2 {
				st.Trackers = append(st.Trackers, failing)
				st.Waiting = append(st.Waiting, shoal.Cause{Kind: shoal.CauseTracker, URL: failing.URL, Err: failing.Err, Next: now.Add(time.Minute)})
			}
			l.look("ab", "name", st)
			now = now.Add(time.Second)
		}
		l.folds.Flush(true)
		return text.String()
	}
	got, want := play(false), `tracker http://tracker.example/announce?passkey=***: go away
still looking for the metadata: 0 peers connected, 0 addresses known; tracker tracker.example: go away; asked again in 52s
`
	if got != want {
		t.Errorf("it says\n%s\nwant\n%s", got, want)
	}
	got = play(true)
	if n := strings.Count(got, `"event":"looking"`); n != 3 {
		t.Errorf("%d events, want one at first, at the change and ten seconds later:\n%s", n, got)
	}
	if n := strings.Count(got, `"event":"tracker"`); n != 1 {
		t.Errorf("%d events of the tracker:\n%s", n, got)
	}
}
