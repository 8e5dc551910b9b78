package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"shoal"
)

// While metadata is looked for, a program hears what the tracker says, and that the torrent
// waits for it, as of any torrent.
func TestLookingTellsTrackers(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(rw http.ResponseWriter, r *http.Request)
		words  string
		ways   int
	}{
		"refused":    {bencoded("d14:failure reason20:unregistered torrente"), "unregistered torrent", 3},
		"for a time": {bencoded("d14:failure reason12:come at noon8:intervali60ee"), "come at noon", 1},
		"a page":     {http.NotFound, "404", 1},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(c.answer))
			defer server.Close()
			link := "magnet:?xt=urn:btih:" + strings.Repeat("cd", 20) + "&tr=" + server.URL + "/announce"
			ways := [][]string{
				{"get", link, "--dir", t.TempDir()},
				{"get", link, "--metadata-only", "-o", t.TempDir() + "/a.torrent"},
				{"seed", link, "--dir", t.TempDir()},
			}
			for _, args := range ways[:c.ways] {
				r := start(t, append(args, "--no-dht", "--no-lsd", "--listen", "127.0.0.1:0", "--state", "none")...)
				r.await("tracker", func(e map[string]any) bool {
					text, _ := e["error"].(string)
					return strings.Contains(text, c.words)
				})
				r.await("looking", func(e map[string]any) bool {
					causes, _ := e["waiting"].([]any)
					for _, cause := range causes {
						if m := cause.(map[string]any); m["kind"] == "tracker" && strings.Contains(m["error"].(string), c.words) {
							return true
						}
					}
					return false
				})
				r.signals <- os.Interrupt
				r.finish(exitInterrupted, "error")
			}
		})
	}
}

func bencoded(text string) func(rw http.ResponseWriter, r *http.Request) {
	return func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, text) }
}

// Into a file or pipe the tracker's words come when it says them, once, and every ten seconds
// all that is waited for; events come when something changes.
func TestLookingLines(t *testing.T) {
	now := time.Unix(1e9, 0)
	play := func(json bool) string {
		var text bytes.Buffer
		out := &output{json: json, now: func() time.Time { return now }, out: &text, errs: io.Discard}
		l := seeker{out: out, began: now}
		l.folds.now, l.folds.say = out.now, func(line string) { out.say("%s", line) }
		failing := shoal.TrackerStats{URL: "http://tracker.example/announce?passkey=0123456789abcdef0123456789abcdef", State: "failing", Err: "go away"}
		st := shoal.MagnetStats{Waiting: []shoal.Cause{{Kind: shoal.CauseMetadata}, {Kind: shoal.CauseNoPeers}}}
		for i := range 13 {
			if i == 2 {
				st.Trackers = append(st.Trackers, failing)
				st.Waiting = append(st.Waiting, shoal.Cause{Kind: shoal.CauseTracker, URL: failing.URL, Err: failing.Err, Next: now.Add(time.Minute)})
			}
			l.look("ab", "name", st)
			now = now.Add(time.Second)
		}
		l.folds.flush(true)
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
