package cmdline

import (
	"slices"
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	known := []string{"get", "seed", "serve", "create", "limit-up", "limit-down", "ignore-case", "only"}
	for word, want := range map[string][]string{
		"gte": {"get"}, "GET": {"get"}, "creat": {"create"}, "limt-up": {"limit-up"}, "limitup": {"limit-up"}, "onyl": {"only"}, "ignore": {"ignore-case"},
		"xyz": nil, "": nil, "q": nil, strings.Repeat("x", 1000): nil,
	} {
		if got := nearest(word, known); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
