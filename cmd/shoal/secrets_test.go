package main

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"shoal/internal/cli/ui"
)

// Passkeys and passwords of tracker URLs are in nothing that a command prints, for people
// or for programs, also where the tracker repeats them. show has them on request, since they
// are the user's own.
func TestPasskeysAreHidden(t *testing.T) {
	const secret, word = "5ec2e7a0b1c2d3e4f5a6b7c8d9e0f1a2", "hunter2hunter2"
	tracker := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reason := "passkey " + secret + " is not known"
		fmt.Fprintf(w, "d14:failure reason%d:%se", len(reason), reason)
	}))
	defer tracker.Close()
	host := strings.TrimPrefix(tracker.URL, "http://")
	urls := []string{
		"http://me:" + word + "@" + host + "/announce?passkey=" + secret,
		"http://" + host + "/announce/" + secret + "/announce",
	}
	s := newShare(t, "--tracker", urls[0], "--tracker", urls[1], "--web-seed", "http://me:"+word+"@"+host+"/"+secret+"/")
	show, _, _ := command(t, "show", s.torrent, "--magnet", "--secrets")
	link := strings.TrimSpace(show)
	if strings.Count(link, secret) < 3 {
		t.Fatalf("--secrets: %s", link)
	}

	looks := func(what, text string) {
		t.Helper()
		if strings.Contains(text, secret) || strings.Contains(text, word) {
			t.Errorf("%s shows a secret:\n%s", what, text)
		}
	}
	for _, args := range [][]string{
		{"show", s.torrent},
		{"show", s.torrent, "--magnet"},
		{"show", link},
		{"announce", s.torrent, "--listen", "127.0.0.1:0"},
		{"scrape", s.torrent, "--listen", "127.0.0.1:0"},
		{"scrape", urls[0]},
		{"get", urls[0], "--listen", "127.0.0.1:0"},
		{"get", "http://me:" + word + "@" + host + "/x.torrent?passkey=" + secret, "--listen", "127.0.0.1:0", "--no-such"},
		{"get", s.torrent, "--web-seed", "ftp://me:" + word + "@" + host + "/"},
	} {
		out, errs, _ := command(t, args...)
		looks(strings.Join(args[:1], " "), out+errs)
		out, errs, _ = command(t, append(args, "--json")...)
		looks(strings.Join(args[:1], " ")+" --json", out+errs)
		log := filepath.Join(t.TempDir(), "log")
		_, errs, _ = command(t, append(args, "--verbose", "--log", log)...)
		kept, _ := os.ReadFile(log)
		looks(args[0]+" --log", errs+string(kept))
	}
	log := filepath.Join(t.TempDir(), "log")
	out, _, _ := command(t, "show", s.torrent, "--json", "--secrets", "--log", log)
	if strings.Count(out, secret) < 6 || strings.Count(out, word) < 4 {
		t.Errorf("show --json --secrets hides what is the user's own: %s", out)
	}
	kept, _ := os.ReadFile(log)
	looks("the log of show --secrets", string(kept))

	r := start(t, "get", s.torrent, "--dir", t.TempDir(), "--no-dht", "--listen", "127.0.0.1:0")
	for _, u := range urls {
		shown := map[string]string{urls[0]: "http://***@" + host + "/announce?passkey=***", urls[1]: "http://" + host + "/announce/***/announce"}[u]
		r.await("tracker", func(e map[string]any) bool { return e["url"] == shown && e["error"] != nil })
	}
	r.await("web-seed", func(e map[string]any) bool { return e["error"] != nil })
	r.signals <- os.Interrupt
	r.finish(ui.ExitInterrupted, "error")
	looks("get", r.text()+r.stderr.String())
}

// A process that is killed leaves its trace but for the last moment.
func TestTraceOfTheKilled(t *testing.T) {
	if path := os.Getenv("SHOAL_TEST_TRACE"); path != "" {
		os.Exit(run(context.Background(), []string{
			"get", "0123456789abcdef0123456789abcdef01234567", "--peer", "127.0.0.1:1", "--no-dht", "--listen", "127.0.0.1:0",
			"--state", "none", "--trace", path,
		}, ui.Env{Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Now: time.Now}))
	}
	path := filepath.Join(t.TempDir(), "trace")
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTraceOfTheKilled$")
	child.Env = append(os.Environ(), "SHOAL_TEST_TRACE="+path)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		if b, _ := os.ReadFile(path); strings.Contains(string(b), `"what":"dial failed"`) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	child.Process.Kill()
	child.Wait()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if l := lines.Text(); !strings.HasPrefix(l, "{") || !strings.HasSuffix(l, "}") {
			t.Errorf("half a record: %s", l)
		}
	}
}
