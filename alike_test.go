package shoal

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
)

// A name that looks the same as one of the torrent's is not found, and the error spells the
// difference.
func TestNotThereSpellsTheDifference(t *testing.T) {
	paths := []string{"t/cafe\u0301/a b.txt", "t/\u0441\u043e\u0440\u0443"}
	for name, want := range map[string]string{
		"t/caf\u00e9/a b.txt":       `"t/caf\u00e9/a b.txt" is not "t/cafe\u0301/a b.txt", which looks the same`,
		"t/caf\u00e9":               `"t/caf\u00e9" is not "t/cafe\u0301"`,
		"t/cafe\u0301/a\u00a0b.txt": `a\u00a0b.txt" is not "t/cafe`,
		"t/copy":                    `is not "t/\u0441\u043e\u0440\u0443"`,
		"t/none":                    "open t/none: file does not exist",
	} {
		err := notThere("open", name, slices.Values(paths))
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+q: %v, want %s", name, err, want)
		}
	}
}
