package archtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// moduleOf writes a module of the files given and loads it.
func moduleOf(t *testing.T, files map[string]string) *Module {
	t.Helper()
	root := t.TempDir()
	files["go.mod"] = "module m\n"
	for name, text := range files {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// lists compares findings with a fragment of each that is expected, in order.
func lists(t *testing.T, found []Finding, want ...string) {
	t.Helper()
	if len(found) != len(want) {
		t.Fatalf("%d findings, want %d: %v", len(found), len(want), found)
	}
	for i, w := range want {
		if !strings.Contains(found[i].String(), w) {
			t.Errorf("finding %q, want %q", found[i], w)
		}
	}
}

func TestRecordsThatAreBroken(t *testing.T) {
	m := moduleOf(t, map[string]string{
		"docs/decisions/0000-template.md": "# 0000: any\n",
		"docs/decisions/0001-good.md":     "# 0001: It works\n\nTopic: dht\n",
		"docs/decisions/0001-twin.md":     "# 0001: It has the same number\n\nTopic: dht\n",
		"docs/decisions/0002-stop.md":     "# 0002: It ends with a stop.\n\nTopic: dht\n",
		"docs/decisions/0003-topic.md":    "# 0003: It has a topic of its own\n\nTopic: own\n",
		"docs/decisions/0004-bare.md":     "# 0004: It has no topic\n\n**Context.**\n",
		"docs/decisions/0005-other.md":    "# 0006: It has another number\n\nTopic: dht\n",
	})
	all, found, err := Records(m)
	if err != nil {
		t.Fatal(err)
	}
	lists(t, found, "0001-good.md has the same number", "0002-stop.md:1: a record begins", `"own" is not one of the topics`,
		"0004-bare.md:1: a record begins", "0005-other.md:1: the number in the title")
	if len(all) != 1 || all[0].Title != "It works" {
		t.Errorf("records %v", all)
	}
}

func TestCitations(t *testing.T) {
	m := moduleOf(t, map[string]string{
		"a/a.go":      "// Package a follows decisions 0001 and 0002, and\n// decision 0009.\npackage a\n",
		"a/a_test.go": "// Tests cite decision 0003.\npackage a\n",
	})
	tools := Topic{Key: "tools", Tools: true}
	all := []Decision{{Number: "0001"}, {Number: "0002"}, {Number: "0003"}, {Number: "0004", Topic: tools}, {Number: "0005"}}
	lists(t, Cited(m, all, map[string]string{"0005": "why", "0002": "why", "0007": "why"}),
		"there is no decision 0009", "take it off the list", "no code cites it: add \"(decision 0003)\"", "the exception 0007 has no record")
}

func TestRetiredWords(t *testing.T) {
	words := RetiredWords("| kept | of another table |\n\n## Retired identifiers\n\n| identifier | use instead |\n|---|---|\n| `anew` | again |\n| asks, ways | announces |\n| GoesOn | Resumed |\n")
	if len(words) != 4 || !words["anew"] || !words["asks"] || !words["ways"] {
		t.Fatalf("words %v", words)
	}
	m := moduleOf(t, map[string]string{
		"ways/a.go": "package ways\n\ntype anew struct{ asks, fine int }\n\nfunc (anew) ways(asks int) { anew := 1; _ = anew }\n" +
			"\nconst (\n\tEventGoesOn = 1\n\tgoesOnNow = 1\n\tGoesOnly = 1\n\tforgoesOn = 1\n\tasksNext = 1\n)\n",
	})
	counts, _ := Retired(m, words)
	if counts["anew"] != 1 || counts["asks"] != 1 || counts["ways"] != 2 || counts["GoesOn"] != 2 {
		t.Errorf("counts %v: types, fields, methods, packages and compounds count, local names do not", counts)
	}
}

func TestChangelogOfEntries(t *testing.T) {
	m := moduleOf(t, map[string]string{
		"changelog/unreleased/1-fix":       "Fix: It works\n\nBefore,\nit failed.\n",
		"changelog/unreleased/2-feature":   "Feature: It is new\n\nUse it.\n",
		"changelog/unreleased/3-wrong":     "Bug: It is not a kind\n\nText.\n",
		"changelog/0.1.0_2026-01-02/1-old": "Security: A hole is closed\n\nText.\n\nMore.\n",
	})
	got, found, err := Changelog(m)
	if err != nil {
		t.Fatal(err)
	}
	lists(t, found, "changelog/unreleased/3-wrong:1:")
	_, got, _ = strings.Cut(got, "## ")
	want := "Unreleased\n\n### New\n\n- **It is new.**\n  Use it.\n\n### Fixed\n\n- **It works.**\n  Before, it failed.\n" +
		"\n## 0.1.0 (2026-01-02)\n\n### Security\n\n- **A hole is closed.**\n  Text.\n\n  More.\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLongLinesOfDocuments(t *testing.T) {
	long := strings.Repeat("word ", 25)
	m := moduleOf(t, map[string]string{
		"a.md": "short\n" + long + "\n| " + long + "|\n```\n" + long + "\n```\n" + strings.Repeat("é", 120) + "\n",
	})
	found, err := LongLines(m)
	if err != nil {
		t.Fatal(err)
	}
	lists(t, found, "a.md:2:")
}
