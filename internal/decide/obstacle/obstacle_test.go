package obstacle

import (
	"fmt"
	"strings"
	"testing"

	"shoal/internal/value/mono"
)

// words prints causes as the table has them.
func words(all []Cause) string {
	var out []string
	for _, c := range all {
		s := names[c.Kind]
		if c.N != 0 || c.Of != 0 {
			s += fmt.Sprintf(" %d/%d", c.N, c.Of)
		}
		if c.What != "" {
			s += " " + c.What
		}
		if c.Err != "" {
			s += " (" + c.Err + ")"
		}
		if !c.Next.IsZero() {
			s += " again"
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

var names = map[Kind]string{
	Files: "files", FilesGone: "files gone", Paused: "paused", Queued: "queued", Metadata: "metadata",
	MetadataTooLarge: "metadata too large", Silent: "silent", Choked: "choked", Lacking: "lacking", Nobody: "nobody",
	WebSeed: "web seed", WebSeedLacks: "web seed lacks", NoPeers: "no peers", Closed: "closed", NoAnswer: "no answer", Tracker: "tracker", Asking: "asking",
	NoWay: "no way", NoNodes: "no nodes", Unreached: "unreached",
}

func TestOf(t *testing.T) {
	later := mono.Start.Add(30e9)
	down := Source{URL: "A", Err: "refused", Next: later}
	gone := Source{URL: "W", Err: "HTTP status 404", Next: mono.Never}
	for _, c := range []struct {
		name string
		f    Facts
		want string
	}{
		{"complete", Facts{State: Other}, ""},
		{"moving", Facts{State: Fetching, Moving: true, Peers: 3, Useful: 1, Asked: 1, WebSeeds: []Source{gone}}, ""},
		{"a full disk", Facts{State: Stalled, Err: "no space", Retry: later}, "files (no space) again"},
		{"an unmounted volume", Facts{State: Missing, Err: "not there", Retry: later}, "files gone (not there) again"},
		{"paused", Facts{State: Resting}, "paused"},
		{"in line", Facts{State: InLine}, "queued"},

		{"the only seed stopped sending", Facts{State: Fetching, Peers: 1, Useful: 1, Asked: 1}, "silent 1/0"},
		{"everybody chokes", Facts{State: Fetching, Peers: 5, Useful: 3, Choking: 3}, "choked 3/0"},
		{"about to ask", Facts{State: Fetching, Peers: 5, Useful: 3, Choking: 2}, ""},
		{"leechers that have no more than we", Facts{State: Fetching, Peers: 5, Missing: 9, Nobody: 9, DHT: true, Nodes: 4, Reached: true}, "lacking 5/0, nobody 9/9"},
		{"a part that nobody has", Facts{State: Fetching, Peers: 2, Useful: 2, Choking: 2, Missing: 9, Nobody: 3}, "choked 2/0, nobody 3/9"},

		{"nobody at all", Facts{State: Fetching, Port: 6881, Trackers: []Source{down}, DHT: true, NextDial: mono.Never}, "no peers, tracker A (refused) again, no nodes, unreached 6881/0"},
		{"nobody answers", Facts{State: Fetching, Known: 7, Dialling: 2, NextDial: later, Dials: Dials{Begun: 9, Closed: 4, Unanswered: 3}, DHT: true, Nodes: 1, Reached: true}, "no peers 7/2 again, closed 4/9, no answer 3/9"},
		{"private, its tracker is being asked", Facts{State: Fetching, Private: true, DHT: true, Reached: true, Trackers: []Source{{URL: "A", Asking: true}}}, "no peers, asking A"},
		{"private without a tracker", Facts{State: Fetching, Private: true, DHT: true, Reached: true}, "no peers, no way"},
		{"no DHT, no tracker", Facts{State: Fetching, Reached: true}, "no peers, no way"},
		{"a tracker that works", Facts{State: Fetching, Reached: true, Trackers: []Source{{URL: "A", Alive: true}}}, "no peers"},

		{"the web seed lacks a file", Facts{State: Fetching, WebSeeds: []Source{gone}, Missing: 5, Nobody: 5, DHT: true, Nodes: 3, Reached: true}, "no peers, nobody 5/5, web seed W (HTTP status 404)"},
		{"the web seed lacks one file of several", Facts{State: Fetching, WebSeeds: []Source{{URL: "W", Alive: true, Err: "HTTP status 404", Next: later}}, Missing: 5, Nobody: 5, DHT: true, Nodes: 3, Reached: true}, "nobody 5/5, web seed W (HTTP status 404) again"},
		{"the web seed lacks one file, and gave the others", Facts{State: Fetching, WebSeeds: []Source{{URL: "W", Alive: true, Lacks: 1, LackErr: "c.bin: HTTP status 404"}}, Missing: 5, Nobody: 5, DHT: true, Nodes: 3, Reached: true}, "nobody 5/5, web seed lacks 1/0 W (c.bin: HTTP status 404)"},
		{"the web seed is slow to answer", Facts{State: Fetching, WebSeeds: []Source{{URL: "W", Alive: true}}, Missing: 5}, ""},

		{"a magnet nobody has", Facts{State: NoMetadata, Port: 1, DHT: true, Trackers: []Source{down}}, "metadata, no peers, tracker A (refused) again, no nodes, unreached 1/0"},
		{"a magnet, peers without metadata", Facts{State: NoMetadata, Peers: 2, Reached: true, DHT: true, Nodes: 1}, "metadata, lacking 2/0"},
		{"a magnet that comes", Facts{State: NoMetadata, Peers: 2, Meta: Meta{Got: 4, Size: 14, Sources: 1}, DHT: true}, "metadata 4/14"},
		{"a magnet that is too large", Facts{State: NoMetadata, Peers: 2, Meta: Meta{TooLarge: 1, TooLargeSize: 40, Limit: 30}}, "metadata too large 40/30"},
	} {
		if got := words(Of(&c.f)); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

// Since when a cause holds is told of the cause, not of the snapshot.
func TestCarry(t *testing.T) {
	at := func(s int) mono.Time { return mono.Start + mono.Time(s)*1e9 }
	before := []Cause{{Kind: NoPeers, Since: at(1)}, {Kind: Tracker, What: "A", Since: at(2)}}
	now := []Cause{{Kind: NoPeers}, {Kind: Tracker, What: "B"}, {Kind: Tracker, What: "A"}, {Kind: Silent, Since: at(3)}}
	Carry(before, now, at(9))
	for i, want := range []mono.Time{at(1), at(9), at(2), at(3)} {
		if now[i].Since != want {
			t.Errorf("cause %d since %v, want %v", i, now[i].Since, want)
		}
	}
}
