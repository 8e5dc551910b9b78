package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"shoal/internal/cli/ui"
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
				r.finish(ui.ExitInterrupted, "error")
			}
		})
	}
}

func bencoded(text string) func(rw http.ResponseWriter, r *http.Request) {
	return func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, text) }
}
