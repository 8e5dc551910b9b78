package archtest

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
)

// pureImports are the packages from outside the module that a pure package may import: they
// compute, and neither keep time nor reach outside the process. Every other import is forbidden, so
// that somebody judges a new one before its first use.
var pureImports = []string{
	"archive/zip", "bytes", "cmp", "compress/gzip", "compress/zlib", "container/heap", "container/list", "container/ring", "encoding",
	"encoding/base32", "encoding/base64", "encoding/binary", "encoding/hex",
	"errors", "fmt", "hash", "hash/crc32", "hash/fnv", "crypto/hmac", "crypto/sha1",
	"crypto/sha256", "crypto/subtle", "io", "iter", "maps", "math", "math/big", "math/bits", "math/rand/v2",
	"net/netip", "net/url", "path", "slices", "sort", "strconv", "strings",
	"time", "unicode", "unicode/utf16", "unicode/utf8",

	"golang.org/x/text/cases", "golang.org/x/text/unicode/norm", "golang.org/x/net/idna", // tables of Unicode
	"golang.org/x/text/encoding/htmlindex", // tables of legacy character sets
}

// reasons say why an import is forbidden; imports not listed here get the general reason.
var reasons = map[string]string{
	"net":          "only the shell knows sockets; addresses are net/netip",
	"os":           "no files, environment or arguments; take bytes and values",
	"sync":         "a pure package has one owner and needs no lock",
	"sync/atomic":  "a pure package has one owner and needs no atomics",
	"context":      "nothing here waits, so nothing can be cancelled",
	"log":          "effects are the record; the shell logs",
	"log/slog":     "effects are the record; the shell logs",
	"crypto/rand":  "randomness comes from the caller, as a *rand.Rand of math/rand/v2",
	"math/rand":    "randomness comes from the caller, as a *rand.Rand of math/rand/v2",
	"runtime":      "decisions do not depend on the machine they run on",
	"syscall":      "only the shell calls the system",
	"unsafe":       "decisions need no tricks with memory",
	"hash/maphash": "its seed differs in each process",
}

// clock is the functions of package time that read or arm the clock, or ask the machine for its
// time zone.
var clock = []string{
	"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Sleep", "Tick", "Local", "LoadLocation",
}

// givenRand is the names of math/rand/v2 that do not draw from the process-wide source.
var givenRand = []string{
	"New", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "PCG", "ChaCha8", "Zipf",
}

// Purity finds what a package of the pure floors must not touch. MapOrder checks the order of maps.
func Purity(m *Module, rooms []Room) []Finding {
	var found []Finding
	for _, p := range purePackages(m, rooms) {
		for _, f := range p.Files {
			found = append(found, impureImports(m, f)...)
			found = append(found, impureUses(m, f)...)
			found = append(found, concurrency(m, f)...)
		}
	}
	return found
}

func impureImports(m *Module, f *File) []Finding {
	var found []Finding
	for _, imp := range importsOf(f) {
		if _, local := m.local(imp.path); local || slices.Contains(pureImports, imp.path) {
			continue
		}
		why, ok := reasons[imp.path]
		if !ok {
			why = "it is not one of the pure imports (pureImports in internal/archtest/purity.go)"
		}
		found = append(found, m.at(f, imp.pos, "pure package imports %s: %s", imp.path, why))
	}
	return found
}

func impureUses(m *Module, f *File) []Finding {
	var found []Finding
	uses(f, func(importPath, name string, pos token.Pos) {
		switch {
		case importPath == "time" && slices.Contains(clock, name):
			found = append(found, m.at(f, pos, "pure package uses time.%s: take now mono.Time as an argument, return a deadline", name))
		case importPath == "math/rand/v2" && !slices.Contains(givenRand, name):
			found = append(found, m.at(f, pos, "pure package draws from the process-wide source by rand.%s: take rng *rand.Rand as an argument", name))
		case importPath == "fmt" && (strings.HasPrefix(name, "Print") || strings.HasPrefix(name, "Scan")):
			found = append(found, m.at(f, pos, "pure package uses fmt.%s: return or append the text", name))
		}
	})
	return found
}

func concurrency(m *Module, f *File) []Finding {
	var found []Finding
	bad := func(pos token.Pos, what string) {
		found = append(found, m.at(f, pos, "pure package has %s: the shell runs things concurrently, a machine has one owner", what))
	}
	ast.Inspect(f.Syntax, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			bad(n.Pos(), "a go statement")
		case *ast.SelectStmt:
			bad(n.Pos(), "a select statement")
		case *ast.ChanType:
			bad(n.Pos(), "a channel type")
		case *ast.SendStmt:
			bad(n.Pos(), "a send on a channel")
		case *ast.UnaryExpr:
			if n.Op == token.ARROW {
				bad(n.Pos(), "a receive from a channel")
			}
		case *ast.CallExpr:
			if id, ok := n.Fun.(*ast.Ident); ok && id.Obj == nil && (id.Name == "print" || id.Name == "println") {
				found = append(found, m.at(f, n.Pos(), "pure package calls %s: return or append the text", id.Name))
			}
		}
		return true
	})
	return found
}
