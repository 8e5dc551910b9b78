package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// documented are the examples of docs/json.md, by command and event; those of the
// section "Every command" are under "".
var documented = sync.OnceValue(func() map[string]map[string]any {
	b, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		panic(err)
	}
	all := make(map[string]map[string]any)
	section, fenced := "", false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\n")
		if name, ok := strings.CutPrefix(line, "## "); ok {
			section = name
			if section == "Every command" {
				section = ""
			}
		}
		if strings.HasPrefix(line, "```") {
			fenced = line == "```json"
			continue
		}
		if fenced {
			var e map[string]any
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				panic("docs/json.md: " + line + ": " + err.Error())
			}
			all[key(section, e)] = e
		}
	}
	return all
})

func key(section string, e map[string]any) string { return section + ":" + e["event"].(string) }

// optional are the fields that an event may go without, as the text says; the form
// of the time is checked by itself.
var optional = []string{"time", "hint", "text", "error", "to", "why", "c_from", "bitfields", "comment", "created_by", "creation_date", "pad", "executable"}

// checkDocumented holds an event that a command printed against its example: the
// same fields, of the same kinds.
func checkDocumented(t *testing.T, commandLine string, e map[string]any) {
	t.Helper()
	words := strings.Fields(commandLine)
	section := words[0]
	if section == "dht" {
		section += " " + words[1]
	}
	want, ok := documented()[key(section, e)]
	if !ok {
		if want, ok = documented()[key("", e)]; !ok {
			t.Errorf("%s: the event %v is not in docs/json.md", section, e)
			return
		}
	}
	for _, difference := range differences("", want, e) {
		t.Errorf("%s: %s: %s", section, e["event"], difference)
	}
	text, ok := e["time"].(string)
	if !ok && section == "lab" {
		return // seconds since the start
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000Z", text); err != nil {
		t.Errorf("%s: time: %v", section, err)
	}
}

// differences compares the form of two JSON values.
func differences(at string, want, got any) []string {
	if want == nil || got == nil {
		if at != ".eta_s" {
			return []string{at + " is null"}
		}
		return nil
	}
	if reflect.TypeOf(want) != reflect.TypeOf(got) {
		return []string{at + " is of another kind than documented"}
	}
	var found []string
	switch want := want.(type) {
	case map[string]any:
		got := got.(map[string]any)
		for k, v := range got {
			if w, ok := want[k]; ok {
				found = append(found, differences(at+"."+k, w, v)...)
			} else {
				found = append(found, at+"."+k+" is not documented")
			}
		}
		for k := range want {
			if _, ok := got[k]; !ok && !slices.Contains(optional, k) {
				found = append(found, at+"."+k+" is missing")
			}
		}
	case []any:
		for _, v := range got.([]any) {
			found = append(found, differences(at+"[]", want[0], v)...)
		}
	}
	return found
}

// The events that depend on something going wrong, or on a tracker. All others
// are printed by the live tests, and checked as they are.
func TestTrackerEvents(t *testing.T) {
	s := newShare(t)
	_, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	host, port, _ := net.SplitHostPort(addr)
	_ = host
	var announced sync.Map
	tracker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		announced.Store(r.URL.Query().Get("event"), true)
		w.Write([]byte("d8:intervali60e5:peersld2:ip9:127.0.0.14:porti" + port + "eeee"))
	}))
	defer tracker.Close()
	broken := httptest.NewServer(http.NotFoundHandler())
	defer broken.Close()

	// The same files under another tracker are the same torrent.
	start(t, "create", s.dir+"/files", "-o", s.dir+"/tracked.torrent", "--piece-length", "16KiB",
		"--tracker", broken.URL+"/announce", "--tracker", tracker.URL+"/announce").finish(exitDone, "complete")
	dir := t.TempDir()
	r := start(t, "get", s.dir+"/tracked.torrent", "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0")
	r.finish(exitDone, "complete")
	s.sameFiles(t, dir)
	for _, event := range []string{"started", "completed", "stopped"} {
		if _, ok := announced.Load(event); !ok {
			t.Errorf("the tracker was not told %q", event)
		}
	}
}

// Every example stands for something that the commands really print: each event
// name in the documents is one of the names in the source.
func TestExamplesAreReal(t *testing.T) {
	var source strings.Builder
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".go") && !strings.HasSuffix(e.Name(), "_test.go") {
			b, err := os.ReadFile(e.Name())
			if err != nil {
				t.Fatal(err)
			}
			source.Write(b)
		}
	}
	library, err := os.ReadFile("../../config.go")
	if err != nil {
		t.Fatal(err)
	}
	source.Write(library)
	for k := range documented() {
		_, name, _ := strings.Cut(k, ":")
		if !strings.Contains(source.String(), `"`+name+`"`) {
			t.Errorf("docs/json.md has %q, which nothing prints", k)
		}
	}
}
