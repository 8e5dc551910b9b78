package main

import (
	"slices"
	"testing"
)

func TestLinksInOneArgument(t *testing.T) {
	const a, b = "0123456789abcdef0123456789abcdef01234567", "1123456789abcdef0123456789abcdef01234567"
	const m, n = "magnet:?xt=urn:btih:" + a + "&dn=one, two", "MAGNET:?xt=urn:btih:" + b
	for arg, want := range map[string][]string{
		m + "," + n:                        {m, n},
		m + "\n" + n:                       {m, n},
		m + " ; " + n:                      {m, n},
		m + "|" + n:                        {m, n},
		a + "," + b:                        {a, b},
		a + "\n" + b + "\n":                {a, b},
		m:                                  {m},
		a:                                  {a},
		a + "\n":                           {a + "\n"},
		m + "," + "magnet:?xt=urn:btih:12": {m + "," + "magnet:?xt=urn:btih:12"},
		a + ", and " + b:                   {a + ", and " + b},
		"http://x.example/?u=" + m:         {"http://x.example/?u=" + m},
		"--name=" + m + "," + n:            {"--name=" + m + "," + n},
		"x.torrent":                        {"x.torrent"},
	} {
		if got := linksIn(arg); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", arg, got, want)
		}
	}
}
