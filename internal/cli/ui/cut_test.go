package ui

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
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
			leaks(fmt.Sprint("shorten to ", width), Shorten(line, width, g))
			for _, l := range Wrap(line, width, 9, g) {
				leaks(fmt.Sprint("wrap at ", width), l)
			}
			leaks(fmt.Sprint("limit to ", width), Truncate(line, width, false))
			var b bytes.Buffer
			s := &screen{w: &b, size: func() (int, int) { return width, 24 }, glyphs: g}
			s.draw([]string{line})
			leaks(fmt.Sprint("draw at ", width), b.String())
		}
		if Truncate(line, len(line), true) != line {
			t.Error("what a person asked for is hidden")
		}
	}
}
