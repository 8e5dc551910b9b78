package shoal_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"shoal"
)

// Every test function and every file that docs/bep.md names exists, and its table has a row
// for each section.
func TestBEPTable(t *testing.T) {
	text, err := os.ReadFile("docs/bep.md")
	if err != nil {
		t.Fatal(err)
	}
	tests := testFunctions(t)
	quoted := regexp.MustCompile("`([^`]+)`")
	function := regexp.MustCompile(`^(Test|Fuzz)[A-Z]\w*$`)
	n := 0
	for _, m := range quoted.FindAllStringSubmatch(string(text), -1) {
		switch name := m[1]; {
		case function.MatchString(name):
			n++
			if !tests[name] {
				t.Errorf("no test is called %s", name)
			}
		case strings.Contains(name, "/"):
			if _, err := os.Stat(filepath.FromSlash(name)); err != nil {
				t.Error(err)
			}
		}
	}
	if n == 0 {
		t.Error("no test is named")
	}
	// A row of the table and its section come in pairs, but for what is missing altogether.
	sections := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^## BEPs? (.*): (.*)$`).FindAllStringSubmatch(string(text), -1) {
		sections[m[1]+" | "+m[2]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^\| (.*\d) \| (.*) \| (yes|partly|differs|no) \|$`).FindAllStringSubmatch(string(text), -1) {
		row := m[1] + " | " + m[2]
		if !sections[row] && m[3] != "no" {
			t.Errorf("the row %q has no section", row)
		}
		delete(sections, row)
	}
	for s := range sections {
		t.Errorf("the section %q has no row", s)
	}
}

// testFunctions returns the names of all tests of the module.
func testFunctions(t *testing.T) map[string]bool {
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	names := make(map[string]bool)
	walk(t, "_test.go", func(path string, text []byte) {
		for _, m := range declared.FindAllSubmatch(text, -1) {
			names[string(m[1])] = true
		}
	})
	return names
}

// The page docs/field.md has a row for each case of interop/field_*_test.go, and shoal's
// column says what the case wants. That shoal does it, TestField shows, which needs root and
// other people's clients.
func TestFieldPage(t *testing.T) {
	text, err := os.ReadFile("docs/field.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := make(map[string]string) // shoal's column by the case
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), "|")
		if len(cells) == 8 {
			rows[strings.ReplaceAll(strings.TrimSpace(cells[1]), "\x00", "|")] = strings.TrimSpace(cells[2])
		}
	}
	files, err := filepath.Glob("interop/field_*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		tree, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(tree, func(node ast.Node) bool {
			literal, ok := node.(*ast.CompositeLit)
			if !ok {
				return true
			}
			fields := make(map[string]string)
			for _, e := range literal.Elts {
				if kv, ok := e.(*ast.KeyValueExpr); ok {
					key, _ := kv.Key.(*ast.Ident)
					value, _ := kv.Value.(*ast.BasicLit)
					if key != nil && value != nil && value.Kind == token.STRING {
						fields[key.Name], _ = strconv.Unquote(value.Value)
					}
				}
			}
			if fields["name"] == "" || fields["want"] == "" || fields["why"] == "" {
				return true
			}
			n++
			if got := rows[fields["name"]]; got != fields["want"] && !strings.HasSuffix(got, "not yet: "+fields["want"]) {
				t.Errorf("%s: %q is %q on the page, and %q in the case", file, fields["name"], got, fields["want"])
			}
			return true
		})
	}
	if n == 0 || n > len(rows) {
		t.Errorf("%d cases and %d rows", n, len(rows))
	}
}

// The figures of the README are those of docs/performance.md: its rows stand there, word for word.
func TestReadmeFigures(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	measured, err := os.ReadFile("docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	_, speed, _ := strings.Cut(string(readme), "\n## Speed\n")
	speed, _, _ = strings.Cut(speed, "\n## ")
	rows := 0
	for line := range strings.Lines(speed) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		rows++
		if !strings.Contains(string(measured), "\n"+line) {
			t.Errorf("docs/performance.md does not have the row %q", line)
		}
	}
	if rows < 3 {
		t.Errorf("the README shows %d rows of figures", rows)
	}
	if prose := regexp.MustCompile(`\d+\.\d+ s\b|s a GiB`).FindString(string(readme)); prose != "" {
		t.Errorf("%q: figures stand in the table, where they are compared", prose)
	}
}

// Links between documents lead somewhere.
func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)
	walk(t, ".md", func(path string, text []byte) {
		for _, m := range link.FindAllSubmatch(text, -1) {
			to := string(m[1])
			if strings.Contains(to, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(path), filepath.FromSlash(to))); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	})
}

// walk visits the files of the module whose names end as given.
func walk(t *testing.T, suffix string, visit func(path string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "dist" || path != "." && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, suffix):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		visit(path, text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// download downloads a torrent to a folder and shows its progress. It is the program in the README.
func download(ctx context.Context, config shoal.Config, file, dir string) error {
	engine, err := shoal.New(config)
	if err != nil {
		return err
	}
	defer engine.Close(context.Background())
	t, err := engine.AddFile(file, shoal.AddOptions{Dir: dir})
	if err != nil {
		return err
	}
	for s := range t.Progress(ctx, time.Second) {
		fmt.Printf("%s: %d of %d bytes, %d peers\n", s.Name, s.Verified, s.Size, s.Peers)
		if s.State == shoal.StateSeeding {
			break
		}
	}
	return t.Wait(ctx) // until every file is complete, verified and durable
}

// The README shows the program above, and it does what it says, knowing nothing
// but one node of the DHT.
func TestReadmeProgram(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, _ := strings.Cut(string(readme), "```go\n")
	block, _, shown := strings.Cut(block, "```")
	source, err := os.ReadFile("docs_test.go")
	if err != nil {
		t.Fatal(err)
	}
	if !shown || !strings.Contains(string(source), block) {
		t.Errorf("docs_test.go does not have what the README shows:\n%s", block)
	}

	from, metainfo := shared()
	defer os.RemoveAll(from)
	seeder, err := shoal.New(shoal.Config{Listen: anyPort})
	if err != nil {
		t.Fatal(err)
	}
	defer seeder.Close(t.Context())
	if _, err := seeder.Add(shoal.AddOptions{Metainfo: metainfo, Dir: from}); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	file := filepath.Join(from, "hello.torrent")
	check(os.WriteFile(file, metainfo, 0o666))
	config := shoal.Config{Listen: anyPort, DHT: shoal.DHTConfig{Nodes: []string{seeder.Addr().String()}}}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := download(ctx, config, file, to); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(to, "hello.txt")); err != nil || string(b) != "hello, swarm\n" {
		t.Errorf("downloaded %q, %v", b, err)
	}
}

// The package comment lists tasks, and each name in the list has an example: a newcomer finds it at
// the method. No example is longer than a screen.
func TestTasksHaveExamples(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := parser.ParseFile(token.NewFileSet(), "example_test.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	lines := make(map[string]int) // of each example
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Example") {
			lines[f.Name.Name] = len(f.Body.List)
		}
	}
	tasks := 0
	for line := range strings.Lines(string(doc)) {
		task, ok := strings.CutPrefix(line, "//   - ")
		if !ok {
			continue
		}
		tasks++
		for _, m := range regexp.MustCompile(`\[([A-Z]\w*)\.?(\w*)\](\.\w+)?`).FindAllStringSubmatch(task, -1) {
			name := strings.TrimSuffix("Example"+m[1]+"_"+m[2], "_")
			if m[3] != "" { // a field
				name += "_" + strings.ToLower(m[3][1:])
			}
			if n, ok := lines[name]; !ok || n > 10 {
				t.Errorf("%s: %s is missing or long: %d statements", strings.TrimSpace(task), name, n)
			}
		}
	}
	if tasks < 25 {
		t.Errorf("doc.go lists %d tasks", tasks)
	}
}
