package archtest

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The rules are tried on the module in testdata/broken. There, a line that
// breaks a rule says so: "// want floors: a piece of the finding's text". What
// is found must be what is wanted, no more and no less.
func TestRulesFindWhatIsBroken(t *testing.T) {
	m, err := Load(filepath.Join("testdata", "broken"))
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string][]Finding{
		"floors":   Floors(m, Rooms),
		"purity":   Purity(m, Rooms),
		"maporder": MapOrder(m, Rooms),
		"door":     OneDoor(m),
		"client":   Clients(m, []Exception{{"cmd/other", "internal/gone"}}),
		"comment":  Documented(m),
		"parts":    Parts(m),
		"size":     Large(m, nil),
	}
	if rules["map"], err = OnTheMap(m); err != nil {
		t.Fatal(err)
	}
	if rules["decided"], err = Decided(m); err != nil {
		t.Fatal(err)
	}
	wanted := wants(t, m.Root)
	for rule, found := range rules {
		if len(found) == 0 {
			t.Errorf("%s: the fixture breaks this rule and nothing was found", rule)
		}
		for _, f := range found {
			i := slices.IndexFunc(wanted, func(w want) bool {
				return w.rule == rule && w.file == f.File && w.line == f.Line && strings.Contains(f.Text, w.text)
			})
			if i < 0 {
				t.Errorf("%s: found, not wanted: %v", rule, f)
				continue
			}
			wanted = slices.Delete(wanted, i, i+1)
		}
	}
	for _, w := range wanted {
		t.Errorf("wanted, not found: %v", w)
	}
}

// The module in testdata/sound keeps every rule by the permitted means: a
// sorted map, a remark, a generator that was given, an http.Client over a
// given transport.
func TestRulesLetSoundCodeBe(t *testing.T) {
	m, err := Load(filepath.Join("testdata", "sound"))
	if err != nil {
		t.Fatal(err)
	}
	none(t, Floors(m, Rooms))
	none(t, Purity(m, Rooms))
	none(t, MapOrder(m, Rooms))
	none(t, OneDoor(m))
	none(t, Clients(m, nil))
	none(t, Documented(m))
	none(t, Parts(m))
	none(t, Large(m, nil))
	for _, rule := range []func(*Module) ([]Finding, error){OnTheMap, Decided} {
		found, err := rule(m)
		if err != nil {
			t.Fatal(err)
		}
		none(t, found)
	}
}

func TestModuleWithoutPapers(t *testing.T) {
	if m, err := Load("testdata"); err == nil {
		t.Errorf("a folder without go.mod was loaded as module %q", m.Path)
	}
	m, err := Load(filepath.Join("testdata", "bare"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OnTheMap(m); err == nil {
		t.Error("a module without ARCHITECTURE.md passed")
	}
}

func TestRoomOfTakesTheLongestFolder(t *testing.T) {
	for dir, want := range map[string]string{
		"internal/files/storage":             "internal/files/storage",
		"internal/files/storage/storagetest": "internal/files/storage/storagetest",
		"internal/files/disk":                "internal/files/disk",
		"internal/decide/swarm":              "internal/decide/swarm",
		"internal/decide/swarm/picker":       "internal/decide/swarm/picker",
		"internal/decide/swarm/picker/deep":  "internal/decide/swarm/picker",
		"internal/decide/dht":                "internal/decide/dht",
		"internal/decided":                   "",
		"internal/decide":                    "",
		"rpc":                                "",
		".":                                  ".",
	} {
		if got, _ := RoomOf(Rooms, dir); got.Dir != want {
			t.Errorf("RoomOf(%q) = %q, want %q", dir, got.Dir, want)
		}
	}
}

type want struct {
	rule, file string
	line       int
	text       string
}

func (w want) String() string {
	return fmt.Sprintf("%s: %s:%d: …%s…", w.rule, w.file, w.line, w.text)
}

// Several wishes of one line are set apart by "//". A file named WANT lists
// findings that have no line: "rule: folder: text".
var wish = regexp.MustCompile(`(?://|<!--) want ([a-z]+): (.*?)(?: //| -->|$)`)

func wants(t *testing.T, root string) []want {
	t.Helper()
	var all []want
	err := filepath.WalkDir(root, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close()
		lines := bufio.NewScanner(file)
		for n := 1; lines.Scan(); n++ {
			line := lines.Text()
			if d.Name() == "WANT" {
				part := strings.SplitN(line, ": ", 3)
				all = append(all, want{part[0], part[1], 0, part[2]})
				continue
			}
			for rest := line; ; {
				at := wish.FindStringSubmatchIndex(rest)
				if at == nil {
					break
				}
				all = append(all, want{rest[at[2]:at[3]], filepath.ToSlash(rel), n, rest[at[4]:at[5]]})
				rest = rest[at[5]:]
			}
		}
		return lines.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
