package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A phrase is one habit of prose that stops a native reader; CONTRIBUTING.md lists them.
type phrase struct {
	needs   []string // every match contains one of these; a quick test before find
	find    *regexp.Regexp
	unless  *regexp.Regexp // exceptions that are good English; nil for none
	instead string
}

func p(needs, find, unless, instead string) phrase {
	ph := phrase{needs: strings.Split(needs, "|"), find: regexp.MustCompile(`(?i)` + find), instead: instead}
	if unless != "" {
		ph.unless = regexp.MustCompile(`(?i)` + unless)
	}
	return ph
}

// phrases are searched for in the sentences of comments, messages and documents.
var phrases = []phrase{
	p("who", `\b(whoever|whomever|whom)\b`, ``, `name the noun: "a peer that", "the caller"`),
	p("who", `\b\w+,? who\b|^who\b`, `(people|persons?|users?|somebody|someone|everyone|everybody|anyone|anybody|others|programmers?|maintainers?|writers?|authors?|attackers?|newcomers?|humans?|and|or|of|see|says?|decides?|shows?|know|knows|knowing|about|on|ask|asks|told|tells?|is|to|by|explains?|:) who\b`, `"that" for a peer, program or torrent`),
	p("had|said|told", `\b(is|are|was|were|be|been|being) (had|said|told)\b`, ``, `name who acts: we have, the tracker reports, the peer learns`),
	p("has|have|had|having", `\b(has|have|had|having) (the|its|their|every|each|all) [\w-]+ (written|made|sent|read|checked|closed|opened|done|asked|told|kept|moved|hashed|removed|dropped|dialled|served|fetched|started|stopped)\b`, ``, `use the verb itself: writes, makes, sends`),
	p("give", `\bgives?\b`, `\bgives? (up|way|back|in|us|each other)\b|\b(to|can|must|not|may|would|could|will|should|we|they|you|that|which|peers?|trackers?|seeds?|servers?|clients?|users?|who|providers?|people) gives?\b|\b(an?|the|each|every|no) \w+ gives?\b`, `returns, reports whether, yields`),
	p("many|much", `\b(so|as) (many|much) as (may|are|is|there)\b|\bso (many|much)( |$|[,.;:)])`, `\bso (many|much) (that|faster|slower|larger|smaller|more|less|better)\b`, `n, at most n, this many`),
	p("may", `\bmay not\b|\bthat may be[,.;:)]|\bthat may be$`, ``, `must not, can fail to, might not`),
	p("anew|afresh", `(^|[^-\w])(anew|afresh)\b`, ``, `again`),
	p("to be", `\b(comes?|came) to be\b`, ``, `is created, becomes`),
	p("mend", `\b(mend|mends|mended|mending)\b`, ``, `fix, repair`),
	p("in vain|for ever|to and fro|no matter of|had no more|is dear|whither|thereby|of old", `\bin vain\b|\bfor ever\b|\bto and fro\b|\bno matter of\b|\bhad no more\b|\bis dear\b|\bwhither\b|\bthereby\b|\bof old\b`, ``, `wasted, forever, back and forth, no longer`),
	p("no", `\b(is|are|was|were) +no +\w+`, `\b(is|are|was|were) no (longer|more than|other|way|room|such|reason|need|one|point|limit|\d|different|better|worse|larger|smaller|later|earlier|greater|less|further|use)\b|\bthere (is|are|was|were) no\b`, `is not a`),
	p("nor is it|of it all|as ever|evermore|the like", `\bnor is it\b|\bof it all\b|\bas ever\b|\bevermore\b|\bthe like\b`, ``, `the ordinary word`),
}

// Words finds the phrases in the comments and strings of Go files, and in the documents. It ignores
// test files, and text in backquotes.
func Words(m *Module) ([]Finding, error) {
	var found []Finding
	for _, p := range m.Packages {
		for _, f := range p.Files {
			if path.Base(f.Name) == "words.go" && p.Dir == "internal/archtest" {
				continue // the phrases themselves
			}
			for _, g := range f.Syntax.Comments {
				var text strings.Builder
				for i, c := range g.List {
					if i > 0 {
						text.WriteString("\n")
					}
					text.WriteString(commentText(c.Text))
				}
				found = append(found, wordsIn(f.Name, m.fset.Position(g.Pos()).Line, text.String())...)
			}
			ast.Inspect(f.Syntax, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
					if s, err := strconv.Unquote(lit.Value); err == nil && strings.Contains(s, " ") {
						found = append(found, wordsIn(f.Name, m.fset.Position(lit.Pos()).Line, s)...)
					}
				}
				return true
			})
		}
	}
	err := documents(m, func(name string, text []byte) {
		found = append(found, wordsIn(name, 1, string(withoutCode(text)))...)
	})
	return found, err
}

// documents visits the Markdown files and the entries of the changelog.
func documents(m *Module, visit func(name string, text []byte)) error {
	return filepath.WalkDir(m.Root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != m.Root && passOver(name) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".md" && !strings.Contains(filepath.ToSlash(name), "/changelog/") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(m.Root, name)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(rel), text)
		return nil
	})
}

// commentText returns the text of a comment with its lines.
func commentText(c string) string {
	lines := strings.Split(strings.TrimSuffix(strings.TrimPrefix(c, "/*"), "*/"), "\n")
	for i, l := range lines {
		lines[i] = strings.TrimPrefix(l, "//")
	}
	return strings.Join(lines, "\n")
}

// withoutCode blanks fenced code of a Markdown document, and keeps its line breaks.
func withoutCode(text []byte) []byte {
	lines := bytes.Split(text, []byte("\n"))
	fenced := false
	for i, l := range lines {
		fence := bytes.HasPrefix(bytes.TrimSpace(l), []byte("```"))
		if fence {
			fenced = !fenced
		}
		if fence || fenced {
			lines[i] = nil
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

// quoted matches text in backquotes, which is mentioned and not said.
var quoted = regexp.MustCompile("`[^`]*`")

// wordsIn searches a text whose first line has the number line. A sentence can span several lines.
func wordsIn(file string, line int, text string) []Finding {
	text = quoted.ReplaceAllStringFunc(text, func(q string) string {
		return "`" + strings.Map(func(r rune) rune {
			if r == '\n' {
				return r
			}
			return '.'
		}, q[1:len(q)-1]) + "`"
	})
	flat := strings.ReplaceAll(text, "\n", " ")
	lower := strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, flat)
	var found []Finding
	for _, ph := range phrases {
		for from, to := range ph.near(lower) {
			near := flat[from:to]
			for _, at := range ph.find.FindAllStringIndex(near, -1) {
				if ph.unless != nil && excused(ph.unless, near, at) {
					continue
				}
				found = append(found, Finding{
					file, line + strings.Count(text[:from+at[0]], "\n"),
					fmt.Sprintf("%q: %s", near[at[0]:at[1]], ph.instead),
				})
			}
		}
	}
	slices.SortStableFunc(found, func(a, b Finding) int { return a.Line - b.Line })
	return found
}

// around is how many bytes to search on both sides of a word that a phrase needs: searching whole
// texts takes seconds.
const around = 48

// near yields the ranges of a text where the phrase can be. They do not overlap.
func (ph phrase) near(lower string) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for from := 0; ; {
			first, length := -1, 0
			for _, n := range ph.needs {
				if i := strings.Index(lower[from:], n); i >= 0 && (first < 0 || i < first) {
					first, length = i, len(n)
				}
			}
			if first < 0 {
				return
			}
			to := min(from+first+length+around, len(lower))
			if !yield(max(from, from+first-around), to) {
				return
			}
			from = to
		}
	}
}

// excused reports whether a match of unless covers part of the match at.
func excused(unless *regexp.Regexp, l string, at []int) bool {
	for _, u := range unless.FindAllStringIndex(l, -1) {
		if u[0] < at[1] && at[0] < u[1] {
			return true
		}
	}
	return false
}
