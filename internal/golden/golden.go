// Package golden runs scripts that read like a conversation. A script is a text file: a line is a
// command to a machine, the indented lines under it are the machine's answers, and lines that begin
// with # are prose. Run compares the answers with those of a new run. go test -update writes the
// new answers, and reviewers read the difference like any other change.
//
// In every script the command help lists the commands of its driver. README.md has the forms that
// drivers share. It is for tests only.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the answers in golden scripts")

// indent marks an answer.
const indent = "    "

// Run plays every script that matches pattern. For each it calls start, which returns the machine:
// a function that takes one command and returns zero or more lines.
func Run(t *testing.T, pattern string, start func(t *testing.T) func(command string) string) {
	t.Helper()
	d := caller()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) == 0 {
		t.Fatalf("no script matches %s", pattern)
	}
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), filepath.Ext(name)), func(t *testing.T) {
			file, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want := strings.ReplaceAll(string(file), "\r\n", "\n")
			machine := start(t)
			got := Play(want, func(command string) string {
				if command == helpVerb {
					return d.help()
				}
				return machine(command)
			})
			if got == want {
				return
			}
			if *update {
				if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			t.Errorf("%s: the answers changed (go test -update rewrites them)\n%s", name, firstDifference(want, got))
		})
	}
}

// Play returns the script with the machine's answers in place of its own.
func Play(script string, machine func(command string) string) string {
	var out strings.Builder
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, indent) {
			continue
		}
		line = strings.TrimRight(line, " \n")
		out.WriteString(line + "\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		for answer := range strings.Lines(machine(line)) {
			out.WriteString(indent + strings.TrimRight(answer, " \n") + "\n")
		}
	}
	return out.String()
}

// firstDifference returns the first line that differs, with the command before it.
func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	command := ""
	for i := range max(len(w), len(g)) {
		a, b := at(w, i), at(g, i)
		if a != b {
			return "after: " + command + "\n want: " + a + "\n  got: " + b
		}
		if !strings.HasPrefix(a, indent) && a != "" {
			command = a
		}
	}
	return ""
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(end)"
}
