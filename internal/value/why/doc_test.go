package why

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Who reads a trace finds every reason in its description, in the order of the
// list, and none that does not exist.
func TestDescribed(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "trace.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| why | in words |\n|---|---|\n")
	if !found {
		t.Fatal("docs/trace.md has no table of reasons")
	}
	var want strings.Builder
	for w := None + 1; w < count; w++ {
		fmt.Fprintf(&want, "| `%s` | %s |\n", w, w.Words())
	}
	table, _, _ = strings.Cut(table, "\n\n")
	if got := strings.TrimRight(table, "\n") + "\n"; got != want.String() {
		t.Errorf("the table of reasons in docs/trace.md should be\n%s", want.String())
	}
}
