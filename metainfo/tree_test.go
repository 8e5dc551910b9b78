package metainfo

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// str is a bencoded string.
func str(s string) string { return fmt.Sprintf("%d:%s", len(s), s) }

// v1File is a file of a v1 list; attr is such as "p", or empty.
func v1File(attr string, length int, path ...string) string {
	s := "d"
	if attr != "" {
		s += "4:attr" + str(attr)
	}
	s += fmt.Sprintf("6:lengthi%de4:pathl", length)
	for _, p := range path {
		s += str(p)
	}
	return s + "ee"
}

// leaf is a file of a v2 tree.
func leaf(length int) string { return fmt.Sprintf("d0:d6:lengthi%deee", length) }

// hybridOf makes a hybrid of a file list, or of the length of one file, and a tree.
func hybridOf(v1, tree string, total int) []byte {
	pieces := (total + 16383) / 16384
	hashes := strings.Repeat(hash1, pieces)
	return []byte("d4:infod9:file tree" + tree + v1 + "12:meta versioni2e4:name1:n12:piece lengthi16384e6:pieces" + str(hashes) + "ee")
}

// A hybrid names the same files in both of its parts (BEP 52), or is refused. Pad files are in
// the v1 part alone.
func TestHybrids(t *testing.T) {
	list := func(files ...string) string { return "5:filesl" + strings.Join(files, "") + "e" }
	a, b := v1File("", 5, "a"), v1File("", 7, "b")
	pad := v1File("p", 16379, ".pad", "16379")
	tail := v1File("p", 16377, ".pad", "16377")
	deep := func(n int) (v1, tree string) {
		path := make([]string, n)
		for i := range path {
			path[i] = "d"
		}
		return list(v1File("", 5, path...)), strings.Repeat("d1:d", n) + leaf(5) + strings.Repeat("e", n)
	}
	deepest, deepestTree := deep(MaxPathDepth)
	_, deeperTree := deep(MaxPathDepth + 1)
	const differ = "the v1 and v2 parts describe different files"
	for name, c := range map[string]struct {
		v1, tree string
		total    int
		want     string // in the refusal; empty: it is taken
	}{
		"one file":            {"6:lengthi5e", "d1:n" + leaf(5) + "e", 5, ""},
		"two files":           {list(a, pad, b), "d1:a" + leaf(5) + "1:b" + leaf(7) + "e", 16391, ""},
		"pad at the end":      {list(a, pad, b, tail), "d1:a" + leaf(5) + "1:b" + leaf(7) + "e", 32768, ""},
		"folders":             {list(v1File("", 5, "d", "a"), pad, v1File("", 7, "e")), "d1:dd1:a" + leaf(5) + "e1:e" + leaf(7) + "e", 16391, ""},
		"an empty folder":     {list(a), "d1:a" + leaf(5) + "1:ddee", 5, ""},
		"a link":              {list(a, v1File("l", 0, "l")), "d1:a" + leaf(5) + "1:ld0:d4:attr1:leee", 5, ""},
		"an empty file":       {list(a, v1File("", 0, "b")), "d1:a" + leaf(5) + "1:b" + leaf(0) + "e", 5, ""},
		"utf-8 names":         {list("d6:lengthi5e4:pathl1:\xe4e10:path.utf-8l2:\xc3\xa4ee"), "d2:\xc3\xa4" + leaf(5) + "e", 5, ""},
		"as deep as may be":   {deepest, deepestTree, 5, ""},
		"another name":        {list(a), "d1:x" + leaf(5) + "e", 5, differ + `: "a" and "x"`},
		"another single name": {"6:lengthi5e", "d1:x" + leaf(5) + "e", 5, differ + `: "n" and "x"`},
		"another case":        {list(a), "d1:A" + leaf(5) + "e", 5, differ + `: "a" and "A"`},
		"names swapped":       {list(v1File("", 5, "b"), pad, v1File("", 5, "a")), "d1:a" + leaf(5) + "1:b" + leaf(5) + "e", 16389, differ + `: "b" and "a"`},
		"another length":      {list(a), "d1:a" + leaf(6) + "e", 5, differ + `: "a" has 5 and 6 bytes`},
		"lengths swapped":     {list(a, pad, b), "d1:a" + leaf(7) + "1:b" + leaf(5) + "e", 16391, differ + `: "a" has 5 and 7 bytes`},
		"another order":       {list(b, v1File("p", 16377, ".pad", "1"), a), "d1:a" + leaf(5) + "1:b" + leaf(7) + "e", 16389, differ + `: "b" and "a"`},
		"missing in v2":       {list(a, pad, b), "d1:a" + leaf(5) + "e", 16391, differ + `: "b" is only in the v1 part`},
		"missing in v1":       {list(a), "d1:a" + leaf(5) + "1:b" + leaf(7) + "e", 5, differ + `: "b" is only in the v2 part`},
		"nothing in v2":       {list(a), "de", 5, differ + `: "a" is only in the v1 part`},
		"a pad in v2":         {list(a, pad, b), "d4:.padd5:16379" + leaf(16379) + "e1:a" + leaf(5) + "1:b" + leaf(7) + "e", 16391, differ},
		"another folder":      {list(v1File("", 5, "d", "a")), "d1:ed1:a" + leaf(5) + "ee", 5, differ + `: "d/a" and "e/a"`},
		"no folder":           {list(v1File("", 5, "d", "a")), "d1:a" + leaf(5) + "e", 5, differ + `: "d/a" and "a"`},
		"a slash in a name":   {list(v1File("", 5, "d", "a")), "d3:d/a" + leaf(5) + "e", 5, differ},
		"a folder too many":   {list(v1File("", 5, "a")), "d1:nd1:a" + leaf(5) + "ee", 5, differ + `: "a" and "n/a"`},
		"the name as folder":  {"6:lengthi5e", "d1:nd1:n" + leaf(5) + "ee", 5, differ + `: "n" and "n/n"`},
		"too deep":            {deepest, deeperTree, 5, "more than 100 folders deep"},
		"a file and a folder": {list(a), "d1:ad0:d6:lengthi5ee1:b" + leaf(5) + "ee", 5, `"a" is a file and a folder`},
		"a name twice":        {list(a), "d1:a" + leaf(5) + "1:a" + leaf(5) + "e", 5, "a name occurs twice"},
		"a file at the top":   {list(a), "d0:d6:lengthi5eee", 5, "an empty name"},
		"no length":           {list(a), "d1:ad0:deee", 5, "a file without a length"},
		"a negative length":   {list(a), "d1:a" + leaf(-5) + "e", 5, "a file without a length"},
		"a list for a tree":   {list(a), "le", 5, "list instead of dictionary"},
		"a number in it":      {list(a), "d1:ai5ee", 5, "integer instead of dictionary"},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(hybridOf(c.v1, c.tree, c.total))
			var refused *Error
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "" && m == nil, c.want != "" && err == nil:
				t.Errorf("taken, want %q", c.want)
			case c.want != "" && (!errors.As(err, &refused) || !strings.Contains(err.Error(), c.want)):
				t.Errorf("refused with %q, want %q", err, c.want)
			}
		})
	}
}
