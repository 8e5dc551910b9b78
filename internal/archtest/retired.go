package archtest

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
	"unicode"
)

var retiredRow = regexp.MustCompile("(?m)^\\| `?([A-Za-z]+(?:, [A-Za-z]+)*)`? \\|")

// RetiredWords reads the identifiers that docs/glossary.md retires.
func RetiredWords(glossary string) map[string]bool {
	_, table, _ := strings.Cut(glossary, "\n## Retired identifiers\n")
	words := map[string]bool{}
	for _, row := range retiredRow.FindAllStringSubmatch(table, -1) {
		for _, w := range strings.Split(row[1], ", ") {
			words[w] = true
		}
	}
	delete(words, "identifier") // the head of the table
	return words
}

// Retired counts, by word, the packages, functions, methods, types, fields, constants and variables
// of production code with a retired name, or one that contains a retired name of several words:
// GoesOn in EventGoesOn. A single word may be part of another name. It ignores local names: their few
// lines say what they mean.
func Retired(m *Module, words map[string]bool) (counts map[string]int, found []Finding) {
	counts = map[string]int{}
	for _, p := range m.Packages {
		note := func(file, name string, line int) {
			for w := range words { // order does not show: findings are counted and printed by word
				if name == w || severalWords(w) && containsName(name, w) {
					counts[w]++
					found = append(found, Finding{file, line, w + " is retired, in " + name + ": docs/glossary.md says what to use"})
				}
			}
		}
		note(p.Dir, path.Base(p.Dir), 0)
		for _, f := range p.Files {
			at := func(ids ...*ast.Ident) {
				for _, id := range ids {
					note(f.Name, id.Name, m.fset.Position(id.Pos()).Line)
				}
			}
			for _, d := range f.Syntax.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					at(d.Name)
				case *ast.GenDecl:
					for _, s := range d.Specs {
						switch s := s.(type) {
						case *ast.ValueSpec:
							at(s.Names...)
						case *ast.TypeSpec:
							at(s.Name)
							ast.Inspect(s.Type, func(n ast.Node) bool {
								switch n := n.(type) {
								case *ast.FuncType:
									return false // names of arguments
								case *ast.Field:
									at(n.Names...)
								}
								return true
							})
						}
					}
				}
			}
		}
	}
	return counts, found
}

// severalWords reports whether a name such as GoesOn has several words.
func severalWords(name string) bool { return strings.IndexFunc(name[1:], unicode.IsUpper) >= 0 }

// containsName reports whether a name begins with another one, or has it in it as whole words, with
// a capital letter or without.
func containsName(name, part string) bool {
	upper := strings.ToUpper(part[:1]) + part[1:]
	for at := range name {
		rest, ok := strings.CutPrefix(strings.ToUpper(name[at:at+1])+name[at+1:], upper)
		begins := at == 0 || unicode.IsUpper(rune(name[at]))
		if ok && begins && (rest == "" || !unicode.IsLower(rune(rest[0]))) {
			return true
		}
	}
	return false
}
