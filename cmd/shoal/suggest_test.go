package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"shoal/internal/cli/ui"
)

// What was mistyped is told with what was probably meant.
func TestMistyped(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ args, says string }{
		{"gte x.torrent --dir .", "did you mean get?"},
		{"sede", "did you mean seed?"},
		{"magnet:?xt=urn:btih:0123456789abcdef0123456789abcdef01234567", "shoal get"},
		{"0123456789abcdef0123456789abcdef01234567", "shoal get"},
		{"get x --onyl a", "did you mean --only?"},
		{"get x --limitup 3", "did you mean --limit-up?"},
		{"create x --only a", "--only is a flag of shoal get"},
		{"get x --qqqqqqqqqq", "see: shoal get --help"},
		{"frob", "see: shoal --help"},
	} {
		_, stderr, code := command(t, strings.Fields(c.args)...)
		if code != ui.ExitUsage || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: %d, %s", c.args, code, stderr)
		}
	}
	for _, c := range []struct{ file, line, says string }{
		{"# a comment\n\nlimt-up = 3\n", "line 3:", "did you mean limit-up?"},
		{"[get]\ndir = \".\"\nonly = \"a\"\nonyl = \"b\"\n", "line 4:", "did you mean only?"},
		{"dir = \".\"\n[gte]\ndir = \".\"\n", "line 2:", "did you mean get?"},
		{"\"max-pers\" = 3\n", "line 1:", "did you mean max-peers?"},
		{"get.onyl = 'x'\n", "line 1:", "did you mean only?"},
		{"[get]\n\nwait = \"soon\"\n", "(line 3)", "write a time"},
		{"limit-up = 'fast'\n", "(line 1)", "not a rate"},
	} {
		path := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"get", "x.torrent", "--config", path}, ui.Env{Stdout: &out, Stderr: &errs, Getenv: os.Getenv, Now: time.Now})
		if said := errs.String(); code != ui.ExitUsage || !strings.Contains(said, c.line) || !strings.Contains(said, c.says) {
			t.Errorf("%q: %d, %s", c.file, code, said)
		}
	}
}

// The lab says before it begins that it would write over something.
func TestLabKeepsNothingOver(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "trace.jsonl"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, stderr, code := command(t, "lab", "--keep", dir)
	if code != ui.ExitUsage || !strings.Contains(stderr, "is not empty") {
		t.Errorf("%d, %s", code, stderr)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "trace.jsonl")); err != nil || string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
}

// What is no command, no topic and no file is told, with what may have been meant: at every depth.
func TestUnknownWords(t *testing.T) {
	for line, want := range map[string]string{
		"help gte":           "did you mean get?",
		"help config shw":    "did you mean show?",
		"help list x":        `there is no "x" below shoal list`,
		"config shw":         "did you mean show?",
		"config frob":        "there are example, show",
		"completion zhs":     "did you mean zsh?",
		"completion tcsh":    `unknown command "tcsh" for "shoal completion"`,
		"dht frob":           "there are find-node, get-peers, ping",
		"lab nonsense":       `lab takes nothing but flags, not "nonsense"`,
		"version extra":      `version takes nothing but flags, not "extra"`,
		"list all":           `list takes nothing but flags, not "all"`,
		"config example x":   `config example takes nothing but flags, not "x"`,
		"get a --frob":       "unknown flag: --frob",
		"www.example.com/x":  "unknown command",
		"show www.a.org/x.t": "write its whole address: https://www.a.org/x.t",
	} {
		var errs strings.Builder
		code := run(t.Context(), strings.Fields(line), ui.Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &errs, Getenv: func(string) string { return "" }, Now: time.Now})
		if code != ui.ExitUsage && code != ui.ExitSource || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit %d, %s\nwant %s", line, code, errs.String(), want)
		}
	}
	for _, line := range []string{"help", "help get", "help exit-codes", "help dht ping"} {
		var out strings.Builder
		if code := run(t.Context(), strings.Fields(line), ui.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: io.Discard, Getenv: func(string) string { return "" }, Now: time.Now}); code != ui.ExitDone || out.Len() < 200 {
			t.Errorf("%s: exit %d, %s", line, code, out.String())
		}
	}
}

// An empty word is mostly a variable that is not set: it stands for no file, and not for the folder that we are in.
func TestEmptyNames(t *testing.T) {
	for _, words := range [][]string{{"create", ""}, {"show", ""}, {"get", ""}, {"get", "a", ""}, {"seed", ""}, {"verify", ""}, {"scrape", ""}, {"serve", ""}, {"move", "", "x"}, {"move", "x", ""}, {"rename", "", "a", "b"}, {"run", ""}, {"forget", ""}} {
		var errs strings.Builder
		code := run(t.Context(), words, ui.Env{Stdin: strings.NewReader(""), Stdout: io.Discard, Stderr: &errs, Getenv: func(string) string { return "" }, Now: time.Now})
		if code != ui.ExitUsage || !strings.Contains(errs.String(), "name is empty") {
			t.Errorf("%q: exit %d, %s", words, code, errs.String())
		}
	}
}

// Commands can be made at the same time.
func TestCommandsAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var out strings.Builder
			run(context.Background(), []string{"get", "--help"}, ui.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: io.Discard, Getenv: func(string) string { return "" }, Now: time.Now})
			if !strings.Contains(out.String(), "Used most:") {
				t.Errorf("help: %s", out.String())
			}
		})
	}
	wg.Wait()
}

// A folder that is a file, is not there or has no name is named as that by every command, before
// anything listens.
func TestFoldersNamed(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	quiet := func(words ...string) (int, string) {
		var errs, out strings.Builder
		code := run(t.Context(), words, ui.Env{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }, Now: time.Now})
		return code, errs.String()
	}
	if err := errors.Join(os.WriteFile("a.bin", []byte("a"), 0o666), os.WriteFile("file", []byte("x"), 0o666)); err != nil {
		t.Fatal(err)
	}
	if code, text := quiet("create", "a.bin"); code != ui.ExitDone {
		t.Fatal(text)
	}
	local := []string{"--listen", "127.0.0.1:0", "--state", filepath.Join(dir, "state")}
	for _, words := range [][]string{
		slices.Concat([]string{"get", "a.bin.torrent", "--dir", "DIR"}, local),
		slices.Concat([]string{"seed", "a.bin.torrent", "--dir", "DIR"}, local),
		slices.Concat([]string{"serve", "a.bin.torrent", "--dir", "DIR"}, local),
		slices.Concat([]string{"run", "a.bin.torrent", "--dir", "DIR"}, local),
		{"verify", "a.bin.torrent", "--dir", "DIR", "--state", "state"},
		{"move", "a.bin.torrent", "DIR", "--state", "state"},
		{"move", "a.bin.torrent", dir, "--dir", "DIR", "--state", "state"},
		{"rename", "a.bin.torrent", "a.bin", "b.bin", "--dir", "DIR", "--state", "state"},
	} {
		for name, want := range map[string]string{"file": "file is a file, and not a folder", "": "empty", "gone/gone": "folder"} {
			words := slices.Clone(words)
			words[slices.Index(words, "DIR")] = name
			code, text := quiet(words...)
			if code != ui.ExitFailed && code != ui.ExitUsage || !strings.Contains(text, want) || strings.Count(text, "\n") < 2 {
				t.Errorf("%q: exit %d, %s", words, code, text)
			}
		}
	}
	for _, name := range []string{"a.bin.torrent ", "a.bin.torrent\n", `"a.bin.torrent"`, "'a.bin.torrent'", " <a.bin.torrent>"} {
		if code, text := quiet("show", name); code != ui.ExitDone {
			t.Errorf("%q: exit %d, %s", name, code, text)
		}
	}
}
