//go:build interop

package interop

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A process is a program that was started, its log, and the JSON objects it
// has printed, one a line.
type process struct {
	name string
	cmd  *exec.Cmd
	in   io.WriteCloser
	log  string
	done chan struct{} // closed when it has ended and all its output is read
	err  error         // how it ended; for readers of done

	mu     sync.Mutex
	events []event
}

// An event is one JSON object that a program printed.
type event map[string]any

func (e event) is(name string) bool { return e["event"] == name }

// number gives a field as an integer; zero when it is none.
func (e event) number(field string) int64 {
	n, _ := e[field].(float64)
	return int64(n)
}

// start runs a program for the rest of the test. When the test ends, the
// program is ended; when it has failed, the end of the log is shown.
func start(t *testing.T, name, program string, args ...string) *process {
	t.Helper()
	log, err := os.CreateTemp(t.TempDir(), "log")
	if err != nil {
		t.Fatal(err)
	}
	p := &process{name: name, cmd: exec.Command(program, args...), log: log.Name(), done: make(chan struct{})}
	// A client may write into its home; it gets one of its own.
	p.cmd.Env = append(os.Environ(), "HOME="+filepath.Dir(p.log), "XDG_CONFIG_HOME=", "XDG_STATE_HOME=", "XDG_CACHE_HOME=", "XDG_DATA_HOME=")
	p.cmd.Stderr = log
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.in, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go p.read(out, log)
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s\n%s\n%s", p.name, strings.Join(p.cmd.Args, " "), p.tail())
		}
	})
	return p
}

func (p *process) read(out io.Reader, log io.WriteCloser) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fmt.Fprintf(log, "%s\n", lines.Bytes())
		var e event
		if json.Unmarshal(lines.Bytes(), &e) == nil && e != nil {
			p.mu.Lock()
			p.events = append(p.events, e)
			p.mu.Unlock()
		}
	}
	p.err = p.cmd.Wait()
	log.Close()
	close(p.done)
}

// stop asks the program to end, and ends it when it does not. It may be called
// again.
func (p *process) stop() {
	p.in.Close()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(20 * time.Second):
		p.cmd.Process.Kill()
		<-p.done
	}
}

// exit waits for the program to end by itself and gives its exit code; -1 when
// a signal ended it.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(*patience):
		t.Fatalf("%s has not ended after %v", p.name, *patience)
	}
	var bad *exec.ExitError
	if p.err != nil && !errors.As(p.err, &bad) {
		t.Fatalf("%s: %v", p.name, p.err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// find gives the first event from index from on that is wanted, and the index
// after it.
func (p *process) find(from int, wanted func(event) bool) (event, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, e := range p.events[min(from, len(p.events)):] {
		if wanted(e) {
			return e, from + i + 1
		}
	}
	return nil, 0
}

// printed gives the number of events so far.
func (p *process) printed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.events)
}

// await waits until the program prints an event of that name.
func (p *process) await(t *testing.T, name string) event {
	t.Helper()
	return p.awaitFrom(t, 0, name, func(e event) bool { return e.is(name) })
}

func (p *process) awaitFrom(t *testing.T, from int, what string, wanted func(event) bool) event {
	t.Helper()
	var got event
	p.until(t, what, func() bool {
		got, _ = p.find(from, wanted)
		return got != nil
	})
	return got
}

// until waits for a condition, as long as the program runs.
func (p *process) until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(*patience); !holds(); time.Sleep(20 * time.Millisecond) {
		select {
		case <-p.done:
			if holds() {
				return
			}
			t.Fatalf("%s ended (%v) before: %s", p.name, p.cmd.ProcessState, what)
		default:
		}
		if time.Now().After(end) {
			t.Fatalf("%s, after %v: still not %s", p.name, *patience, what)
		}
	}
}

// text is all that the program has printed so far, on both outputs.
func (p *process) text() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (p *process) tail() string {
	const most = 4 << 10
	s := p.text()
	if len(s) > most {
		s = "…" + s[len(s)-most:]
	}
	return s
}

// output runs a program to its end and gives what it prints.
func output(t *testing.T, program string, args ...string) string {
	t.Helper()
	p := start(t, filepath.Base(program), program, args...)
	if code := p.exit(t); code != 0 {
		t.Fatalf("%s %s: exit code %d", program, strings.Join(args, " "), code)
	}
	return p.text()
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(*patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after %v: still not so: %s", *patience, what)
		}
	}
}
