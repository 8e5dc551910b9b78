package archtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Documented finds packages without a package comment.
func Documented(m *Module) []Finding {
	var found []Finding
	for _, p := range m.Packages {
		if len(p.Files) == 0 {
			found = append(found, Finding{File: p.Dir, Text: "a package of tests alone has no place for its comment: add a doc.go that says what is tested"})
			continue
		}
		has := slices.ContainsFunc(p.Files, func(f *File) bool {
			return f.Syntax.Doc != nil && strings.TrimSpace(f.Syntax.Doc.Text()) != ""
		})
		if !has {
			found = append(found, Finding{File: p.Dir, Text: "no package comment: say what it decides or does, what owns its state, which BEPs it speaks"})
		}
	}
	return found
}

// named matches text between backquotes in a document.
var named = regexp.MustCompile("`([^`\n]+)`")

// inMap matches a path of the source tree: folders under internal and cmd, and
// Go files anywhere.
var inMap = regexp.MustCompile(`^((internal|cmd)(/[a-z0-9_.-]+)+|[a-z0-9_/-]+\.go)$`)

// OnTheMap finds packages that ARCHITECTURE.md does not name, and folders and files that it names
// but that do not exist. It names a package by its folder in backquotes.
func OnTheMap(m *Module) ([]Finding, error) {
	const doc = "ARCHITECTURE.md"
	text, err := os.ReadFile(filepath.Join(m.Root, doc))
	if err != nil {
		return nil, fmt.Errorf("read the map of the packages: %w", err)
	}
	var found []Finding
	names := map[string]bool{}
	for i, line := range strings.Split(string(text), "\n") {
		for _, match := range named.FindAllStringSubmatch(line, -1) {
			name := strings.TrimSuffix(match[1], "/")
			names[name] = true
			if !inMap.MatchString(name) {
				continue
			}
			if _, err := os.Stat(filepath.Join(m.Root, filepath.FromSlash(name))); errors.Is(err, fs.ErrNotExist) {
				found = append(found, Finding{File: doc, Line: i + 1, Text: name + " is named and does not exist"})
			}
		}
	}
	for _, p := range m.Packages {
		if name := p.Dir; name != "." && !names[name] {
			found = append(found, Finding{File: name, Text: "the package is not named in " + doc + ": add `" + name + "` there"})
		}
	}
	return found, nil
}

// Decided finds direct requirements of go.mod that no decision record under
// docs/decisions names.
func Decided(m *Module) ([]Finding, error) {
	records, err := filepath.Glob(filepath.Join(m.Root, "docs", "decisions", "*.md"))
	if err != nil {
		return nil, err
	}
	var all strings.Builder
	for _, name := range records {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read a decision record: %w", err)
		}
		all.Write(text)
	}
	var found []Finding
	for _, r := range m.Requires {
		if !r.Indirect && !strings.Contains(all.String(), "`"+r.Module+"`") {
			found = append(found, Finding{
				File: "go.mod", Line: r.Line,
				Text: "no record in docs/decisions names `" + r.Module + "`: a dependency is decided once, in writing",
			})
		}
	}
	return found, nil
}

// maxColumns is the maximum width of a document's lines: two panes on a usual screen.
const maxColumns = 120

// LongLines finds lines of documents that are too wide to read in a terminal. It ignores tables and
// code, which can't be broken.
func LongLines(m *Module) ([]Finding, error) {
	var found []Finding
	err := documents(m, func(name string, text []byte) {
		if path.Ext(name) != ".md" {
			return
		}
		for i, line := range strings.Split(string(withoutCode(text)), "\n") {
			if utf8.RuneCountInString(line) > maxColumns && !strings.HasPrefix(line, "|") {
				found = append(found, Finding{name, i + 1, fmt.Sprintf("the line has more than %d columns: break it", maxColumns)})
			}
		}
	})
	return found, err
}
