package golden

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// helpVerb is the command that every script has.
const helpVerb = "help"

// driver is the test function that calls Run, where a driver is defined.
type driver struct{ file, name string }

// caller returns the function that called Run.
func caller() driver {
	pc, file, _, _ := runtime.Caller(2)
	name := runtime.FuncForPC(pc).Name()
	_, name, _ = strings.Cut(name[strings.LastIndexByte(name, '/')+1:], ".")
	name, _, _ = strings.Cut(name, ".")      // the function around a closure
	return driver{filepath.Base(file), name} // a test runs in the folder of its package
}

// help answers the verb help: the comment of the driver, then each word that the file compares a
// command with. So it can't go out of date.
func (d driver) help() string {
	src, err := os.ReadFile(d.file)
	if err != nil {
		return err.Error()
	}
	return describe(src, d.name)
}

// describe is help for the source of a file and the name of the function.
func describe(src []byte, name string) string {
	f, err := parser.ParseFile(token.NewFileSet(), "", src, parser.ParseComments)
	if err != nil {
		return err.Error()
	}
	var out strings.Builder
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == name {
			out.WriteString(fn.Doc.Text())
		}
	}
	if words := words(f); len(words) > 0 {
		out.WriteString("words: " + strings.Join(words, ", ") + "\n")
	}
	return out.String()
}

// words returns the string literals in the cases of all switches of a file, sorted.
func words(f *ast.File) (words []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		c, ok := n.(*ast.CaseClause)
		if !ok {
			return true
		}
		for _, e := range c.List {
			if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if w, err := strconv.Unquote(lit.Value); err == nil && w != "" {
					words = append(words, w)
				}
			}
		}
		return true
	})
	slices.Sort(words)
	return slices.Compact(words)
}
