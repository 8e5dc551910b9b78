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
