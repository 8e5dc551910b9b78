package main

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal"
)

// A vt is as much of a terminal as the screen needs: lines that wrap, a cursor,
// erasing, and being resized as the terminals of today do it, which wrap long
// lines anew.
type vt struct {
	t      *testing.T
	lines  [][]rune // logical lines, not wrapped
	row    int      // logical line of the cursor
	col    int
	width  int
	hidden bool
}

func newVT(t *testing.T, width int) *vt { return &vt{t: t, width: width, lines: make([][]rune, 1)} }

func (v *vt) Write(b []byte) (int, error) {
	s := string(b)
	for s != "" {
		if rest, ok := strings.CutPrefix(s, "\x1b["); ok {
			end := strings.IndexFunc(rest, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' })
			v.escape(rest[:end], rest[end])
			s = rest[end+1:]
			continue
		}
		r := []rune(s)[0]
		s = s[len(string(r)):]
		switch r {
		case '\r':
			v.col = 0
		case '\n':
			v.row, v.col = v.row+1, 0
			if v.row == len(v.lines) {
				v.lines = append(v.lines, nil)
			}
		default:
			if r < ' ' || r == 0x7f {
				v.t.Errorf("control character %q", r)
			}
			for len(v.lines[v.row]) <= v.col {
				v.lines[v.row] = append(v.lines[v.row], ' ')
			}
			v.lines[v.row][v.col] = r
			v.col++
		}
	}
	return len(b), nil
}

func (v *vt) escape(arg string, verb byte) {
	n, _ := strconv.Atoi(arg)
	switch {
	case verb == 'm':
	case verb == 'K' && arg == "":
		v.lines[v.row] = v.lines[v.row][:min(v.col, len(v.lines[v.row]))]
	case verb == 'J' && arg == "":
		v.lines[v.row] = v.lines[v.row][:min(v.col, len(v.lines[v.row]))]
		v.lines = v.lines[:v.row+1]
	case verb == 'A': // by rows as they are seen, so a wrapped line counts as several
		for n > 0 && v.row > 0 {
			v.row--
			n -= max(1, (len(v.lines[v.row])+v.width-1)/v.width)
		}
		if n != 0 {
			v.t.Errorf("moved up into the middle of a line, or out of the terminal (%d rows)", n)
		}
	case arg == "?25" && verb == 'l':
		v.hidden = true
	case arg == "?25" && verb == 'h':
		v.hidden = false
	default:
		v.t.Errorf("unknown sequence %q", arg+string(verb))
	}
}

func (v *vt) String() string {
	var b strings.Builder
	for _, l := range v.lines {
		b.WriteString(strings.TrimRight(string(l), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func vtScreen(v *vt) *screen {
	return &screen{w: v, size: func() (int, int) { return v.width, 24 }, glyphs: blocks, colour: ansi}
}

// Lines scroll away above the area, which is always drawn anew below them, also
// when the terminal is made narrower or wider in between.
func TestScreen(t *testing.T) {
	v := newVT(t, 40)
	o := &output{now: time.Now, out: v, errs: v, screen: vtScreen(v)}
	area := func(text string) {
		o.draw(func(width, _ int, g glyphs, c colours) []string {
			return []string{bar(1, 2, width, g, c), c.good + text + c.off}
		})
	}
	expect := func(want string) {
		t.Helper()
		if got := v.String(); got != want {
			t.Errorf("the terminal shows\n%swant\n%s", got, want)
		}
	}
	full := func(n int) string { return strings.Repeat("█", n) }

	o.say("before")
	if v.hidden {
		t.Error("the cursor is hidden without an area")
	}
	area("one")
	expect("before\n" + full(19) + "▌\none\n")
	if !v.hidden {
		t.Error("the cursor jumps about")
	}
	area("two")
	expect("before\n" + full(19) + "▌\ntwo\n")
	o.say("between")
	if v.hidden {
		t.Error("the cursor is gone while a line stands last")
	}
	area("three")
	expect("before\nbetween\n" + full(19) + "▌\nthree\n")
	v.width = 25 // the bar now wraps
	area("four")
	expect("before\nbetween\n" + full(12) + "\nfour\n")
	v.width = 60
	area("a text far too long for the width of this terminal, so that it must be cut")
	expect("before\nbetween\n" + full(29) + "▌\na text far too long for the width of this terminal, so that\n")
	o.failed(&failure{exitFailed, shoal.ErrStopped, "do this"})
	expect("before\nbetween\nshoal: stopped\n       do this\n")
	area("five")
	o.end()
	expect("before\nbetween\nshoal: stopped\n       do this\n")
	if v.hidden {
		t.Error("the cursor is gone after the end")
	}
	o.say("too late")
	area("too late")
	expect("before\nbetween\nshoal: stopped\n       do this\n")
}

func viewOf(all []shoal.Stats) view {
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
held up  40.0%  █████████▏               400 MiB of 1000 MiB
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
		{"several, held up and alone", 79, []shoal.Stats{complete, s, full, lonely}, `
 40.0%  ████▊         12.5 MiB/s     ETA 48s  debian
 40.0%  ████▊         photos  write photos/one.jpg: no space left on device (f…
 40.0%  ████▊         a film with a name…  no peers: 1 address known, the next…
downloading 2 torrents, 1 held up, 1 seeding  40.0%  12.5 MiB/s  ETA 1m36s
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
downloading 2 torrents, 1 held up, 1 seeding  40.0%  12.5 MiB/s  ETA 1m36s  ↑ 1.17 MiB/s  15 peers  1.00 GiB sent
`},
		{"several seeds", 60, []shoal.Stats{complete, complete, complete}, `
seeding 3 torrents  ↑ 900 KiB/s  15 peers  3.00 GiB sent
`},
	} {
		got := "\n" + strings.Join(lines(viewOf(c.all), c.width, 24, blocks, colours{}), "\n") + "\n"
		if got != c.want {
			t.Errorf("%s, %d cells:\n got %s\nwant %s", c.name, c.width, got, c.want)
		}
	}
}

// A terminal is treated as its environment says.
func TestShowsUnicode(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want bool
	}{
		{nil, true}, // nothing is said: a container, most often, seen through a terminal of today
		{map[string]string{"LANG": "de_DE.UTF-8"}, true},
		{map[string]string{"LANG": "de_DE.UTF-8", "LC_ALL": "C"}, false},
		{map[string]string{"LANG": "C", "LC_CTYPE": "en_US.utf8"}, true},
		{map[string]string{"LANG": "POSIX"}, false},
	} {
		if got := showsUnicode(func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("%v: %v", c.env, got)
		}
	}
}
