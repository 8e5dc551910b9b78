package transfer

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"shoal"
	"shoal/internal/cli/ui"
)

// A program that runs when a torrent is complete may print a URL: where its line is cut, no
// part of a passkey shows.
func TestCutNotesHideKeys(t *testing.T) {
	const key = "5ec2e7a0b1c2d3e4f5a6b7c8d9e0f1a2"
	leaks := func(what, text string) {
		t.Helper()
		for i := 0; i+6 <= len(key); i++ {
			if strings.Contains(text, key[i:i+6]) {
				t.Errorf("%s shows a part of the key: %q", what, text)
				return
			}
		}
	}
	for _, u := range []string{
		"http://t.example/announce?passkey=" + key, "http://t.example/" + key + "/announce", "http://me:" + key + "@t.example/announce",
		"//t.example/" + key, "http%253A%252F%252Ft.example%252F" + key + "%252Fannounce",
	} {
		line := `announce: Get "` + u + `": connection refused; again in 30s`
		for pad := longestNote - len(line); pad < longestNote; pad += 7 {
			var said bytes.Buffer
			out := &ui.Output{Out: &said, Errs: &said}
			w := &noteWriter{out: out}
			text := strings.Repeat("word ", pad/5) + line
			fmt.Fprint(w, text)
			w.end()
			leaks("a line of a program", said.String())
			if got := strings.Join(strings.Fields(said.String()), " "); got != strings.Join(strings.Fields(shoal.Redact(text)), " ") {
				t.Fatalf("a line of a program lost bytes: %d of %d", len(got), len(text))
			}
		}
	}
}
