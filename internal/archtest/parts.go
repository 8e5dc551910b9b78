package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"path"
	"slices"
	"strings"
)

// partMark marks a struct as a part: a piece of a larger type, with a name and a file of its own.
// Only that file assigns the part's fields, so one file shows how a field gets its value.
const partMark = "//shoal:part"

// Parts finds assignments to the fields of a part outside the file that declares it. Any file may
// set a part as a whole: New has to begin with something.
func Parts(m *Module) []Finding {
	var found []Finding
	for _, p := range m.Packages {
		if marked := markedParts(p); len(marked) > 0 {
			found = append(found, strayAssignments(m, p, marked)...)
		}
	}
	return found
}

// markedParts returns the files that declare the parts of a package, by the type's name.
func markedParts(p *Package) map[string]*File {
	marked := map[string]*File{}
	for _, f := range p.Files {
		structs(f, func(g *ast.GenDecl, s *ast.TypeSpec, _ *ast.StructType) {
			if hasLine(g.Doc, partMark) || hasLine(s.Doc, partMark) {
				marked[s.Name.Name] = f
			}
		})
	}
	return marked
}

func hasLine(doc *ast.CommentGroup, line string) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool { return c.Text == line })
}

// structs calls visit for each struct type that the file declares.
func structs(f *File, visit func(*ast.GenDecl, *ast.TypeSpec, *ast.StructType)) {
	for _, d := range f.Syntax.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range g.Specs {
			if s, ok := spec.(*ast.TypeSpec); ok {
				if st, ok := s.Type.(*ast.StructType); ok {
					visit(g, s, st)
				}
			}
		}
	}
}

func strayAssignments(m *Module, p *Package, marked map[string]*File) []Finding {
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	var files []*ast.File
	for _, f := range p.Files {
		files = append(files, f.Syntax)
	}
	// The fields of a package's own structs are known without its imports, which stay empty.
	conf := types.Config{Importer: emptyImporter{}, Error: func(error) {}}
	pkg, _ := conf.Check(m.Path+"/"+p.Dir, m.fset, files, info)

	var found []Finding
	for _, f := range p.Files {
		for _, sel := range assigned(f) {
			owner := ownerOf(info, pkg, sel)
			home, ok := marked[owner]
			if !ok || home == f {
				continue
			}
			found = append(found, m.at(f, sel.Sel.Pos(), "%s assigns %s of %s, a part that only %s assigns: add a method to the part that says what happened",
				path.Base(f.Name), sel.Sel.Name, owner, path.Base(home.Name)))
		}
	}
	return found
}

// ownerOf returns the name of the package's struct whose field is selected; "" for none.
func ownerOf(info *types.Info, pkg *types.Package, sel *ast.SelectorExpr) string {
	s, ok := info.Selections[sel]
	if !ok || s.Kind() != types.FieldVal {
		return ""
	}
	t := s.Recv()
	// A promoted field belongs to the struct that is embedded, not to the one it is reached through.
	for _, i := range s.Index()[:len(s.Index())-1] {
		if st, ok := pointee(t).Underlying().(*types.Struct); ok {
			t = st.Field(i).Type()
		}
	}
	named, ok := pointee(t).(*types.Named)
	if !ok || named.Obj().Pkg() != pkg {
		return ""
	}
	return named.Obj().Name()
}

func pointee(t types.Type) types.Type {
	if p, ok := t.Underlying().(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

// assigned returns the selectors that a file writes to: on the left of an assignment, incremented,
// deleted from, or set by a range.
func assigned(f *File) []*ast.SelectorExpr {
	var all []*ast.SelectorExpr
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, x := range n.Lhs {
					all = append(all, written(x)...)
				}
			}
		case *ast.IncDecStmt:
			all = append(all, written(n.X)...)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				all = append(all, written(n.Key)...)
				all = append(all, written(n.Value)...)
			}
		case *ast.CallExpr:
			if fun, ok := n.Fun.(*ast.Ident); ok && (fun.Name == "delete" || fun.Name == "clear") && len(n.Args) > 0 {
				all = append(all, written(n.Args[0])...)
			}
		}
		return true
	})
	return all
}

// written returns the fields that change when x is assigned: the field itself, or the one whose
// element it is. A struct behind the field belongs to itself.
func written(x ast.Expr) []*ast.SelectorExpr {
	switch x := x.(type) {
	case *ast.SelectorExpr:
		return []*ast.SelectorExpr{x}
	case *ast.IndexExpr:
		return written(x.X)
	case *ast.ParenExpr:
		return written(x.X)
	}
	return nil
}

// emptyImporter resolves every import to a package without names.
type emptyImporter struct{}

func (emptyImporter) Import(importPath string) (*types.Package, error) {
	name := importSpec{path: importPath}.called()
	p := types.NewPackage(importPath, name)
	p.MarkComplete()
	return p, nil
}

// A Size is the number of fields of a struct, embedded ones included.
type Size struct {
	Package, Name string
	Fields        int
	Excused       bool // a line "//shoal:fields REASON" stands above it
	File          *File
	pos           token.Pos
}

const fieldsMark = "//shoal:fields "

// Sizes returns every struct of the module, the largest first.
func Sizes(m *Module) []Size {
	var all []Size
	for _, p := range m.Packages {
		for _, f := range p.Files {
			structs(f, func(g *ast.GenDecl, s *ast.TypeSpec, st *ast.StructType) {
				size := Size{Package: p.Dir, Name: s.Name.Name, File: f, pos: s.Pos()}
				for _, field := range st.Fields.List {
					size.Fields += max(1, len(field.Names))
				}
				for _, doc := range []*ast.CommentGroup{g.Doc, s.Doc} {
					if doc != nil {
						size.Excused = size.Excused || slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
							reason, ok := strings.CutPrefix(c.Text, fieldsMark)
							return ok && strings.TrimSpace(reason) != ""
						})
					}
				}
				all = append(all, size)
			})
		}
	}
	slices.SortStableFunc(all, func(a, b Size) int { return b.Fields - a.Fields })
	return all
}

// A Limit is the most fields that a struct may have.
type Limit struct {
	Package, Name string
	Fields        int
}

// mostFields is the limit for every struct without one of its own.
const mostFields = 32

// Large finds structs that have grown beyond their limit.
func Large(m *Module, limits []Limit) []Finding {
	var found []Finding
	for _, s := range Sizes(m) {
		limit := mostFields
		i := slices.IndexFunc(limits, func(l Limit) bool { return l.Package == s.Package && l.Name == s.Name })
		if i >= 0 {
			limit = limits[i].Fields
		}
		if s.Fields > limit && (i >= 0 || !s.Excused) {
			found = append(found, m.at(s.File, s.pos, "%s", fmt.Sprintf(
				"%s has %d fields, at most %d are allowed: find what belongs together and make it a part with a file of its own, or say why not above the type: \"%s REASON\"",
				s.Name, s.Fields, limit, fieldsMark)))
		}
	}
	return found
}
