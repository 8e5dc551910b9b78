package why

import "testing"

// Every reason has a name of its own and words, so that no trace shows a blank.
func TestEveryReasonHasWords(t *testing.T) {
	seen := map[string]Why{}
	for w := None + 1; w < count; w++ {
		if w.String() == "" || w.Words() == "" {
			t.Errorf("reason %d has no name or no words", w)
		}
		if other, ok := seen[w.String()]; ok {
			t.Errorf("reasons %d and %d share the name %q", other, w, w)
		}
		seen[w.String()] = w
	}
	if got := count.String(); got != "unknown" {
		t.Errorf("a reason outside the list is called %q", got)
	}
}
