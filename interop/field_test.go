//go:build interop

package interop

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var (
	fieldAll   = flag.Bool("field", false, "give the cases of the field to the other clients, too, and rewrite docs/field.md")
	fieldShow  = flag.Bool("show", false, "show what the clients print in the cases of the field")
	fieldWrite = flag.Bool("write", false, "rewrite docs/field.md and the list of shoal's known flaws, and record nothing of the others; with -pace, docs/performance.md")
)

// A trial is one case of what people bring: a row of docs/field.md.
type trial struct {
	name string
	want string // what shoal does, one of outcomes
	why  string
	// others says which of the other clients the case is given to; nil means all of them.
	others []string
	// serial is for what fills the machine: nothing else runs meanwhile.
	serial bool
	run    func(t *testing.T, who string) string
}

// outcomes are the words of the page.
var outcomes = map[string]string{
	"accepts":         "does what was asked",
	"refuses":         "says no, and ends or stands still with an error",
	"takes over":      "uses all data that is there",
	"takes part":      "uses some of the data that is there, and fetches the rest again",
	"fetches again":   "fetches what is there",
	"keeps it":        "what is there and does not fit is kept, under another name",
	"overwrites":      "what is there and does not fit is written over",
	"waits":           "goes on when it can, and says why it waits",
	"tells":           "says what is the matter",
	"keeps quiet":     "says nothing about it, or what is not true",
	"stays inside":    "writes nothing outside of the folder",
	"alters names":    "makes a torrent with other names than the folder has, or more",
	"trusts":          "hashes nothing again",
	"accuses":         "says that another program changed the files",
	"complains":       "does it, with words that nobody needs",
	"is late":         "answers after more than two seconds",
	"asks again":      "asks sooner than the tracker wants",
	"discloses":       "prints what nobody else is to know",
	"keeps secret":    "prints it nowhere but in a trace",
	"hashes again":    "hashes all of it again",
	"lets in":         "answers within two seconds",
	"locks out":       "does not answer",
	"hangs":           "neither gets on nor says why, within the time of the test",
	"crashes":         "ends by a fault of its own",
	"has no such way": "there is nothing to ask for it with",
}

// A chapter is one letter of the page.
type chapter struct {
	letter, title string
	words         string // what stands in front of the table
	trials        func() []trial
}

var chapters = []chapter{
	{"A", "Data that another client left", wordsA, trialsA},
	{"B", "What identifies a file survives a remount", wordsB, trialsB},
	{"C", "Each disk error is itself", wordsC, trialsC},
	{"D", "Tolerant wrapping", wordsD, trialsD},
	{"E", "What the client knows, it says", wordsE, trialsE},
	{"F", "Ways out for what is the user's own", wordsF, trialsF},
	{"G", "Private trackers' practice", wordsG, trialsG},
	{"H", "Being a program among others", wordsH, trialsH},
}

const (
	fieldPage     = "../docs/field.md"
	fieldRecorded = "testdata/field.json"
	fieldFlaws    = "testdata/flaws.json"
)

// recorded is what clients did: by letter and name of the case, and client. In fieldRecorded
// it is the others; in fieldFlaws it is shoal, where it does not do yet what it should. A
// flaw that is over fails the test, so that it is taken off the list and the page.
type recorded map[string]map[string]string

func readRecorded(t *testing.T, file string) recorded {
	t.Helper()
	r := make(recorded)
	if text, err := os.ReadFile(file); err == nil {
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	return r
}

func (r recorded) write(t *testing.T, file string) {
	t.Helper()
	text, err := json.MarshalIndent(r, "", "\t")
	if err == nil {
		err = os.WriteFile(file, append(text, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Every case is given to shoal, and what it does is what docs/field.md says. With -field, the
// others get them too, and the page is written anew.
func TestField(t *testing.T) {
	wants := make(map[string]string)
	flaws := readRecorded(t, fieldFlaws)
	var mu sync.Mutex
	got := make(recorded)
	note := func(key, who, outcome string) {
		mu.Lock()
		defer mu.Unlock()
		if got[key] == nil {
			got[key] = make(map[string]string)
		}
		got[key][who] = outcome
	}
	if err := os.MkdirAll("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range chapters {
		trials := c.trials()
		for _, tr := range trials {
			key := c.letter + " " + tr.name
			if wants[key] != "" || outcomes[tr.want] == "" || tr.why == "" {
				t.Errorf("%s: a name twice, an unknown outcome or no reason", key)
			}
			wants[key] = tr.want
		}
		for _, serial := range []bool{false, true} {
			t.Run(c.letter, func(t *testing.T) {
				for _, tr := range trials {
					if tr.serial == serial {
						tr.give(t, c.letter, flaws, note)
					}
				}
			})
		}
	}
	old := readRecorded(t, fieldRecorded)
	for key, row := range got {
		if outcome := row["shoal"]; outcome != "" && (*fieldWrite || *fieldAll) {
			delete(flaws, key)
			if outcome != wants[key] {
				flaws[key] = map[string]string{"shoal": outcome}
			}
		}
		delete(row, "shoal")
		if *fieldAll {
			if old[key] == nil {
				old[key] = make(map[string]string)
			}
			maps.Copy(old[key], row)
		}
	}
	if *fieldWrite || *fieldAll {
		for _, r := range []recorded{old, flaws} {
			maps.DeleteFunc(r, func(key string, row map[string]string) bool { return wants[key] == "" || len(row) == 0 })
		}
		old.write(t, fieldRecorded)
		flaws.write(t, fieldFlaws)
	}
	page := fieldMarkdown(old, flaws)
	if *fieldAll || *fieldWrite {
		if err := os.WriteFile(fieldPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if text, err := os.ReadFile(fieldPage); err != nil || string(text) != page {
		t.Errorf("docs/field.md is not what the cases say (%v): make field, or TestField with -write", err)
	}
}

// give gives a case to shoal, and with -field to the others.
func (tr trial) give(t *testing.T, letter string, flaws recorded, note func(key, who, outcome string)) {
	key := letter + " " + tr.name
	for _, who := range subjects {
		if who != "shoal" && (!*fieldAll || tr.others != nil && !slices.Contains(tr.others, who)) {
			continue
		}
		t.Run(tr.name+"/"+who, func(t *testing.T) {
			if !tr.serial {
				t.Parallel()
			}
			outcome := tr.run(t, who)
			note(key, who, outcome)
			flaw := flaws[key]["shoal"]
			switch {
			case outcome == "":
			case outcomes[outcome] == "":
				t.Fatalf("there is no outcome %q", outcome)
			case who != "shoal" || *fieldWrite:
				t.Logf("OUTCOME %s %s", who, outcome)
			case outcome == tr.want && flaw != "":
				t.Errorf("OUTCOME shoal %s, as it should: take the case off %s", outcome, fieldFlaws)
			case outcome != tr.want && flaw == "":
				t.Errorf("OUTCOME shoal %s, and should: %s", outcome, tr.want)
			case outcome != tr.want:
				t.Logf("OUTCOME shoal %s, and should: %s: this is known", outcome, tr.want)
			}
		})
	}
}

// fieldMarkdown is the page.
func fieldMarkdown(others, flaws recorded) string {
	var b strings.Builder
	b.WriteString(wordsField)
	for _, word := range slices.Sorted(maps.Keys(outcomes)) {
		fmt.Fprintf(&b, "| %s | %s |\n", word, outcomes[word])
	}
	for _, c := range chapters {
		fmt.Fprintf(&b, "\n## %s. %s\n\n%s\n\n| case | %s | why |\n|%s\n", c.letter, c.title, c.words, strings.Join(subjects, " | "), strings.Repeat("---|", len(subjects)+2))
		for _, tr := range c.trials() {
			row := others[c.letter+" "+tr.name]
			shoal := tr.want
			if flaw := flaws[c.letter+" "+tr.name]["shoal"]; flaw != "" {
				shoal = fmt.Sprintf("**%s**, not yet: %s", flaw, tr.want)
			}
			fmt.Fprintf(&b, "| %s | %s ", cell(tr.name), shoal)
			for _, who := range subjects[1:] {
				word := row[who]
				if word == "" {
					word = "–"
				}
				fmt.Fprintf(&b, "| %s ", word)
			}
			fmt.Fprintf(&b, "| %s |\n", cell(tr.why))
		}
	}
	return b.String()
}

func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

const wordsField = `# What people bring, and what clients make of it

Torrents, folders, disks and servers in the field are not as the specifications say. Each row below is one case. shoal
gets every case; libtorrent 2.0.8, Transmission 3.00 and aria2 1.36 get those that they can be asked. A program wrote
this page: ` + "`make field`" + ` runs every case with every client. ` + "`make interop`" + `, and so CI, runs them with shoal, and fails
where shoal differs from this page (` + "`TestField`" + ` in ` + "`interop/field_test.go`" + `). The others' columns are the outcomes of
these versions on one machine, with default settings except where traffic would leave it. – means that the case does
not apply to that client.

The principle: be strict about what is inside, since hashes decide; be tolerant of how it is wrapped. A rule of safety
protects against strangers; for what users own and name themselves there is a way, and the message names it.

| word | meaning |
|---|---|
`

// folderOf gives a new folder for the files of a torrent.
func folderOf(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "files")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
