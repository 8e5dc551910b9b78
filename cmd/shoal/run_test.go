package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/ui"
	"shoal/internal/golden"
)

// After all commands have ended nothing is left running: engines are closed
// whatever a command ended by.
func TestMain(m *testing.M) { goleak.VerifyTestMain(everyExample{m}) }

// then is the time of all scripts.
var then = time.Date(2026, 5, 4, 3, 2, 1, 987654321, time.UTC)

// command runs one command line in this process, as a script or a person would
// see it, and gives both streams and the exit code.
func command(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, ui.Env{
		Stdout: &out, Stderr: &errs,
		Getenv: func(string) string { return "" },
		Now:    func() time.Time { return then },
	})
	return out.String(), errs.String(), code
}

// TestScripts plays testdata/scripts. Each starts in a folder of its own that
// holds the torrents of testdata/torrents. A line that begins with "shoal" is a
// command line; its answer is what goes to standard output, then what goes to
// standard error, marked with "!", then the exit code if it is not 0. Other
// commands make files:
//
//	write NAME SIZE    a file of that size, always the same
//	damage NAME AT     change one byte
//	remove NAME        a file or folder
//	cut NAME SIZE      make it shorter
func TestScripts(t *testing.T) {
	documented() // while this is the folder of the package
	torrents, err := filepath.Abs("testdata/torrents")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Abs("testdata/scripts")
	if err != nil {
		t.Fatal(err)
	}
	golden.Run(t, filepath.Join(scripts, "*.txt"), func(t *testing.T) func(string) string {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(torrents)); err != nil {
			t.Fatal(err)
		}
		t.Chdir(dir)
		return func(line string) string {
			words := strings.Fields(line)
			if words[0] != "shoal" {
				return files(t, words)
			}
			stdout, stderr, code := command(t, words[1:]...)
			var b strings.Builder
			for l := range strings.Lines(stdout) {
				var e map[string]any
				if json.Unmarshal([]byte(l), &e) == nil {
					checkDocumented(t, strings.Join(words[1:], " "), e)
				}
			}
			b.WriteString(stdout)
			for l := range strings.Lines(stderr) {
				b.WriteString("! " + l)
			}
			if code != 0 {
				fmt.Fprintf(&b, "[exit %d]\n", code)
			}
			return b.String()
		}
	})
}

// files makes and changes files, as a script asks.
func files(t *testing.T, words []string) string {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	number := func() int {
		n, err := strconv.Atoi(words[2])
		must(err)
		return n
	}
	name := words[1]
	switch words[0] {
	case "write":
		must(os.MkdirAll(filepath.Dir(name), 0o777))
		must(os.WriteFile(name, content(number()), 0o666))
	case "damage":
		b, err := os.ReadFile(name)
		must(err)
		b[number()] ^= 1
		must(os.WriteFile(name, b, 0o666))
	case "remove":
		must(os.RemoveAll(name))
	case "cut":
		must(os.Truncate(name, int64(number())))
	default:
		t.Fatalf("unknown command %q", words[0])
	}
	return ""
}

// content gives n bytes that repeat at no piece length.
func content(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

// The first signal cancels the command, the second ends the run whatever the
// command does, and loses nothing that was traced.
func TestSecondSignal(t *testing.T) {
	var out, errs bytes.Buffer
	trace := filepath.Join(t.TempDir(), "trace.jsonl")
	signals := make(chan os.Signal, 2)
	stuck := make(chan struct{})
	started := make(chan struct{})
	e := ui.Env{Stdout: &out, Stderr: &errs, Getenv: os.Getenv, Signals: signals, Now: time.Now}
	done := make(chan int)
	go func() {
		done <- runWith(context.Background(), []string{"--json"}, e, func(ctx context.Context, _ []string, out *ui.Output, _ ui.Env) error {
			s, err := session.Open(out, session.Flags{Listen: cmdline.ListensFlag{netip.MustParseAddrPort("127.0.0.1:0")}, NoDHT: true, Trace: trace})
			if err != nil {
				t.Error(err)
			}
			defer s.Close()
			s.Trace.Write([]byte("the last words\n"))
			close(started)
			<-ctx.Done()
			<-stuck // a tracker that does not answer, a disk that hangs
			out.Say("nobody hears this")
			return nil
		})
	}()
	<-started
	signals <- os.Interrupt
	signals <- os.Interrupt
	if code := <-done; code != ui.ExitInterrupted {
		t.Errorf("exit code %d", code)
	}
	if b, err := os.ReadFile(trace); string(b) != "the last words\n" {
		t.Errorf("the trace has %q, %v", b, err)
	}
	close(stuck)
	if !strings.Contains(errs.String(), "stopped at once") || !strings.Contains(out.String(), `"event":"error"`) {
		t.Errorf("said %q and %q", out.String(), errs.String())
	}
}

// timeout(1) and others signal a program and its whole group: that is one signal.
func TestSignalOfTheGroup(t *testing.T) {
	var out, errs bytes.Buffer
	signals := make(chan os.Signal)
	clean := make(chan struct{})
	e := ui.Env{
		Stdout: &out, Stderr: &errs, Getenv: os.Getenv, Signals: signals, SignalsApart: time.Second,
		Now: func() time.Time { return time.Unix(1, 0) },
	}
	done := make(chan int)
	go func() {
		done <- runWith(context.Background(), nil, e, func(ctx context.Context, _ []string, _ *ui.Output, _ ui.Env) error {
			<-ctx.Done()
			<-clean
			return context.Cause(ctx)
		})
	}()
	signals <- syscall.SIGTERM
	signals <- syscall.SIGTERM // taken, and passed over
	close(clean)
	if code := <-done; code != ui.ExitInterrupted || strings.Contains(errs.String(), "stopped at once") {
		t.Errorf("exit code %d, said %q", code, errs.String())
	}
}

// A command that stops cleanly after one signal ends with 130, whatever form its
// error has.
func TestOneSignal(t *testing.T) {
	for name, err := range map[string]func(context.Context) error{
		"the context's error":  func(ctx context.Context) error { return ctx.Err() },
		"its cause":            context.Cause,
		"wrapped in a failure": func(ctx context.Context) error { return ui.Fail("hash x", ctx.Err()) },
	} {
		var errs bytes.Buffer
		signals := make(chan os.Signal, 1)
		signals <- os.Interrupt
		e := ui.Env{Stdout: &bytes.Buffer{}, Stderr: &errs, Getenv: os.Getenv, Signals: signals, Now: time.Now}
		code := runWith(t.Context(), nil, e, func(ctx context.Context, _ []string, _ *ui.Output, _ ui.Env) error {
			<-ctx.Done()
			return err(ctx)
		})
		if want := "shoal: interrupted by Ctrl-C\n"; code != ui.ExitInterrupted || !strings.HasPrefix(errs.String(), want) {
			t.Errorf("%s: exit code %d, said %q", name, code, errs.String())
		}
	}
}
