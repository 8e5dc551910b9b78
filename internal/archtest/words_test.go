package archtest

import (
	"bufio"
	"flag"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var allWords = flag.Bool("words", false, "TestWords prints every phrase that it finds, also the allowed ones")

// TestWords finds the habits of prose that CONTRIBUTING.md lists. testdata/words.txt has
// how many are left in each folder: the list only shrinks, and a folder without a line has none.
func TestWords(t *testing.T) {
	found, err := Words(module(t))
	if err != nil {
		t.Fatal(err)
	}
	byFolder := map[string][]Finding{}
	for _, f := range found {
		if *allWords {
			t.Log(f)
		}
		byFolder[path.Dir(f.File)] = append(byFolder[path.Dir(f.File)], f)
	}
	allowed := allowedWords(t)
	var list strings.Builder
	for _, dir := range slices.Sorted(maps.Keys(byFolder)) {
		here := byFolder[dir]
		fmt.Fprintln(&list, len(here), dir)
		if len(here) <= allowed[dir] {
			continue
		}
		t.Errorf("%s has %d phrases of this kind, %d are allowed: rewrite one", dir, len(here), allowed[dir])
		for _, f := range here {
			t.Log(f)
		}
	}
	if os.Getenv("SHOAL_WORDS_UPDATE") != "" {
		if err := os.WriteFile(filepath.Join("testdata", "words.txt"), []byte(list.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func allowedWords(t *testing.T) map[string]int {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "words.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	allowed := map[string]int{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var n int
		var dir string
		if _, err := fmt.Sscan(lines.Text(), &n, &dir); err != nil {
			t.Fatalf("words.txt: %q: %v", lines.Text(), err)
		}
		allowed[dir] = n
	}
	return allowed
}

// TestPhrases tries the patterns on a sentence each that they must find, or must let be.
func TestPhrases(t *testing.T) {
	for text, want := range map[string]bool{
		"Whoever dials speaks first.":                      true,
		"A peer who has it":                                true,
		"People who use it every day":                      false,
		"The piece is\nhad.":                               true,
		"Bits gives the list.":                             true,
		"Hosts gives up after a minute.":                   false,
		"as many as are open":                              true,
		"It may not be nil.":                               true,
		"It is opened anew.":                               true,
		"fetch it again with --anew":                       false,
		"That is no block.":                                true,
		"It is no longer there.":                           false,
		"There is no block.":                               false,
		"The `who` command":                                false,
		"which has the catalogue written":                  true,
		"how much is free":                                 false,
		"so many that they wait":                           false,
		"Open returns the file, and an error if it fails.": false,
	} {
		if got := len(wordsIn("f", 1, text)) > 0; got != want {
			t.Errorf("%q: found is %v, want %v", text, got, want)
		}
	}
}
