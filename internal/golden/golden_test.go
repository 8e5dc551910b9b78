package golden

import (
	"strings"
	"testing"
)

// Answers are replaced, prose and commands stay, an empty answer leaves nothing.
func TestPlay(t *testing.T) {
	script := "# prose\n\nsay A\n    old answer\n    of two lines\nquiet\nsay B\n"
	want := "# prose\n\nsay A\n    A\n    A\nquiet\nsay B\n    B\n    B\n"
	machine := func(command string) string {
		word, found := strings.CutPrefix(command, "say ")
		if !found {
			return ""
		}
		return word + "\n" + word
	}
	got := Play(script, machine)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if again := Play(got, machine); again != got {
		t.Errorf("a second run changes the script to\n%s", again)
	}
}

func TestFirstDifferenceNamesTheCommand(t *testing.T) {
	got := firstDifference("go\n    a\n    b\n", "go\n    a\n    c\n")
	if got != "after: go\n want:     b\n  got:     c" {
		t.Errorf("got %q", got)
	}
}

// help shows the comment of the driver and the words of its switches, each once.
func TestDescribe(t *testing.T) {
	src := `package x

// TestScripts plays the scripts. Peers are letters.
func TestScripts(t *testing.T) {
	switch w {
	case "wait", "add":
	}
}

func more() {
	switch w {
	case "add", "":
	case other:
	}
}
`
	want := "TestScripts plays the scripts. Peers are letters.\nwords: add, wait\n"
	if got := describe([]byte(src), "TestScripts"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if d := caller2(); d.name != "TestDescribe" || d.file != "golden_test.go" {
		t.Errorf("the caller is %v", d)
	}
}

func caller2() driver { return caller() }
