package archtest

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// unordered matches the remark that the order of a loop over a map has no consequence, and why: "//
// order does not show: the counts are summed".
var unordered = regexp.MustCompile(`order does not show: *\S`)

const orderAdvice = `the order of a map differs from run to run, so a replay would differ too. ` +
	`Keep a slice (a map is an index, not a list), sort the keys, or, where no effect, byte, choice or trace depends on the order, ` +
	`say so on the line above: "// order does not show: REASON"`

// MapOrder finds where a pure package ranges over a map, directly or through maps.Keys, Values or
// All without sorting at once, and no remark says that the order does not show.
func MapOrder(m *Module, rooms []Room) []Finding {
	return mapOrder(m, rooms, stdImporter())
}

func mapOrder(m *Module, rooms []Room, std types.Importer) []Finding {
	c := &checker{m: m, std: std, done: map[string]*types.Package{}, info: &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{},
	}}
	var found []Finding
	for _, p := range purePackages(m, rooms) {
		if _, err := c.check(p.Dir); err != nil {
			found = append(found, Finding{File: p.Dir, Text: "the types could not be worked out: " + err.Error()})
			continue
		}
		for _, f := range p.Files {
			found = append(found, c.mapRanges(f)...)
			found = append(found, mapIterators(m, f)...)
		}
	}
	return found
}

func (c *checker) mapRanges(f *File) []Finding {
	var found []Finding
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		loop, ok := n.(*ast.RangeStmt)
		if !ok || remarked(c.m.fset, f, loop.Pos()) {
			return true
		}
		switch t := c.info.TypeOf(loop.X); {
		case t == nil || t == types.Typ[types.Invalid]:
			found = append(found, c.m.at(f, loop.Pos(), "range over something whose type could not be worked out: %s", c.reason()))
		case isMap(t):
			found = append(found, c.m.at(f, loop.Pos(), "range over a map: %s", orderAdvice))
		}
		return true
	})
	return found
}

// mapIterators finds uses of package maps that return a map's own order.
func mapIterators(m *Module, f *File) []Finding {
	sorted := map[token.Pos]bool{} // positions of calls inside slices.Sorted and its kin
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 {
			return true
		}
		if fun, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"Sorted", "SortedFunc", "SortedStableFunc"}, fun.Sel.Name) {
			sorted[call.Args[0].Pos()] = true
		}
		return true
	})
	var found []Finding
	uses(f, func(importPath, name string, pos token.Pos) {
		gives := slices.Contains([]string{"Keys", "Values", "All", "DeleteFunc"}, name)
		if importPath == "maps" && gives && !sorted[pos] && !remarked(m.fset, f, pos) {
			found = append(found, m.at(f, pos, "maps.%s: %s", name, orderAdvice))
		}
	})
	return found
}

// isMap resolves named types, and type parameters to the types that they allow.
func isMap(t types.Type) bool {
	if p, ok := t.(*types.TypeParam); ok {
		return isMap(p.Constraint())
	}
	switch u := t.Underlying().(type) {
	case *types.Map:
		return true
	case *types.Interface:
		for e := range u.EmbeddedTypes() {
			if isMap(e) {
				return true
			}
		}
	case *types.Union:
		for term := range u.Terms() {
			if isMap(term.Type()) {
				return true
			}
		}
	}
	return false
}

// remarked reports whether the line, or the comment that ends on the line above, has the remark.
func remarked(fset *token.FileSet, f *File, pos token.Pos) bool {
	line := fset.Position(pos).Line
	for _, group := range f.Syntax.Comments {
		first, last := fset.Position(group.Pos()).Line, fset.Position(group.End()).Line
		if first <= line && line-1 <= last && unordered.MatchString(group.Text()) {
			return true
		}
	}
	return false
}

// A checker computes the types of the module's packages, each once.
type checker struct {
	m    *Module
	std  types.Importer
	done map[string]*types.Package // by folder
	info *types.Info
	lost error // error of the first import that failed
}

// check types the package in a folder. It ignores errors in the source: the compiler reports those
// better, and a loop whose type they hide is a finding of its own.
func (c *checker) check(dir string) (*types.Package, error) {
	if p, ok := c.done[dir]; ok {
		return p, nil
	}
	var files []*ast.File
	for _, p := range c.m.Packages {
		if p.Dir == dir {
			for _, f := range p.Files {
				files = append(files, f.Syntax)
			}
		}
	}
	conf := types.Config{Importer: c, Error: func(error) {}}
	p, err := conf.Check(c.m.Path+"/"+dir, c.m.fset, files, c.info)
	if p == nil {
		return nil, err
	}
	c.done[dir] = p
	return p, nil
}

// Import serves the type checker: packages of the module from their parsed files, all others from
// the sources of the standard library.
func (c *checker) Import(importPath string) (*types.Package, error) {
	if dir, ok := c.m.local(importPath); ok {
		return c.check(dir)
	}
	p, err := c.std.Import(importPath)
	if err != nil && c.lost == nil {
		c.lost = fmt.Errorf("import %q: %w", importPath, err)
	}
	return p, err
}

// reason says why a type is unknown. The package with the loop is not to blame for a library that
// could not be read.
func (c *checker) reason() string {
	if c.lost != nil {
		return c.lost.Error()
	}
	return "does the package compile?"
}

// stdImporter reads the standard library's sources without the files that need cgo: pure packages
// import none of those. It is kept, since reading is most of the work. It is not safe for
// concurrent use.
var stdImporter = sync.OnceValue(func() types.Importer {
	build.Default.CgoEnabled = false
	if build.Default.GOROOT == "" {
		root, err := goRoot()
		if err != nil {
			return noImporter{err}
		}
		build.Default.GOROOT = root
	}
	return importer.ForCompiler(token.NewFileSet(), "source", nil)
})

// goRoot finds the Go installation, which a binary built with -trimpath does not know. The go
// command puts its own folder first in the PATH of the tests that it runs. Running "go env" comes
// second: starting a process can fail on a busy machine.
func goRoot() (string, error) {
	command, err := exec.LookPath("go")
	if err != nil {
		return "", fmt.Errorf("find the sources of the standard library: %w", err)
	}
	if real, err := filepath.EvalSymlinks(command); err == nil {
		root := filepath.Dir(filepath.Dir(real))
		if _, err := os.Stat(filepath.Join(root, "src", "builtin", "builtin.go")); err == nil {
			return root, nil
		}
	}
	out, err := exec.Command(command, "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("find the sources of the standard library: %s env GOROOT: %w", command, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// noImporter imports nothing, and returns its error.
type noImporter struct{ err error }

func (n noImporter) Import(string) (*types.Package, error) { return nil, n.err }
