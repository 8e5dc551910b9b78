package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// What the shells ask while something is typed, and that they can read their scripts.
func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		typed []string
		want  []string // what is offered, without its description
		rest  string   // what the shell does beside: 4 nothing, 8 files with these endings, 16 folders
	}{
		{[]string{"ge"}, []string{"get"}, ":4"},
		{[]string{"get", "--limit"}, []string{"--limit-down", "--limit-up"}, ":4"},
		{[]string{"get", ""}, []string{"torrent"}, ":8"},
		{[]string{"get", "--dir", ""}, nil, ":16"},
		{[]string{"seed", "--super-seed", ""}, []string{"auto", "always", "never"}, ":4"},
		{[]string{"completion", ""}, []string{"bash", "fish", "powershell", "zsh"}, ":4"},
	} {
		stdout, stderr, code := command(t, append([]string{"__complete"}, c.typed...)...)
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		last := len(lines) - 1
		var got []string
		for _, l := range lines[:last] {
			word, _, _ := strings.Cut(l, "\t")
			got = append(got, word)
		}
		if code != exitDone || !slices.Equal(got, c.want) || lines[last] != c.rest {
			t.Errorf("%q: code %d, offered %q, then %s; want %q, then %s\n%s", c.typed, code, got, lines[last], c.want, c.rest, stderr)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script, stderr, code := command(t, "completion", shell)
		if code != exitDone || !strings.Contains(script, "__complete") {
			t.Errorf("%s: code %d, %d bytes: %s", shell, code, len(script), stderr)
		}
		program, err := exec.LookPath(shell)
		if err != nil {
			continue // only a shell that is here can read it
		}
		check := exec.Command(program, "-n")
		check.Stdin = strings.NewReader(script)
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s does not read its script: %v: %s", shell, err, out)
		}
	}
}
