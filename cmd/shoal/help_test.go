package main

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
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
	visit(rootCommand(&output{}, env{}))
}

// taken says what is wrong with the words of a command line, if anything is.
func taken(words []string) error {
	root := rootCommand(&output{}, env{})
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

// The table of exit codes is the same in the help, in docs/exit-codes.md and in
// the source.
func TestExitCodes(t *testing.T) {
	doc, err := os.ReadFile("../../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := make(map[int]string)
	for _, m := range regexp.MustCompile(`(?m)^\| (\d+) \| (.*) \|$`).FindAllStringSubmatch(string(doc), -1) {
		n, _ := strconv.Atoi(m[1])
		documented[n] = strings.ReplaceAll(m[2], "`", "")
	}
	helped := make(map[int]string)
	last := -1
	for line := range strings.Lines(exitCodesHelp) {
		if m := regexp.MustCompile(`^ +(\d+)   (.*)\n$`).FindStringSubmatch(line); m != nil {
			last, _ = strconv.Atoi(m[1])
			helped[last] = m[2]
		} else if rest, ok := strings.CutPrefix(line, "        "); ok && last >= 0 {
			helped[last] += " " + strings.TrimSpace(rest)
		}
	}
	for _, code := range []int{exitDone, exitFailed, exitUsage, exitSource, exitStalled, exitNoSpace, exitInterrupted} {
		if documented[code] == "" || documented[code] != helped[code] {
			t.Errorf("%d is %q in the document and %q in the help", code, documented[code], helped[code])
		}
		if code != exitDone && !strings.Contains(string(doc), "`"+codeNames[code]+"`") {
			t.Errorf("the document lacks the word %q", codeNames[code])
		}
	}
	if len(documented) != len(helped) || len(helped) != len(codeNames)+1 {
		t.Errorf("%d codes in the document, %d in the help, %d in the source", len(documented), len(helped), len(codeNames)+1)
	}
}

// The help of every command fits a terminal of 80 columns.
func TestHelpWidth(t *testing.T) {
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		words := strings.Fields(cmd.CommandPath())[1:]
		stdout, _, code := command(t, append(words, "--help")...)
		if code != exitDone || len(stdout) < 50 {
			t.Errorf("%s: %d, %q", cmd.CommandPath(), code, stdout)
		}
		for line := range strings.Lines(stdout) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > helpWidth {
				t.Errorf("%s --help: %d columns: %s", cmd.CommandPath(), n, line)
			}
		}
		for _, c := range cmd.Commands() {
			visit(c)
		}
	}
	root := rootCommand(&output{}, env{})
	addCompletion(root)
	visit(root)
}
