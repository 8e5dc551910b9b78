package source

import (
	"fmt"
	"strings"
	"testing"

	"shoal/internal/cli/ui"
)

// What a person writes finds files by their names first, then by number, then by pattern.
func TestChooser(t *testing.T) {
	c := &Chooser{Of: "t"}
	for _, p := range []string{
		"t/a[1].mkv", "t/what?.txt", "t/what1.txt", "t/3", "t/Extras/One.MKV", "t/Extras/deep/er/two.mkv", "t/season 1/e01.mkv",
		"t/season 1/e02.mkv", "t/season 2/e01.mkv", "t/star*.txt", "t/starlight.txt", "t/cafe\u0301.txt", "t/back\\slash",
		"t/non\u00a0break/a b.txt", "t/\u0441\u043e\u0440\u0443.mkv", "t/a\u200bb",
	} {
		c.Files = append(c.Files, ChosenFile{Path: p, Size: 1})
	}
	for _, w := range []struct {
		word   string
		folded bool
		want   string // numbers, or what the error says
	}{
		{"a[1].mkv", false, "[1]"},
		{"t/a[1].mkv", false, "[1]"},
		{"what?.txt", false, "[2]"}, // literally, and not what1.txt too
		{"star*.txt", false, "[10]"},
		{"what*.txt", false, "[2 3]"},
		{"3", false, "[4]"}, // the name goes first
		{"2", false, "[2]"},
		{"2,5-7", false, "[2 5 6 7]"},
		{"12-", false, "[12 13 14 15 16]"},
		{"5-5, 1", false, "[1 5]"},
		{"0", false, "numbered from 1"},
		{"17", false, "16 files, numbered from 1"},
		{"3-99", false, "numbered from 1"},
		{"7-5", false, "not a list of numbers"},
		{"1,,2", false, "not a list of numbers"},
		{"99999999999999999999", false, "not a list of numbers"},
		{"Extras", false, "[5 6]"},
		{"Extras/", false, "[5 6]"},
		{"t/Extras/deep", false, "[6]"},
		{"er", false, "[6]"},
		{"extras", true, "[5 6]"},
		{"extras", false, "--ignore-case"},
		{"*.mkv", false, "[1 6 7 8 9 15]"},
		{"*.MKV", true, "[1 5 6 7 8 9 15]"},
		{"**/*.mkv", false, "[1 6 7 8 9 15]"},
		{"Extras/**", false, "[5 6]"},
		{"Extras/**/two.mkv", false, "[6]"},
		{"Extras/**/One.MKV", false, "[5]"},
		{"season ?/e01.mkv", false, "[7 9]"},
		{"season*", false, "[7 8 9]"},
		{"**/er/**", false, "[6]"},
		{"**", false, "[1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16]"},
		{"caf\u00e9.txt", false, "[12]"}, // composed another way
		{`back\slash`, false, "[13]"},
		{"non break", false, `it has "non\u00a0break", which looks the same`},
		{"non break/a b.txt", false, `it has "non\u00a0break/a b.txt", which looks the same`},
		{"t/non break/a\u00a0b.txt", false, "name it by its number, 14"},
		{"copy.mkv", false, `"copy.mkv" fits no file of t; it has "\u0441\u043e\u0440\u0443.mkv"`},
		{"ab", false, "name it by its number, 16"},
		{"what1.txt ", false, "name it by its number, 3"},
		{"what1.txt\u00a0", false, `"what1.txt\u00a0" fits no file`},
		{"[", false, "not a pattern"},
		{`x\`, false, "not a pattern"},
		{"", false, "empty"},
		{" ", false, "empty"},
		{"/", false, "fits no file"},
		{"nothing", false, "fits no file"},
	} {
		c.Folded = w.folded
		found, err := c.find(w.word)
		var numbers []int
		for _, i := range found {
			numbers = append(numbers, i+1)
		}
		if got := fmt.Sprint(numbers); err == nil && got != w.want || err != nil && !strings.Contains(err.Error()+hintOf(err), w.want) {
			t.Errorf("%q (folded %v): %s, %v %s; want %s", w.word, w.folded, got, err, hintOf(err), w.want)
		}
	}
	// The work is bounded.
	hostile := &Chooser{Of: "t", Files: []ChosenFile{{Path: strings.Repeat("a/", 200) + "b"}}}
	if _, err := hostile.find(strings.Repeat("**/", 500) + "c"); err == nil {
		t.Error("it fits")
	}
}

func hintOf(err error) string {
	if f, ok := err.(*ui.Failure); ok {
		return " " + f.Hint
	}
	return ""
}
