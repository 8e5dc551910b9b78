package archtest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestRetired holds that words which docs/glossary.md retires do not come back as
// identifiers. testdata/retired.txt has how many declarations are left of each word, in the
// whole module, since code moves between folders: lower a number when you have renamed.
func TestRetired(t *testing.T) {
	glossary, err := os.ReadFile(filepath.Join("..", "..", "docs", "glossary.md"))
	if err != nil {
		t.Fatal(err)
	}
	words := RetiredWords(string(glossary))
	if len(words) == 0 {
		t.Fatal("docs/glossary.md retires no word: is its table gone?")
	}
	counts, found := Retired(module(t), words)
	list := filepath.Join("testdata", "retired.txt")
	text, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	allowed := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var n int
		var word string
		if _, err := fmt.Sscan(line, &n, &word); err != nil {
			t.Fatalf("retired.txt: %q: %v", line, err)
		}
		allowed[word] = n
	}
	if *update { // numbers only fall
		var b strings.Builder
		for _, w := range slices.Sorted(maps.Keys(counts)) {
			fmt.Fprintln(&b, min(counts[w], allowed[w]), w)
		}
		if err := os.WriteFile(list, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range slices.Sorted(maps.Keys(counts)) {
		if counts[w] <= allowed[w] {
			continue
		}
		t.Errorf("%d declarations are called %s, %d are allowed: take another name", counts[w], w, allowed[w])
		for _, f := range found {
			if strings.HasPrefix(f.Text, w+" ") {
				t.Log(f)
			}
		}
	}
}
