package main

import (
	"slices"
	"testing"

	"shoal/internal/cli/ui"
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

// The value of a flag is never several sources, whatever is in it.
func TestFlagValuesStayWhole(t *testing.T) {
	const a, b = "0123456789abcdef0123456789abcdef01234567", "1123456789abcdef0123456789abcdef01234567"
	const both = a + "," + b
	root := rootCommand(&ui.Output{}, ui.Env{Getenv: func(string) string { return "" }})
	for _, c := range []struct{ args, want []string }{
		{[]string{"get", both, "-d", "x"}, []string{"get", a, b, "-d", "x"}},
		{[]string{"get", "-d", both, both}, []string{"get", "-d", both, a, b}},
		{[]string{"get", "--json", both}, []string{"get", "--json", a, b}},
		{[]string{"get", "--stream", both}, []string{"get", "--stream", a, b}},
		{[]string{"create", "x", "--comment", both}, []string{"create", "x", "--comment", both}},
		{[]string{"scrape", "--info-hash", both}, []string{"scrape", "--info-hash", both}},
		{[]string{"scrape", "--info-hash=" + both}, []string{"scrape", "--info-hash=" + both}},
		{[]string{"get", "-", "--", "-d", both}, []string{"get", "-", "--", "-d", a, b}},
		{[]string{"get", "--no-such-flag", both}, []string{"get", "--no-such-flag", a, b}},
	} {
		if got := apart(root, c.args); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.args, got, c.want)
		}
	}
}
