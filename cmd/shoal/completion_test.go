package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"shoal/internal/cli/ui"
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
		if code != ui.ExitDone || !slices.Equal(got, c.want) || lines[last] != c.rest {
			t.Errorf("%q: code %d, offered %q, then %s; want %q, then %s\n%s", c.typed, code, got, lines[last], c.want, c.rest, stderr)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script, stderr, code := command(t, "completion", shell)
		if code != ui.ExitDone || !strings.Contains(script, "__complete") {
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

// Torrents and their files are offered where they are meant.
func TestCompletesWhatIsMeant(t *testing.T) {
	s := newShare(t)
	state, _ := ran(t, s)
	offer := func(typed ...string) string {
		stdout, _, _ := command(t, append([]string{"__complete"}, typed...)...)
		var got []string
		for line := range strings.Lines(stdout) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			got = append(got, word)
		}
		return strings.Join(got, " ")
	}
	for _, c := range []struct {
		typed []string
		want  string
	}{
		{[]string{"forget", "--state", state, ""}, "files :4"},
		{[]string{"move", "--state", state, "fi"}, "files :4"},
		{[]string{"move", "--state", state, "files", ""}, ":16"},
		{[]string{"verify", "--state", state, s.torrent[:len(s.torrent)-3]}, s.torrent + " :4"},
		{[]string{"get", s.torrent, "--only", ""}, "one.bin sub/empty sub/two.bin three :4"},
		{[]string{"get", s.torrent, "--skip", "sub/"}, "sub/empty sub/two.bin :4"},
		{[]string{"get", "files", "--state", state, "--only", "o"}, "one.bin :4"},
		{[]string{"get", s.torrent, "--stream=t"}, "three :4"},
		{[]string{"rename", "--state", state, "files", "on"}, "one.bin :4"},
	} {
		if got := offer(c.typed...); got != c.want {
			t.Errorf("%q: %q, want %q", c.typed, got, c.want)
		}
	}
}

// bash completes without another package, also words with : and = in them.
func TestBashAlone(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	if script, _, code := command(t, "completion", "bash"); code != ui.ExitDone || script != bashScript {
		t.Errorf("%d, %.100s", code, script)
	}
	for _, c := range []struct{ line, out, want string }{
		{"shoal ge", "get\tGet\n:4", "get"},
		{"shoal get --dir=x", "xy\n:4", "xy"},
		{"shoal get magnet:a", "magnet:ab\n:4", "ab"},
		{"shoal forget my", "my film\tx\nother\n:4", `my\ film`},
	} {
		program := bashScript + `
shoal() { printf '` + strings.NewReplacer("\n", `\n`, "\t", `\t`).Replace(c.out) + `\n'; }
COMP_LINE=` + ui.Quoted(c.line) + `; COMP_POINT=${#COMP_LINE}
COMP_WORDBREAKS=$' \t\n"\'><=;|&(:'
eval "COMP_WORDS=(` + strings.NewReplacer("=", " = ", ":", " : ").Replace(c.line) + `)"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_shoal
printf '%s|' "${COMPREPLY[@]}"
`
		cmd := exec.Command(bash, "--norc", "--noprofile", "-c", program)
		cmd.Env = []string{"PATH=/nothing"}
		out, err := cmd.CombinedOutput()
		if err != nil || string(out) != c.want+"|" {
			t.Errorf("%s: %s, %v; want %s", c.line, out, err, c.want)
		}
	}
}
