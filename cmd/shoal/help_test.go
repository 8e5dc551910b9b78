package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"shoal/internal/cli/ui"
)

// Every example in the help texts is a command line that is taken, and every
// command has some.
func TestHelpExamples(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		if cmd.Example == "" && cmd.Runnable() && !cmd.HasSubCommands() && cmd.Name() != "version" && cmd.Name() != "help" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		for line := range strings.Lines(strings.ReplaceAll(cmd.Example, " \\\n", "")) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " | ")
			words := shellWords(strings.TrimPrefix(line, "sudo "))
			if words[0] != "shoal" {
				t.Errorf("%s: the example %q is of another program", cmd.CommandPath(), line)
				continue
			}
			if err := taken(words[1:]); err != nil {
				t.Errorf("%s: the example %q is not taken: %v", cmd.CommandPath(), line, err)
			}
		}
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	visit(rootCommand(&ui.Output{}, ui.Env{}))
}

// taken says what is wrong with the words of a command line, if anything is.
func taken(words []string) error {
	root := rootCommand(&ui.Output{}, ui.Env{})
	found, args, err := root.Find(words)
	if err == nil {
		err = found.ParseFlags(args)
	}
	if err == nil {
		err = found.ValidateArgs(found.Flags().Args())
	}
	if err == nil && found == root {
		err = errors.New("it names no command")
	}
	return err
}

// Every command that the README and docs/commands.md show is taken.
func TestReadmeCommands(t *testing.T) {
	var b []byte
	for _, name := range []string{"README.md", "docs/commands.md"} {
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, text...)
	}
	shown, sh := 0, false
	for line := range strings.Lines(string(b)) {
		line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
		if strings.HasPrefix(line, "```") {
			sh = line == "```sh"
		}
		if !sh || !strings.HasPrefix(line, "shoal ") {
			continue
		}
		if shown++; strings.Contains(line, "| ") {
			t.Fatalf("%q is more than a command", line)
		}
		if err := taken(shellWords(strings.TrimSpace(line))[1:]); err != nil {
			t.Errorf("%q is not taken: %v", line, err)
		}
	}
	if shown < 10 {
		t.Errorf("it shows %d commands", shown)
	}
}

// shellWords splits as a shell does, as far as the examples need it.
func shellWords(line string) []string {
	var words []string
	for _, m := range regexp.MustCompile(`"([^"]*)"|\S+`).FindAllStringSubmatch(line, -1) {
		if m[1] != "" {
			m[0] = m[1]
		}
		words = append(words, m[0])
	}
	return words
}

// The help of every command fits a terminal of 80 columns.
func TestHelpWidth(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		words := strings.Fields(cmd.CommandPath())[1:]
		stdout, _, code := command(t, append(words, "--help")...)
		if code != ui.ExitDone || len(stdout) < 50 {
			t.Errorf("%s: %d, %q", cmd.CommandPath(), code, stdout)
		}
		for line := range strings.Lines(stdout) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
				t.Errorf("%s --help: %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
		for _, c := range cmd.Commands() {
			visit(c)
		}
	}
	root := rootCommand(&ui.Output{}, ui.Env{})
	addCompletion(root)
	visit(root)
}
