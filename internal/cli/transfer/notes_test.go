package transfer

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"shoal/internal/cli/ui"
)

func TestSplitWords(t *testing.T) {
	for text, want := range map[string][]string{
		"a b": {"a", "b"}, ` a  'b c' "d e"f `: {"a", "b c", "d ef"}, `a\ b`: {"a b"}, `"a\"b" 'c\d'`: {`a"b`, `c\d`}, `""`: {""},
		"$HOME `x` *": {"$HOME", "`x`", "*"}, `"x\y"`: {`x\y`}, "": nil, "\t\n": nil,
	} {
		if got, err := splitWords(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`'a`, `"a`, `a\`, `a '"`} {
		if got, err := splitWords(text); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
}

// A line of a program that is too long becomes several, and no letter of it is lost.
func TestLongNotes(t *testing.T) {
	for _, n := range []int{1, longestNote - 1, longestNote, longestNote + 1, 3*longestNote + 7} {
		for _, each := range []int{1, 1000, 1 << 20} {
			var errs bytes.Buffer
			w := &noteWriter{out: &ui.Output{Errs: &errs, Now: time.Now}}
			text := strings.Repeat("abcdefghij", n/10+1)[:n] + "\nend"
			for b := []byte(text); len(b) > 0; b = b[min(len(b), each):] {
				w.Write(b[:min(len(b), each)])
			}
			w.end()
			if got := strings.ReplaceAll(errs.String(), "\n", ""); got != strings.ReplaceAll(text, "\n", "") || !strings.HasSuffix(errs.String(), "\nend\n") {
				t.Errorf("%d letters in parts of %d: %d came", n, each, len(got))
			}
		}
	}
}

// The last line of a program is told without a line break behind it, too.
func TestLastWords(t *testing.T) {
	var errs strings.Builder
	w := &noteWriter{out: &ui.Output{Out: &errs, Errs: &errs}}
	if _, err := w.Write([]byte("one\ntwo")); err != nil {
		t.Fatal(err)
	}
	w.end()
	if errs.String() != "one\ntwo\n" {
		t.Errorf("%q", errs.String())
	}
}
