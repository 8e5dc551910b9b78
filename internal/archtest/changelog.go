package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// changeKinds are the kinds of entries, in the order of CHANGELOG.md.
var changeKinds = []struct{ key, title string }{
	{"Security", "Security"},
	{"Change", "Changes that need attention"},
	{"Feature", "New"},
	{"Enhancement", "Better"},
	{"Fix", "Fixed"},
}

var changeHead = regexp.MustCompile(`^(\w+): ([^\n]*[^.\n])\n\n(\S[^\x00]*)$`)

// Changelog returns CHANGELOG.md, made of the entries under changelog: unreleased ones, then
// each release in a folder VERSION_DATE, the newest first.
func Changelog(m *Module) (string, []Finding, error) {
	folders, err := filepath.Glob(filepath.Join(m.Root, "changelog", "*_*"))
	if err != nil {
		return "", nil, err
	}
	var b strings.Builder
	b.WriteString(`# Changes

What users can notice, the newest first. ` + "`make docs`" + ` writes this page from the entries in [changelog](changelog), one
file for each change ([how](changelog/TEMPLATE)); a test compares it.
`)
	var found []Finding
	section := func(title, folder string) error {
		files, err := filepath.Glob(filepath.Join(folder, "*"))
		if err != nil {
			return err
		}
		entries := map[string][]string{}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				return fmt.Errorf("read an entry of the changelog: %w", err)
			}
			rel, err := filepath.Rel(m.Root, name)
			if err != nil {
				return err
			}
			e := changeHead.FindStringSubmatch(string(text))
			if e == nil || !isKind(e[1]) {
				found = append(found, Finding{filepath.ToSlash(rel), 1, "an entry is a line as changelog/TEMPLATE shows it, without a full stop, an empty line and what users should know"})
				continue
			}
			var body []string
			for _, para := range strings.Split(strings.TrimSpace(e[3]), "\n\n") {
				body = append(body, wrapped(para, "  "))
			}
			entries[e[1]] = append(entries[e[1]], fmt.Sprintf("- **%s.**\n%s\n", e[2], strings.Join(body, "\n\n")))
		}
		fmt.Fprintf(&b, "\n## %s\n", title)
		for _, k := range changeKinds {
			if len(entries[k.key]) > 0 {
				fmt.Fprintf(&b, "\n### %s\n\n%s", k.title, strings.Join(entries[k.key], ""))
			}
		}
		return nil
	}
	if err := section("Unreleased", filepath.Join(m.Root, "changelog", "unreleased")); err != nil {
		return "", nil, err
	}
	for i := len(folders) - 1; i >= 0; i-- {
		version, date, _ := strings.Cut(filepath.Base(folders[i]), "_")
		if err := section(version+" ("+date+")", folders[i]); err != nil {
			return "", nil, err
		}
	}
	return b.String(), found, nil
}

// wrapped breaks a paragraph into indented lines of at most maxColumns.
func wrapped(para, indent string) string {
	var lines []string
	line := ""
	for _, w := range strings.Fields(para) {
		if line != "" && utf8.RuneCountInString(indent+line+" "+w) > maxColumns {
			lines = append(lines, indent+line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return strings.Join(append(lines, indent+line), "\n")
}

func isKind(key string) bool {
	for _, k := range changeKinds {
		if k.key == key {
			return true
		}
	}
	return false
}
