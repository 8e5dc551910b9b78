package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"shoal"
)

// A line that is cut shows no part of a passkey, whatever the width: it is hidden first.
func TestCutLinesHideKeys(t *testing.T) {
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
	g := ascii
	for _, u := range []string{
		"http://t.example/announce?passkey=" + key, "http://t.example/" + key + "/announce", "http://me:" + key + "@t.example/announce",
		"//t.example/" + key, "http%253A%252F%252Ft.example%252F" + key + "%252Fannounce",
	} {
		line := `announce: Get "` + u + `": connection refused; again in 30s`
		for width := range len(line) + 2 {
			leaks(fmt.Sprint("shorten to ", width), shorten(line, width, g))
			for _, l := range wrap(line, width, 9, g) {
				leaks(fmt.Sprint("wrap at ", width), l)
			}
			leaks(fmt.Sprint("limit to ", width), limit(line, width, false))
			var b bytes.Buffer
			s := &screen{w: &b, size: func() (int, int) { return width, 24 }, glyphs: g}
			s.draw([]string{line})
			leaks(fmt.Sprint("draw at ", width), b.String())
		}
		if limit(line, len(line), true) != line {
			t.Error("what a person asked for is hidden")
		}
		leaks("brief", brief(strings.Repeat("x", 40)+" "+u))
		leaks("brief", brief(u))

		// A program that is run when a torrent is complete may print its URL.
		for pad := longestNote - len(line); pad < longestNote; pad += 7 {
			var said bytes.Buffer
			out := &output{out: &said, errs: &said}
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
