package archtest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A Topic groups decision records in their index.
type Topic struct {
	Key   string // what follows "Topic:" in a record
	Title string
	Tools bool // about how we work, not about the code: code need not cite it
}

// Topics are the parts of the index, in its order.
var Topics = []Topic{
	{"design", "How the code is cut", false},
	{"metainfo", "Torrent files and links", false},
	{"requests", "What we request, and from which peer", false},
	{"serving", "Which peers we serve", false},
	{"peers", "Connections and how peers are found", false},
	{"metadata", "Metadata of magnet links", false},
	{"trackers", "Trackers", false},
	{"dht", "The DHT", false},
	{"webseeds", "Web seeds", false},
	{"data", "The path of a byte, and its cost", false},
	{"files", "Files on disk", false},
	{"restarts", "Restarts", false},
	{"limits", "Limits and the queue", false},
	{"people", "What people see", false},
	{"tools", "Tools, tests and dependencies", true},
}

// A Decision is one record under docs/decisions.
type Decision struct {
	Number, Title string
	File          string // name inside the folder
	Topic         Topic
}

var (
	heading = regexp.MustCompile(`^# (\d{4}): (\S.*[^.])\n\nTopic: (\w+)\n`)
	// cites matches "decision 0120" and "decisions 0030, 0087 and 0120" in a comment.
	cites  = regexp.MustCompile(`[Dd]ecisions?\s+\d{4}((, | and |, and )\d{4})*`)
	number = regexp.MustCompile(`\d{4}`)
)

// decisionsDir contains the records, their template and their index.
const decisionsDir = "docs/decisions"

// Records reads the decision records, in the order of their numbers, and finds those without
// a usable heading and those that share a number.
func Records(m *Module) ([]Decision, []Finding, error) {
	files, err := filepath.Glob(filepath.Join(m.Root, filepath.FromSlash(decisionsDir), "[0-9]*.md"))
	if err != nil {
		return nil, nil, err
	}
	var all []Decision
	var found []Finding
	for _, name := range files {
		d := Decision{File: filepath.Base(name)}
		if strings.HasPrefix(d.File, "0000-") {
			continue // the template
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, nil, fmt.Errorf("read a decision record: %w", err)
		}
		at := decisionsDir + "/" + d.File
		head := heading.FindStringSubmatch(string(text))
		if head == nil {
			found = append(found, Finding{at, 1, `a record begins with "# NNNN: A statement without a full stop", an empty line and "Topic: KEY"`})
			continue
		}
		d.Number, d.Title = head[1], head[2]
		i := slices.IndexFunc(Topics, func(t Topic) bool { return t.Key == head[3] })
		switch {
		case !strings.HasPrefix(d.File, d.Number+"-"):
			found = append(found, Finding{at, 1, "the number in the title differs from that of the file"})
		case i < 0:
			found = append(found, Finding{at, 3, fmt.Sprintf("%q is not one of the topics in internal/archtest/decisions.go", head[3])})
		case len(all) > 0 && all[len(all)-1].Number == d.Number:
			found = append(found, Finding{at, 1, all[len(all)-1].File + " has the same number: take the next free one"})
		default:
			d.Topic = Topics[i]
			all = append(all, d)
		}
	}
	return all, found, nil
}

// DecisionIndex returns the text of docs/decisions/README.md.
func DecisionIndex(all []Decision) string {
	var b strings.Builder
	b.WriteString(`# Decisions

What we chose where somebody will ask why, one record each: the context with its figures, the choice, its cost, and
what would change our mind. Code that follows a record cites its number, as in "(decision 0120)". A new record starts
from [the template](0000-template.md) and takes the next free number.

` + "`make docs` writes this page from the first lines of the records; a test compares it.\n")
	section := func(tools bool, level string) {
		for _, t := range Topics {
			if t.Tools != tools {
				continue
			}
			fmt.Fprintf(&b, "\n%s %s\n\n", level, t.Title)
			for _, d := range all {
				if d.Topic == t {
					fmt.Fprintf(&b, "- [%s](%s)\n%s\n", d.Number, d.File, wrapped(d.Title+".", "  "))
				}
			}
		}
	}
	b.WriteString("\n## What the code does\n")
	section(false, "###")
	section(true, "##")
	return b.String()
}

// Cited finds records about code that no comment of production code cites, and citations of records
// that do not exist. Records in excused need no citation; the value says why.
func Cited(m *Module, all []Decision, excused map[string]string) []Finding {
	known := map[string]Decision{}
	for _, d := range all {
		known[d.Number] = d
	}
	cited := map[string]bool{}
	var found []Finding
	for _, p := range m.Packages {
		if p.Dir == "internal/archtest" {
			continue // its comments show how to cite
		}
		for _, f := range p.Files {
			for _, g := range f.Syntax.Comments {
				for _, c := range cites.FindAllString(strings.ReplaceAll(g.Text(), "\n", " "), -1) {
					for _, n := range number.FindAllString(c, -1) {
						cited[n] = true
						if _, ok := known[n]; !ok {
							found = append(found, Finding{f.Name, m.fset.Position(g.Pos()).Line, "there is no decision " + n})
						}
					}
				}
			}
		}
	}
	for _, d := range all {
		switch _, ok := excused[d.Number]; {
		case ok && cited[d.Number]:
			found = append(found, Finding{decisionsDir + "/" + d.File, 0, "it is cited: take it off the list of exceptions"})
		case !ok && !cited[d.Number] && !d.Topic.Tools:
			found = append(found, Finding{decisionsDir + "/" + d.File, 0, "no code cites it: add \"(decision " + d.Number + ")\" to the comment where the rule is"})
		}
	}
	for _, n := range slices.Sorted(maps.Keys(excused)) {
		if _, ok := known[n]; !ok {
			found = append(found, Finding{decisionsDir, 0, "the exception " + n + " has no record"})
		}
	}
	return found
}
