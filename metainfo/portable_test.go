package metainfo_test

import (
	"testing"

	"shoal/metainfo"
)

func TestWindowsRefuses(t *testing.T) {
	for name, want := range map[string]string{
		"film.mkv": "", "Re: Collection": "a :", `a\b`: `a \`, "what?": "a ?", "a*b": "a *", "a|b": "a |", "<a>": "a <", `"q"`: `a "`,
		"end.": "a dot at the end", "end ": "a blank at the end", "line\nbreak": "a control character",
		"CON": "the name of a device", "nul.txt": "the name of a device", "COM1": "the name of a device", "COM10": "", "CONSOLE": "",
		"é": "", ".hidden": "", "a b": "",
	} {
		if got := metainfo.WindowsRefuses(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestDecomposed(t *testing.T) {
	for name, want := range map[string]bool{"plain": false, "caf\u00e9": false, "cafe\u0301": true, "caf\xe9": false, "\u30d5\u309a": true} {
		if got := metainfo.Decomposed(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
}
