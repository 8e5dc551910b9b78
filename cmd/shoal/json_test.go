package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"shoal/internal/cli/ui"
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
var optional = []string{
	"time", "external_ip", "warning", "hint", "text", "error", "to", "why", "c_from", "bitfields", "comment", "created_by", "creation_date", "pad", "executable", "number", "source", "external",
	"last_down", "last_up", "contacts", "waiting", "gives_up", "more", "short", "removed", "freed",
}

// checkDocumented holds an event that a command printed against its example: the
// same fields, of the same kinds.
func checkDocumented(t *testing.T, commandLine string, e map[string]any) {
	t.Helper()
	words := strings.Fields(commandLine)
	section := words[0]
	if section == "dht" {
		section += " " + words[1]
	}
	k := key(section, e)
	if _, ok := documented()[k]; !ok {
		k = key("", e)
	}
	want, ok := documented()[k]
	if !ok {
		t.Errorf("%s: the event %v is not in docs/json.md", section, e)
		return
	}
	printed.Store(k, true)
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
			of := strings.HasSuffix(at, ".waiting[]") && k != "kind" // what a kind does not name is left out
			if _, ok := got[k]; !ok && !of && !slices.Contains(optional, k) {
				found = append(found, at+"."+k+" is missing")
			}
		}
	case []any:
		for _, v := range got.([]any) {
			if len(want) == 0 {
				return []string{at + " has no entry in the example"}
			}
			found = append(found, differences(at+"[]", want[0], v)...)
		}
	}
	return found
}

// stateHomes are the variables that the folder of state depends on, by system.
var stateHomes = []string{"HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "LocalAppData"}

// Every example stands for something that a command really printed while the
// tests ran. Where only some tests are run there is nothing to say.
type everyExample struct{ m *testing.M }

// Run runs the tests, and then looks back.
func (e everyExample) Run() int {
	home, err := os.MkdirTemp("", "shoal") // nothing of the user's is touched
	if err != nil {
		panic(err)
	}
	for _, name := range stateHomes {
		os.Setenv(name, home)
	}
	code := e.m.Run()
	os.RemoveAll(home)
	for _, only := range []string{"test.run", "test.skip", "test.list"} {
		if flag.Lookup(only).Value.String() != "" {
			return code
		}
	}
	for k := range documented() {
		if _, ok := printed.Load(k); !ok && code == 0 {
			fmt.Printf("docs/json.md has %q, which nothing printed\n", k)
			code = 1
		}
	}
	return code
}

// printed are the examples that events were held against.
var printed sync.Map

// A tracker is announced to, and what becomes of each tracker is told, by get
// and by seed.
func TestTrackers(t *testing.T) {
	var seed atomic.Pointer[string]
	var announced sync.Map
	tracker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		announced.Store(r.URL.Query().Get("event"), true)
		peers := ""
		if addr := seed.Load(); addr != nil {
			_, port, _ := net.SplitHostPort(*addr)
			peers = "d2:ip9:127.0.0.14:porti" + port + "ee"
		}
		w.Write([]byte("d8:intervali60e5:peersl" + peers + "ee"))
	}))
	defer tracker.Close()
	broken := httptest.NewServer(http.NotFoundHandler())
	defer broken.Close()

	s := newShare(t, "--tracker", broken.URL+"/announce", "--tracker", tracker.URL+"/announce")
	seeder, addr := seedFrom(t, s.dir, s.torrent, "--no-dht")
	seed.Store(&addr)
	dir := t.TempDir()
	start(t, "get", s.torrent, "--dir", dir, "--no-dht", "--listen", "127.0.0.1:0").finish(ui.ExitDone, "complete")
	s.sameFiles(t, dir)
	for _, event := range []string{"started", "completed", "stopped"} {
		if _, ok := announced.Load(event); !ok {
			t.Errorf("the tracker was not told %q", event)
		}
	}
	seeder.await("tracker", func(e map[string]any) bool {
		return e["url"] == broken.URL+"/announce" && e["error"] != nil
	})
}
