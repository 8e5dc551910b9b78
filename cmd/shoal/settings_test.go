package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/internal/cli/ui"
)

// The command line counts before the environment, that before the file, and there a
// command's own table before what is for all; what is wrong is told with its place.
func TestSettings(t *testing.T) {
	for _, c := range []struct {
		name, file string
		vars       map[string]string
		args       []string
		want       string // of `config show get`, or of the error
	}{
		{"nothing", "", nil, nil, "dir . default"},
		{"for all", `dir = "/all"`, nil, nil, "dir /all FILE"},
		{"its own", "dir = '/all'\n[get]\ndir = '/own'", nil, nil, "dir /own FILE"},
		{"of another command", "[seed]\ndir = '/seeds'", nil, nil, "dir . default"},
		{"environment", `dir = "/all"`, map[string]string{"SHOAL_DIR": "/env"}, nil, "dir /env SHOAL_DIR"},
		{"empty environment", `dir = "/all"`, map[string]string{"SHOAL_DIR": ""}, nil, "dir /all FILE"},
		{"home", `dir = "~/dl"`, map[string]string{"HOME": "/home/me"}, nil, "dir /home/me/dl FILE"},
		{"home of another folder", `incomplete-dir = "~/dl"`, map[string]string{"HOME": "/home/me"}, nil, "incomplete-dir /home/me/dl FILE"},
		{"no home", `dir = "~me/dl"`, map[string]string{"HOME": "/home/me"}, nil, "dir ~me/dl FILE"},
		{"a list", `peer = ["192.0.2.7:1", "192.0.2.8:2"]`, nil, nil, "peer 192.0.2.7:1,192.0.2.8:2 FILE"},
		{"a list in the environment", "", map[string]string{"SHOAL_PEER": "192.0.2.7:1,192.0.2.8:2"}, nil, "peer 192.0.2.7:1,192.0.2.8:2 SHOAL_PEER"},
		{"a bool", "no-dht = true", nil, nil, "no-dht true FILE"},
		{"no setting", "limit-upp = 3", nil, nil, `"limit-upp" is not a setting`},
		{"none of get", "[get]\nhttp = '127.0.0.1:1'", nil, nil, `"http" is not a setting of shoal get`},
		{"of one run", "json = true", nil, nil, `"json" is not a setting`},
		{"no command", "[fetch]\ndir = '.'", nil, nil, `there is no command "fetch"`},
		{"not TOML", "dir = '.'\nlisten 3", nil, nil, "line 2"},
		{"a value that is none", `listen = "6881"`, nil, nil, `listen in FILE: "6881": write an IP address and a port`},
		{"two values", `dir = ["a", "b"]`, nil, nil, "one value is wanted, not 2"},
		{"a table for a value", "[[peer]]\na = 1", nil, nil, "peer: write a text"},
		{"a date", "dir = 1979-05-27", nil, nil, "dir: write a text"},
		{"an environment that is wrong", "", map[string]string{"SHOAL_LISTEN": "x"}, nil, `listen in SHOAL_LISTEN: "x"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(path, []byte(c.file), 0o666); err != nil {
				t.Fatal(err)
			}
			var out, errs strings.Builder
			code := run(t.Context(), []string{"config", "show", "get", "--config", path}, ui.Env{
				Stdout: &out, Stderr: &errs, Now: time.Now, Getenv: func(k string) string { return c.vars[k] },
			})
			got := strings.ReplaceAll(out.String()+errs.String(), path, "FILE")
			wrong := code != ui.ExitDone
			if wrong && code != ui.ExitUsage {
				t.Errorf("exit code %d", code)
			}
			for line := range strings.Lines(got) {
				line = strings.TrimPrefix(strings.Join(strings.Fields(line), " "), "get ")
				if line == c.want || wrong && strings.Contains(line, c.want) {
					return
				}
			}
			t.Errorf("no line %q in:\n%s", c.want, got)
		})
	}
}

// A command gets what is set, and the command line counts more.
func TestSettingsReachTheCommand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(path, []byte("[show]\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	torrent := "testdata/torrents/v1-multi.torrent"
	vars := map[string]string{"SHOAL_CONFIG": path, "SHOAL_DIR": t.TempDir()}
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"verify", torrent}, ui.ExitFailed, vars["SHOAL_DIR"]},
		{[]string{"verify", torrent, "--dir", "testdata"}, ui.ExitFailed, "testdata"},
		{[]string{"verify", torrent, "--config", "nowhere.toml"}, ui.ExitUsage, "nowhere.toml"},
		{[]string{"show", torrent}, ui.ExitDone, "info-hash"},
	} {
		var out, errs strings.Builder
		code := run(t.Context(), c.args, ui.Env{Stdout: &out, Stderr: &errs, Getenv: func(k string) string { return vars[k] }, Now: time.Now})
		if said := out.String() + errs.String(); code != c.code || !strings.Contains(said, c.says) {
			t.Errorf("%v: exit code %d, want %d with %q:\n%s", c.args, code, c.code, c.says, said)
		}
	}
}

// The example has every setting of every command, and does nothing as it is; with the
// marks of its comments gone it is TOML with known names.
func TestExampleSettings(t *testing.T) {
	text, _, _ := command(t, "config", "example")
	for _, c := range []string{"get", "seed", "run", "create", "tracker"} {
		settings := strings.Split(strings.TrimSpace(first(command(t, append([]string{"config", "show", "--json"}, strings.Fields(c)...)...))), "\n")
		for _, line := range settings {
			var e struct{ Event, Name string }
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatal(err)
			}
			if e.Event == "setting" && !strings.Contains(text, "\n#"+e.Name+" = ") {
				t.Errorf("%s of %s is not in it", e.Name, c)
			}
		}
		if len(settings) < 3 {
			t.Errorf("%s has %d settings", c, len(settings))
		}
	}
	path := filepath.Join(t.TempDir(), "config.toml")
	for _, set := range []bool{false, true} {
		in := text
		if set {
			var lines []string
			for line := range strings.Lines(text) {
				if !strings.HasPrefix(line, "# ") {
					line = strings.TrimPrefix(line, "#")
				}
				lines = append(lines, line)
			}
			in = strings.Join(lines, "")
		}
		if err := os.WriteFile(path, []byte(in), 0o666); err != nil {
			t.Fatal(err)
		}
		shown, stderr, _ := command(t, "config", "show", "--config", path)
		if set == strings.Contains(shown, "nothing is set") || strings.Contains(stderr, "there is no") || strings.Contains(stderr, "is not a setting") {
			t.Errorf("set %v: %s%s", set, shown, stderr)
		}
	}
}

func first(stdout, _ string, _ int) string { return stdout }

// In the help of a command with many flags each stands under a heading.
func TestHelpGroups(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		text, _, _ := command(t, append(strings.Fields(cmd.CommandPath())[1:], "--help")...)
		if _, rest, other := strings.Cut(text, "Other flags:"); other {
			t.Errorf("%s: give these flags a place in flagGroups (help.go):%s", cmd.CommandPath(), rest)
		}
		cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(text, "--"+f.Name) {
				t.Errorf("%s: --%s is not in its help", cmd.CommandPath(), f.Name)
			}
		})
		for _, sub := range cmd.Commands() {
			if cmd == cmd.Root() && sub.GroupID == "" && sub.Runnable() {
				t.Errorf("%s has no place in commandGroups (help.go)", sub.CommandPath())
			}
			visit(sub)
		}
	}
	visit(rootCommand(&ui.Output{}, ui.Env{}))
}

// The man pages have their sections, in order, every flag, and nothing that roff takes for a
// request of its own.
func TestManPages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	if _, stderr, code := command(t, "man", dir); code != ui.ExitDone {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil || len(pages) < 20 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	known := []string{".TH", ".SH", ".SS", ".PP", ".TP", ".nf", ".fi", ".RS", ".RE", ".br"}
	for _, name := range pages {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		at := 0
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"} {
			i := strings.Index(text, "\n.SH "+section+"\n")
			if i < at {
				t.Errorf("%s: %s is missing, or not in its place", filepath.Base(name), section)
			}
			at = max(i, at)
		}
		for line := range strings.Lines(text) {
			request, _, _ := strings.Cut(strings.TrimSpace(line), " ")
			if (line[0] == '.' || line[0] == '\'') && !slices.Contains(known, request) {
				t.Errorf("%s: %q", filepath.Base(name), line)
			}
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, "shoal-get.1"))
	if err != nil {
		t.Fatal(err)
	}
	root := rootCommand(&ui.Output{}, ui.Env{})
	get, _, _ := root.Find([]string{"get"})
	get.Flags().VisitAll(func(f *pflag.Flag) {
		if n := strings.Count(string(b), `\fB\-\-`+strings.ReplaceAll(f.Name, "-", `\-`)+`\fR`); n < 1 && !f.Hidden {
			t.Errorf("shoal-get.1: --%s is there %d times", f.Name, n)
		}
	})
	if !strings.Contains(string(b), ".SS Used most") || !strings.Contains(string(b), ".SH EXAMPLES") {
		t.Errorf("shoal-get.1:\n%.2000s", b)
	}
}
