package lab

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Every fact that the lab is there to show holds, and nothing is left behind.
func TestFacts(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	var out bytes.Buffer
	s, err := Watch(t.Context(), Options{Out: &out})
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, f := range s.facts() {
		if !f.holds {
			t.Errorf("the run did not show that %s", f.text)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, want := range []string{"A → B", "request piece 2, block 0", "rarest: only B has it"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the conversation does not show %q:\n%s", want, out.String())
		}
	}
}

// With --json each line is an object, the last the facts; with --keep the
// torrent and the peers' files stay.
func TestJSONAndKeep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	var out bytes.Buffer
	if err := Run(t.Context(), Options{Out: &out, JSON: true, Keep: dir}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var last map[string]any
	for _, line := range lines {
		last = nil
		if err := json.Unmarshal([]byte(line), &last); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		if last["event"] == "message" && last["to"] != nil && last["why"] == nil {
			t.Errorf("a message without a reason: %s", line)
		}
	}
	if last["event"] != "summary" || last["files_match"] != true {
		t.Errorf("the last line is no summary: %v", last)
	}
	for _, path := range []string{name + ".torrent", "trace.jsonl", "A/" + name, "B/" + name, "C/" + name} {
		if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
			t.Error(err)
		}
	}
}
