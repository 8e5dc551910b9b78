package archtest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the pages that are generated: the index of decisions and CHANGELOG.md")

// generated compares a page with what the tree makes of it, and writes it with -update.
func generated(t *testing.T, name, want string) {
	t.Helper()
	name = filepath.Join("..", "..", filepath.FromSlash(name))
	if *update {
		if err := os.WriteFile(name, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(name)
	if err != nil || string(got) != want {
		t.Errorf("%s is not what the tree makes of it (%v): run make docs", name, err)
	}
}

// Every decision record has a title and a topic, and stands in the index.
func TestDecisionIndex(t *testing.T) {
	all, found, err := Records(module(t))
	if err != nil {
		t.Fatal(err)
	}
	none(t, found)
	generated(t, decisionsDir+"/README.md", DecisionIndex(all))
}

// uncited are the records about code that no code has to cite.
var uncited = map[string]string{
	"0042": "0048 measured it again and is cited in its place",
}

// Code that follows a decision cites it, so that a reader of the line finds its reason.
func TestDecisionsAreCited(t *testing.T) {
	all, _, err := Records(module(t))
	if err != nil {
		t.Fatal(err)
	}
	none(t, Cited(module(t), all, uncited))
}

// CHANGELOG.md has every entry under changelog, and each entry has the form of its template.
func TestChangelog(t *testing.T) {
	text, found, err := Changelog(module(t))
	if err != nil {
		t.Fatal(err)
	}
	none(t, found)
	generated(t, "CHANGELOG.md", text)
}

func TestDocumentsFitTheScreen(t *testing.T) {
	found, err := LongLines(module(t))
	if err != nil {
		t.Fatal(err)
	}
	none(t, found)
}
