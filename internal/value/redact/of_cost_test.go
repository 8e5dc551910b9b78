package redact

import "testing"

// Of is called for the error and the warning of each tracker in each snapshot, and mostly there is
// neither: then it does not search the URL for secrets.
func TestOfNothingCostsNothing(t *testing.T) {
	const url = "http://tracker.example/0123456789abcdef0123456789abcdef/announce"
	if n := testing.AllocsPerRun(100, func() { _ = Of(url, "") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
