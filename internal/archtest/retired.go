package archtest

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
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
// of production code with a retired name. It ignores local names: their few lines say what they
// mean.
func Retired(m *Module, words map[string]bool) (counts map[string]int, found []Finding) {
	counts = map[string]int{}
	for _, p := range m.Packages {
		note := func(file, name string, line int) {
			if words[name] {
				counts[name]++
				found = append(found, Finding{file, line, name + " is retired: docs/glossary.md says what to use"})
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
