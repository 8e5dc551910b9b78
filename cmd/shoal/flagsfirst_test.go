package main

import (
	"bytes"
	"strings"
	"testing"

	"shoal/internal/cli/ui"
)

// Flags before the name of a command are as those behind it.
func TestFlagsFirst(t *testing.T) {
	root := rootCommand(&ui.Output{}, ui.Env{Stdout: &bytes.Buffer{}})
	for _, c := range []struct{ args, want string }{
		{"--json get x", "get --json x"},
		{"-q get x", "get -q x"},
		{"-v --state s list --json", "list -v --state s --json"},
		{"--state=s --log l verify x", "verify --state=s --log l x"},
		{"-d dir get x", "get -d dir x"},
		{"--json dht get-peers x", "dht get-peers --json x"},
		{"--config c --json tracker", "tracker --config c --json"},
		{"get --json x", "get --json x"},
		{"--json", "--json"},
		{"--json x", "--json x"},
		{"--qqq get x", "--qqq get x"},
		{"--state get", "--state get"}, // get is the value
		{"--version", "--version"},
		{"-- get", "-- get"},
	} {
		if got := strings.Join(flagsFirst(root, strings.Fields(c.args)), " "); got != c.want {
			t.Errorf("%s: %s, want %s", c.args, got, c.want)
		}
	}
	t.Chdir(t.TempDir())
	out, stderr, code := command(t, "--json", "get", "x.torrent")
	if code != ui.ExitSource || !strings.Contains(out+stderr, `"event":"error"`) {
		t.Errorf("--json get: %d, %s%s", code, out, stderr)
	}
}
