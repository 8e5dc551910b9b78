package archtest

import "testing"

// TestWords finds the habits of prose that CONTRIBUTING.md lists. None is allowed.
func TestWords(t *testing.T) {
	found, err := Words(module(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
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
