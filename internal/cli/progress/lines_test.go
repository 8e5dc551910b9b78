package progress

import (
	"bytes"
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"shoal"
	"shoal/internal/cli/ui"
)

func viewOf(all []shoal.Stats, then time.Time) view {
	v := view{one: all[0], now: then}
	for _, s := range all {
		one := sight{tally: tallyOf(s)}
		one.fetches = one.lacks()
		v.add(&one)
		if s.State == shoal.StateDownloading || s.State == shoal.StateStalled {
			v.rows = append(v.rows, row{Stats: s})
		}
	}
	return v
}

// What a person sees of a download, from checking to seeding, at several widths.
func TestLines(t *testing.T) {
	then := time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.UTC)
	states := []byte(strings.Repeat("v", 40) + strings.Repeat("s", 10) + strings.Repeat("m", 50))
	s := shoal.Stats{
		State: shoal.StateDownloading, Size: 1000 << 20, Verified: 400 << 20, Pieces: 100, Have: 40, Map: states,
		DownRate: 12.5 * (1 << 20), DownMean: 12.5 * (1 << 20), Name: "debian", Peers: 5, Seeds: 2, UpRate: 300 << 10, KnownPeers: 12, DHTNodes: 53,
	}
	checking := s
	checking.State, checking.Checked = shoal.StateChecking, 25
	lonely := s
	lonely.Name, lonely.Peers, lonely.KnownPeers, lonely.DownRate, lonely.DownMean = "a film with a name that is long", 0, 1, 0, 0
	lonely.Waiting = []shoal.Cause{
		{Kind: shoal.CauseNoPeers, N: 1, Next: then.Add(12 * time.Second)},
		{Kind: shoal.CauseTracker, URL: "http://tracker.example:6969/***/announce", Err: "connection refused", Next: then.Add(75 * time.Second)},
		{Kind: shoal.CauseUnreached, N: 6881},
	}
	silent := s
	silent.DownRate, silent.Waiting = 0, []shoal.Cause{{Kind: shoal.CauseSilent, N: 1, Since: then.Add(-12 * time.Second)}}
	full := s
	full.Name, full.State, full.DownRate, full.Waiting = "photos", shoal.StateStalled, 0, []shoal.Cause{{
		Kind: shoal.CauseFiles, Err: "write photos/one.jpg: no space left on device (free some space, or choose another folder)",
		Since: then.Add(-8 * time.Second), Next: then.Add(4 * time.Second),
	}}
	some := s // a third of it is left out, and half of that is here all the same
	some.Unwanted, some.UnwantedVerified = 300<<20, 150<<20
	complete := s
	complete.DownRate, complete.DownMean = 0, 0
	complete.State, complete.Verified, complete.Uploaded = shoal.StateSeeding, s.Size, 1<<30
	for _, c := range []struct {
		name  string
		width int
		all   []shoal.Stats
		want  string
	}{
		{"downloading", 79, []shoal.Stats{s}, `
downloading  40.0%  ███████████████▏                        400 MiB of 1000 MiB
12.5 MiB/s  5 peers (2 seeds)  ETA 48s  ↑ 300 KiB/s
████████████████████████████████░░░░░░░░·······································
`},
		{"downloading, narrow", 40, []shoal.Stats{s}, `
downloading  40.0%  400 MiB of 1000 MiB
12.5 MiB/s  5 peers (2 seeds)  ETA 48s  ↑ 300 KiB/s
████████████████░░░░····················
`},
		{"without peers", 60, []shoal.Stats{lonely}, `
downloading  40.0%  ███████▌             400 MiB of 1000 MiB
no peers: 1 address known, the next is dialled in 12s, 53
DHT nodes
tracker tracker.example:6969: connection refused; asked
again in 1m15s
port 6881: nobody has connected to it yet
████████████████████████░░░░░░······························
`},
		{"the only seed stopped", 60, []shoal.Stats{silent}, `
downloading  40.0%  ███████▌             400 MiB of 1000 MiB
no data for 12s from 1 peer
████████████████████████░░░░░░······························
`},
		{"a full disk", 60, []shoal.Stats{full}, `
stalled  40.0%  █████████▏               400 MiB of 1000 MiB
write photos/one.jpg: no space left on device (free some
space, or choose another folder); tried again in 4s
`},
		{"some files are left out", 60, []shoal.Stats{some}, `
downloading  35.7%  ███████▏              250 MiB of 700 MiB
12.5 MiB/s  5 peers (2 seeds)  ETA 36s  ↑ 300 KiB/s
████████████████████████░░░░░░······························
`},
		{"checking", 60, []shoal.Stats{checking}, `
checking  25.0%  █████▌                  250 MiB of 1000 MiB
████████████████████████░░░░░░······························
`},
		{"seeding", 60, []shoal.Stats{complete}, `
seeding 1 torrent  ↑ 300 KiB/s  5 peers  1.00 GiB sent
`},
		{"several, one still checked", 60, []shoal.Stats{complete, checking}, `
checking  12.5%  ██▊                     250 MiB of 1.95 GiB
`},
		{"several, one still fetched", 79, []shoal.Stats{complete, s, complete}, `
 40.0%  ████▊         12.5 MiB/s     ETA 48s  debian
downloading 1 torrent, 2 seeding  40.0%  12.5 MiB/s  ETA 48s  ↑ 900 KiB/s
`},
		{"several, stalled and alone", 79, []shoal.Stats{complete, s, full, lonely}, `
 40.0%  ████▊         12.5 MiB/s     ETA 48s  debian
 40.0%  ████▊         photos  write photos/one.jpg: no space left on device (f…
 40.0%  ████▊         a film with a name…  no peers: 1 address known, the next…
downloading 2 torrents, 1 stalled, 1 seeding  40.0%  12.5 MiB/s  ETA 1m36s
`},
		{"several, narrow", 40, []shoal.Stats{complete, s, full, lonely}, `
 40.0%  12.5 MiB/s  debian
 40.0%  photos  write photos/one.jpg: n…
 40.0%  a film wi…  no peers: 1 address…
2 downloading  40.0%  12.5 MiB/s
`},
		{"several, wide", 120, []shoal.Stats{complete, s, full, lonely}, `
 40.0%  ████▊         12.5 MiB/s     ETA 48s  debian
 40.0%  ████▊         photos  write photos/one.jpg: no space left on device (free some space, or choose another folder)…
 40.0%  ████▊         a film with a name that is long  no peers: 1 address known, the next is dialled in 12s, 53 DHT no…
downloading 2 torrents, 1 stalled, 1 seeding  40.0%  12.5 MiB/s  ETA 1m36s  ↑ 1.17 MiB/s  15 peers  1.00 GiB sent
`},
		{"several seeds", 60, []shoal.Stats{complete, complete, complete}, `
seeding 3 torrents  ↑ 900 KiB/s  15 peers  3.00 GiB sent
`},
	} {
		got := "\n" + strings.Join(lines(viewOf(c.all, then), c.width, 24, ui.Blocks, ui.Colours{}), "\n") + "\n"
		if got != c.want {
			t.Errorf("%s, %d cells:\n got %s\nwant %s", c.name, c.width, got, c.want)
		}
	}
}

// Our own address is told once it is known, as the documents say.
func TestExternalIsTold(t *testing.T) {
	for _, known := range [][]netip.Addr{nil, {netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("2001:db8::7")}} {
		b, err := json.Marshal(progressOf(shoal.Stats{ExternalAddrs: known}))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(string(b), `"external":["203.0.113.7","2001:db8::7"]`); got != (known != nil) {
			t.Errorf("%v: %s", known, b)
		}
	}
}

// What holds a torrent up is told, and when it is over that is told, too.
func TestStalledIsReported(t *testing.T) {
	var said bytes.Buffer
	out := &ui.Output{JSON: true, Now: time.Now, Out: &said, Errs: io.Discard}
	e, err := shoal.New(shoal.Config{Listen: netip.MustParseAddrPort("127.0.0.1:0"), DHT: shoal.DHTConfig{Off: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(t.Context())
	meta, err := os.ReadFile("../../../cmd/shoal/testdata/torrents/v1-multi.torrent")
	if err != nil {
		t.Fatal(err)
	}
	tor, err := e.Add(shoal.AddOptions{Metainfo: meta, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w := &Watcher{out: out}
	w.event(tor, shoal.Event{Kind: shoal.EventStalled, Text: "write files/one.bin: no space left on device"})
	w.event(tor, shoal.Event{Kind: shoal.EventResumed})
	stalled, resumed, _ := strings.Cut(said.String(), "\n")
	if !strings.Contains(stalled, `"event":"stalled"`) || !strings.Contains(stalled, "no space left") || !strings.Contains(resumed, `"event":"resumed"`) {
		t.Errorf("told: %s", said.String())
	}
}
