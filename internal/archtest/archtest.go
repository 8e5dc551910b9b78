// Package archtest checks the rules that keep the architecture true: which package may import
// which, what the deciding packages may touch, that one package opens all sockets, and that each
// package is documented and on the map. It parses the sources with the standard library alone, so
// the rules run wherever go test runs. The checks are plain functions from a loaded module to
// findings. The tests of this package apply them to the module itself and to the small modules
// under testdata, which break each rule on purpose.
package archtest

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Finding is one violation of a rule.
type Finding struct {
	File string // relative to the module's root, with slashes
	Line int    // 0 when the finding is about the whole file or folder
	Text string // what is wrong there, and what to do instead
}

// String returns the finding as "file:line: text".
func (f Finding) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s", f.File, f.Text)
	}
	return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Text)
}

// Module is the parsed source of a Go module.
type Module struct {
	Root     string // folder with go.mod
	Path     string // the module's import path
	Requires []Requirement
	Packages []*Package // by folder

	fset *token.FileSet
}

// Package is one folder with Go files. Test files are left out: the rules bind shipped code, and a
// test may use anything that helps it.
type Package struct {
	Dir   string // relative to the module's root; "." for the root
	Files []*File

	tests bool // whether there are test files, too
}

// File is one parsed Go file.
type File struct {
	Name   string // relative to the module's root, with slashes
	Syntax *ast.File
}

// Requirement is one line of go.mod that names another module.
type Requirement struct {
	Module   string
	Line     int
	Indirect bool
}

// Load parses every package of the module in root. Like the go command it ignores testdata, vendor,
// folders that begin with a dot or an underscore, and folders that are modules of their own.
func Load(root string) (*Module, error) {
	m := &Module{Root: root, fset: token.NewFileSet()}
	if err := m.readGoMod(); err != nil {
		return nil, err
	}
	packages := map[string]*Package{}
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if rel != "." && passOver(name) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(rel, ".go") || strings.HasPrefix(d.Name(), "_") || strings.HasPrefix(d.Name(), ".") {
			return nil
		}
		dir := path.Dir(rel)
		p := packages[dir]
		if p == nil {
			p = &Package{Dir: dir}
			packages[dir] = p
			m.Packages = append(m.Packages, p)
		}
		if strings.HasSuffix(rel, "_test.go") {
			p.tests = true
			return nil
		}
		return m.parse(p, rel)
	})
	if err != nil {
		return nil, fmt.Errorf("load the module in %s: %w", root, err)
	}
	slices.SortFunc(m.Packages, func(a, b *Package) int { return strings.Compare(a.Dir, b.Dir) })
	return m, nil
}

func passOver(dir string) bool {
	base := filepath.Base(dir)
	if base == "testdata" || base == "vendor" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func (m *Module) parse(p *Package, rel string) error {
	src, err := os.ReadFile(filepath.Join(m.Root, filepath.FromSlash(rel)))
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(m.fset, rel, src, parser.ParseComments)
	if err != nil {
		return err
	}
	p.Files = append(p.Files, &File{Name: rel, Syntax: f})
	return nil
}

// readGoMod reads the module's path and requirements from go.mod. It knows only the layout that the
// go command writes, which suffices for a committed go.mod.
func (m *Module) readGoMod() error {
	text, err := os.ReadFile(filepath.Join(m.Root, "go.mod"))
	if err != nil {
		return fmt.Errorf("read the module's name: %w", err)
	}
	inRequire := false
	for i, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		switch {
		case len(words) >= 2 && words[0] == "module":
			m.Path = words[1]
		case len(words) == 2 && words[0] == "require" && words[1] == "(":
			inRequire = true
		case len(words) >= 1 && words[0] == ")":
			inRequire = false
		case len(words) >= 3 && words[0] == "require":
			m.require(words[1:], i+1)
		case inRequire && len(words) >= 2:
			m.require(words, i+1)
		}
	}
	if m.Path == "" {
		return fmt.Errorf("read %s: no module line", filepath.Join(m.Root, "go.mod"))
	}
	return nil
}

func (m *Module) require(words []string, line int) {
	m.Requires = append(m.Requires, Requirement{
		Module:   words[0],
		Line:     line,
		Indirect: slices.Contains(words, "indirect"),
	})
}

// local returns the folder of an import path that belongs to the module.
func (m *Module) local(importPath string) (dir string, ok bool) {
	if importPath == m.Path {
		return ".", true
	}
	return strings.CutPrefix(importPath, m.Path+"/")
}

func (m *Module) at(f *File, pos token.Pos, format string, args ...any) Finding {
	return Finding{File: f.Name, Line: m.fset.Position(pos).Line, Text: fmt.Sprintf(format, args...)}
}

// importsOf returns the import path of each import with its position.
func importsOf(f *File) []importSpec {
	var all []importSpec
	for _, s := range f.Syntax.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			continue // the parser accepts only string literals
		}
		name := ""
		if s.Name != nil {
			name = s.Name.Name
		}
		all = append(all, importSpec{path: p, name: name, pos: s.Pos()})
	}
	return all
}

type importSpec struct {
	path string
	name string // name in the import; empty when it has none
	pos  token.Pos
}

// called returns the name that the file uses for the import.
func (s importSpec) called() string {
	if s.name != "" {
		return s.name
	}
	base := path.Base(s.path)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		return path.Base(path.Dir(s.path)) // math/rand/v2 is called rand
	}
	return base
}

// uses calls visit for every mention pkg.Name of an imported package in the file, such as time.Now.
// It works on syntax alone; the parser's own resolution tells a local variable that hides the
// import from the package.
func uses(f *File, visit func(importPath, name string, pos token.Pos)) {
	byName := map[string]string{}
	for _, s := range importsOf(f) {
		byName[s.called()] = s.path
	}
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if x, ok := sel.X.(*ast.Ident); ok && x.Obj == nil {
			if importPath, ok := byName[x.Name]; ok {
				visit(importPath, sel.Sel.Name, sel.Pos())
			}
		}
		return true
	})
}
