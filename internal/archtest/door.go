package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// Door is the one package that opens sockets and resolves names.
const Door = "internal/net/netio"

const doorAdvice = "only " + Door + " opens sockets and resolves names, so that a policy set there holds for every byte: " +
	"take a netio.Network and use it"

// openers are names, or prefixes of names before "*", that use the network directly.
var openers = map[string][]string{
	"net": {
		"Dial*", "Listen", "ListenConfig", "ListenIP", "ListenMulticast*", "ListenPacket", "ListenTCP", "ListenUDP",
		"ListenUnix*", "Resolve*", "Lookup*", "Resolver", "DefaultResolver",
		"FileConn", "FileListener", "FilePacketConn",
	},
	"net/http": {
		"Get", "Head", "Post", "PostForm", "DefaultClient", "DefaultTransport", "ListenAndServe*",
	},
	"crypto/tls":            {"Dial*", "Listen"},
	"syscall":               {"Socket*", "Connect", "Bind", "Listen", "Accept*"},
	"golang.org/x/sys/unix": {"Socket*", "Connect", "Bind", "Listen", "Accept*"},
	"net/smtp":              {"Dial", "SendMail"},
	"net/rpc":               {"Dial*"},
	"log/syslog":            {"*"},
}

// OneDoor finds code outside Door that uses the network: through the functions above, an
// http.Client or http.Transport that dials for itself, or a server that listens for itself.
func OneDoor(m *Module) []Finding {
	var found []Finding
	for _, p := range m.Packages {
		if within(p.Dir, Door) {
			continue
		}
		for _, f := range p.Files {
			uses(f, func(importPath, name string, pos token.Pos) {
				if matches(openers[importPath], name) {
					found = append(found, m.at(f, pos, "%s.%s: %s", importPath, name, doorAdvice))
				}
			})
			found = append(found, selfDialling(m, f)...)
		}
	}
	return found
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if begin, open := strings.CutSuffix(pattern, "*"); open {
			return strings.HasPrefix(name, begin)
		}
		return name == pattern
	})
}

// selfDialling finds HTTP clients and servers that open their own sockets.
func selfDialling(m *Module, f *File) []Finding {
	var found []Finding
	without := func(pos token.Pos, typ, field string) {
		found = append(found, m.at(f, pos, "http.%s without %s dials by itself: %s", typ, field, doorAdvice))
	}
	needs := map[string]string{"Client": "Transport", "Transport": "DialContext"}
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CompositeLit:
			typ := httpType(f, n.Type)
			if field := needs[typ]; field != "" && !hasField(n, field) {
				without(n.Pos(), typ, field)
			}
		case *ast.ValueSpec: // var c http.Client
			typ := httpType(f, n.Type)
			if field := needs[typ]; field != "" && len(n.Values) == 0 {
				without(n.Pos(), typ, field)
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "new" && len(n.Args) == 1 {
				typ := httpType(f, n.Args[0])
				if field := needs[typ]; field != "" {
					without(n.Pos(), typ, field)
				}
			}
			// A method of http.Server: the package's function of the same name is among the openers.
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && strings.HasPrefix(sel.Sel.Name, "ListenAndServe") && !isPackage(f, sel.X) {
				found = append(found, m.at(f, n.Pos(), "%s: serve on a listener from netio. %s", sel.Sel.Name, doorAdvice))
			}
		}
		return true
	})
	return found
}

// httpType returns Client for the expression http.Client, and so on; empty for types outside
// net/http.
func httpType(f *File, e ast.Expr) string {
	sel, ok := e.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	x, ok := sel.X.(*ast.Ident)
	if !ok || x.Obj != nil {
		return ""
	}
	for _, imp := range importsOf(f) {
		if imp.path == "net/http" && imp.called() == x.Name {
			return sel.Sel.Name
		}
	}
	return ""
}

func hasField(lit *ast.CompositeLit, name string) bool {
	return slices.ContainsFunc(lit.Elts, func(e ast.Expr) bool {
		kv, ok := e.(*ast.KeyValueExpr)
		if !ok {
			return false
		}
		key, ok := kv.Key.(*ast.Ident)
		return ok && key.Name == name
	})
}

func isPackage(f *File, e ast.Expr) bool {
	x, ok := e.(*ast.Ident)
	if !ok || x.Obj != nil {
		return false
	}
	return slices.ContainsFunc(importsOf(f), func(imp importSpec) bool { return imp.called() == x.Name })
}
