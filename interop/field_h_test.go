//go:build interop

package interop

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const wordsH = `*Crowd:* a client seeds while others hold connections to it; then a peer comes that wants one block. It is let in
when its handshake is answered within two seconds and the block comes. The other rows are about commands and signals.`

// crowd is a case of connections at a seed.
func crowd(n, kind int) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string { return crowdAt(t, who, nil, n, kind) }
}

// A told command is one of shoal's whose words and exit code are looked at.
type told struct {
	args   []string // TORRENT, DIR and STATE stand for what they say
	code   int      // -1 means any
	words  []string // all of them have to be in what it prints
	not    []string // and none of these
	env    []string // NAME=VALUE, or NAME alone to take it away
	in     string   // standard input
	put    bool     // the torrent's files are there
	after  func(t *testing.T, dir string) bool
	wants  bool   // there is a peer with the torrent
	config string // text of a file of settings, config.toml beside DIR
	limit  time.Duration
}

// does is the case of a command that does what it is asked, and tells the one of a command that
// says what is the matter; word is the outcome when all is as it should be.
func (c told) run(word string) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m, dir, state := folder("films", "season 1", "a [720p].mkv").build(t), folderOf(t), t.TempDir()
		if c.config != "" {
			if err := os.WriteFile(filepath.Join(dir, "..", "config.toml"), []byte(c.config), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if c.put {
			m.put(t, dir, asNamed)
		}
		at := newAddr()
		var args []string
		for _, a := range c.args {
			args = append(args, strings.NewReplacer("TORRENT", m.file, "DIR", dir, "STATE", state, "LISTEN", at.String(), "HASH", m.hex(), "SHOAL", shoal).Replace(a))
		}
		wrap := []string{"env"}
		for _, e := range c.env {
			if !strings.Contains(e, "=") {
				wrap = append(wrap, "-u")
			}
			wrap = append(wrap, strings.ReplaceAll(e, "DIR", dir))
		}
		if len(c.env) == 0 {
			wrap = nil
		}
		p := order{wrap: wrap}.start(t, who, slices.Concat([]string{shoal}, args))
		io.WriteString(p.in, c.in)
		p.in.Close()
		if c.wants {
			give(t, m, at)
		}
		limit := c.limit
		if limit == 0 {
			limit = 8 * time.Second
		}
		if !within(limit, p.over) {
			t.Logf("it goes on:\n%s", p.tail())
			return "hangs"
		}
		text := withoutScratch(p.text())
		good := p.cmd.ProcessState.ExitCode() == c.code || c.code < 0
		for _, w := range c.words {
			good = good && strings.Contains(text, w)
		}
		for _, w := range c.not {
			good = good && !strings.Contains(text, w)
		}
		good = good && (c.after == nil || c.after(t, dir))
		switch {
		case strings.Contains(text, "panic:"):
			return "crashes"
		case good:
			return word
		}
		t.Logf("%v: exit code %d:\n%s", args, p.cmd.ProcessState.ExitCode(), p.tail())
		switch {
		case word != "tells" && strings.Contains(text, "unknown flag"), strings.Contains(text, "unknown command"):
			return "has no such way"
		case word == "tells":
			return "keeps quiet"
		}
		return "refuses"
	}
}

var quiet = []string{"--no-dht", "--no-lsd", "--listen", "LISTEN", "--state", "STATE"}

func get(args ...string) []string {
	return slices.Concat([]string{"get", "TORRENT", "--dir", "DIR"}, quiet, args)
}

// there reports whether files of the torrent are there, and others are not.
func there(want []string, not ...string) func(t *testing.T, dir string) bool {
	return func(t *testing.T, dir string) bool {
		good := true
		for _, f := range want {
			_, err := os.Stat(filepath.Join(dir, f))
			good = good && err == nil
		}
		for _, f := range not {
			_, err := os.Lstat(filepath.Join(dir, f))
			good = good && err != nil
		}
		return good
	}
}

// signalled is a case of a signal to a service at work.
func signalled(verb string, signal syscall.Signal, code int) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m, dir := album(t), folderOf(t)
		at := newAddr()
		if verb == "seed" {
			m.put(t, dir, asNamed)
		}
		p := start(t, who, shoal, verb, m.file, "--dir", dir, "--listen", at.String(), "--no-dht", "--no-lsd", "--json", "--state", t.TempDir())
		if verb != "seed" {
			g := give(t, m, at, func(g *giver) { g.limit = 512 << 10 })
			within(8*time.Second, func() bool { return g.sent.Load() > 200_000 })
		} else {
			within(8*time.Second, func() bool { e, _ := p.find(0, func(e event) bool { return e.is("up") }); return e != nil })
		}
		p.cmd.Process.Signal(signal)
		if !within(6*time.Second, p.over) {
			return "hangs"
		}
		if got := p.cmd.ProcessState.ExitCode(); got != code {
			t.Logf("exit code %d, and should: %d", got, code)
			return "refuses"
		}
		return "accepts"
	}
}

// crowdAtHTTP is a case of silent connections at a server of shoal, and a request after them.
func crowdAtHTTP(n int, args func(m *made, dir, state string, at, http netip.AddrPort) []string, path string) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m, dir := folder("films", "a.mkv").build(t), folderOf(t)
		m.put(t, dir, asNamed)
		http := newAddr()
		p := start(t, who, shoal, args(m, dir, t.TempDir(), newAddr(), http)...)
		if !within(8*time.Second, func() bool { return listening("tcp", http) || p.over() }) || p.over() {
			t.Logf("it is not up:\n%s", p.tail())
			return "refuses"
		}
		for range n {
			if c, err := net.DialTimeout("tcp", http.String(), 2*time.Second); err == nil {
				defer c.Close()
			}
		}
		time.Sleep(300 * time.Millisecond)
		began := time.Now()
		for time.Since(began) < 8*time.Second {
			c, err := net.DialTimeout("tcp", http.String(), 2*time.Second)
			if err != nil {
				continue
			}
			c.SetDeadline(time.Now().Add(2 * time.Second))
			fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: %v\r\nConnection: close\r\n\r\n", path, http)
			answer, _ := io.ReadAll(io.LimitReader(c, 1024))
			c.Close()
			if bytes.HasPrefix(answer, []byte("HTTP/1.")) {
				if time.Since(began) > 2*time.Second {
					return "is late"
				}
				return "lets in"
			}
			time.Sleep(100 * time.Millisecond)
		}
		return "locks out"
	}
}

// moved is a case of a torrent that run remembers and that another command moves or renames:
// accepted is it when the next run has it whole, and fetches nothing.
func movedMeanwhile(do func(t *testing.T, file, dir, state string)) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m, dir, state := album(t), folderOf(t), t.TempDir()
		m.put(t, dir, asNamed)
		run := func(source ...string) (*process, netip.AddrPort) {
			at := newAddr()
			p := start(t, who, shoal, slices.Concat([]string{"run", "--listen", at.String(), "--no-dht", "--no-lsd", "--json", "--state", state}, source)...)
			within(8*time.Second, func() bool {
				e, _ := p.find(0, func(e event) bool { return e.is("up") })
				return e != nil || p.over()
			})
			return p, at
		}
		p, _ := run(m.file, "--dir", dir)
		p.stop()
		do(t, m.file, dir, state)
		p, at := run()
		g := give(t, m, at)
		time.Sleep(time.Second)
		up, _ := p.find(0, func(e event) bool { return e.is("up") })
		p.stop()
		switch {
		case g.sent.Load() > 0:
			return "fetches again"
		case up.number("complete") == 1:
			return "accepts"
		}
		t.Logf("%s", p.tail())
		return "refuses"
	}
}

// shoalRuns runs shoal to its end.
func shoalRuns(t *testing.T, args ...string) string {
	t.Helper()
	p := start(t, "shoal", shoal, args...)
	if !within(8*time.Second, p.over) || p.cmd.ProcessState.ExitCode() != 0 {
		t.Logf("shoal %v:\n%s", args, p.tail())
	}
	return p.text()
}

func trialsH() []trial {
	crowds := []trial{
		{name: "crowd: 2,000 silent connections", want: "lets in", why: "the oldest silent ones go first", serial: true, run: crowd(2000, silent)},
		{name: "crowd: 2,000 with half a handshake", want: "lets in", why: "the same", serial: true, run: crowd(2000, partly)},
		{name: "crowd: 200 silent connections", want: "lets in", why: "the same", serial: true, run: crowd(200, silent)},
		{name: "crowd: 80 peers that have nothing and ask for nothing", want: "lets in", why: "a full house makes room for who may be worth more", serial: true, run: crowd(80, handshaken)},
		{name: "crowd: 80 that are interested and ask for nothing", want: "lets in", why: "the same", serial: true, run: crowd(80, asking)},
		{name: "crowd: 80 that ask for one block and then for nothing", want: "lets in", why: "the same", serial: true, run: crowd(80, sipping)},
		{name: "crowd: 80 that ask for everything and read nothing", want: "lets in", why: "the same", serial: true, run: crowd(80, deaf)},
		{name: "crowd: 80 that ask for a byte each second", want: "lets in", why: "the same", serial: true, run: crowd(80, licking)},
		{name: "crowd: 80 that ask for everything and read 1 KiB a second", want: "lets in", why: "the same", serial: true, run: crowd(80, dripping)},
		{name: "crowd: 80 that ask for a block a minute", want: "lets in", why: "the same", serial: true, run: crowd(80, minutely)},
		{name: "crowd: 80 that ask for blocks and cancel at once", want: "lets in", why: "the same", serial: true, run: crowd(80, cancelling)},
		{name: "crowd: 80 that ask for the same block again and again", want: "lets in", why: "the same", serial: true, run: crowd(80, repeating)},
		{name: "crowd: 80 that change their mind each second", want: "lets in", why: "the same", serial: true, run: crowd(80, wavering)},
		{name: "crowd: 80 on as many networks that ask for everything and read nothing", want: "lets in", why: "the same", serial: true, run: crowd(80, deaf|spread)},
		{name: "crowd: 80 on as many networks that ask for a byte each second", want: "lets in", why: "the same", serial: true, run: crowd(80, licking|spread)},
		{name: "crowd: 500 peers that have nothing and ask for nothing", want: "lets in", why: "the same", serial: true, run: crowd(500, handshaken)},
		{name: "crowd: 1,000 silent connections at `shoal tracker`", want: "lets in", why: "the same at any door", others: []string{}, serial: true, run: crowdAtHTTP(1000, func(_ *made, _, state string, _, http netip.AddrPort) []string {
			return []string{"tracker", "--listen", http.String(), "--json"}
		}, "/announce")},
		{name: "crowd: 1,000 silent connections at `shoal serve`", want: "lets in", why: "the same", others: []string{}, serial: true, run: crowdAtHTTP(1000, func(m *made, dir, state string, at, http netip.AddrPort) []string {
			return []string{"serve", m.file, "--dir", dir, "--http", http.String(), "--listen", at.String(), "--no-dht", "--no-lsd", "--state", state}
		}, "/")},
	}
	list := []trial{
		{name: "SIGHUP to `run`", want: "accepts", why: "it ends as by SIGTERM: 0", others: []string{}, run: signalled("run", syscall.SIGHUP, 0)},
		{name: "SIGTERM to `run` while it fetches", want: "accepts", why: "a service that a signal ends exits with 0", others: []string{}, run: signalled("run", syscall.SIGTERM, 0)},
		{name: "SIGTERM to `seed`", want: "accepts", why: "the same", others: []string{}, run: signalled("seed", syscall.SIGTERM, 0)},
		{name: "SIGHUP to `seed`", want: "accepts", why: "the same", others: []string{}, run: signalled("seed", syscall.SIGHUP, 0)},
		{name: "SIGTERM to `serve`", want: "accepts", why: "the same", others: []string{}, run: signalled("serve", syscall.SIGTERM, 0)},
		{name: "no HOME", want: "tells", why: "it is named as that", others: []string{}, run: told{args: []string{"get", "TORRENT", "--dir", "DIR", "--listen", "LISTEN", "--no-dht"}, env: []string{"HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME"}, code: -1, wants: true, words: []string{"HOME"}}.run("tells")},
		{name: "a HOME that can't be written", want: "tells", why: "the same", others: []string{}, run: told{args: []string{"get", "TORRENT", "--dir", "DIR", "--listen", "LISTEN", "--no-dht"}, env: []string{"HOME=/proc/1/root/nowhere"}, code: -1, wants: true, words: []string{"/proc/1/root/nowhere"}}.run("tells")},
		{name: "`move`, and `run` again", want: "accepts", why: "the list changes with the files", others: []string{}, run: movedMeanwhile(func(t *testing.T, file, dir, state string) {
			shoalRuns(t, "move", file, folderOf(t), "--dir", dir, "--state", state)
		})},
		{name: "`rename`, and `run` again", want: "accepts", why: "the same", others: []string{}, run: movedMeanwhile(func(t *testing.T, file, dir, state string) {
			shoalRuns(t, "rename", file, "album", "best of", "--dir", dir, "--state", state)
		})},
		{name: "`move HASH`, and `run` again", want: "accepts", why: "metadata that was once received is kept", others: []string{}, run: movedMeanwhile(func(t *testing.T, file, dir, state string) {
			_, rest, _ := strings.Cut(shoalRuns(t, "show", file, "--magnet"), "btih:")
			shoalRuns(t, "move", rest[:40], folderOf(t), "--dir", dir, "--state", state)
		})},
		{name: "`verify HASH` of a torrent that was fetched by its link", want: "accepts", why: "the same", others: []string{}, run: func(t *testing.T, who string) string {
			m, dir, state := album(t), folderOf(t), t.TempDir()
			r := take(t, who, order{source: "magnet:?xt=urn:btih:" + m.hex(), dir: dir, state: state, give: func(at netip.AddrPort) { give(t, m, at, func(g *giver) { g.meta = true }) }})
			if !r.done {
				t.Logf("the link was not fetched:\n%s", r.text)
				return "hangs"
			}
			p := start(t, who, shoal, "verify", m.hex(), "--dir", dir, "--state", state)
			if within(8*time.Second, p.over) && p.cmd.ProcessState.ExitCode() == 0 {
				return "accepts"
			}
			t.Log(p.tail())
			return "refuses"
		}},
		{name: "`--only` a name with brackets, literally", want: "accepts", why: "literal names first, then patterns", others: []string{}, run: told{args: get("--only", "a [720p].mkv"), wants: true, after: there([]string{"films/season 1/a [720p].mkv"}, "films/second.bin")}.run("accepts")},
		{name: "`--only 2`", want: "accepts", why: "numbers as `shoal show` prints them", others: []string{}, run: told{args: get("--only", "2"), wants: true, after: there([]string{"films/second.bin"}, "films/season 1/a [720p].mkv")}.run("accepts")},
		{name: "`--only '**/*.mkv'`", want: "accepts", why: "`**` is any number of folders", others: []string{}, run: told{args: get("--only", "**/*.mkv"), wants: true, after: there([]string{"films/season 1/a [720p].mkv"}, "films/second.bin")}.run("accepts")},
		{name: "`--only 1-2`", want: "accepts", why: "a range of numbers", others: []string{}, run: told{args: get("--only", "1-2"), wants: true, after: there([]string{"films/season 1/a [720p].mkv", "films/second.bin"})}.run("accepts")},
		{name: "`--only` a folder", want: "accepts", why: "all that is in it", others: []string{}, run: told{args: get("--only", "season 1"), wants: true, after: there([]string{"films/season 1/a [720p].mkv"}, "films/second.bin")}.run("accepts")},
		{name: "`--only` a pattern that fits nothing", want: "tells", why: "before a folder is made", others: []string{}, run: told{args: get("--only", "*.avi"), code: 2, words: []string{"*.avi"}, after: there(nil, "films")}.run("tells")},
		{name: "`--only 7` of two files", want: "tells", why: "the same", others: []string{}, run: told{args: get("--only", "7"), code: 2, words: []string{"7"}, after: there(nil, "films")}.run("tells")},
		{name: "`--skip '['`", want: "tells", why: "the same", others: []string{}, run: told{args: get("--skip", "["), code: 2, words: []string{"["}, after: there(nil, "films")}.run("tells")},
		{name: "the part file, when all is fetched", want: "accepts", why: "it goes when nothing needs it", others: []string{}, run: func(t *testing.T, who string) string {
			m, dir, state := folder("films", "a.mkv").build(t), folderOf(t), t.TempDir()
			for _, more := range [][]string{{"--only", "second.bin"}, nil} {
				if r := take(t, who, order{source: m.file, dir: dir, state: state, more: more, give: func(at netip.AddrPort) { give(t, m, at) }}); !r.done {
					return "hangs"
				}
			}
			names, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			if len(names) != 1 {
				t.Logf("there is more than the torrent's folder: %v", names)
				return "refuses"
			}
			return "accepts"
		}},
		{name: "`--stream` of a name with a blank", want: "accepts", why: "names have blanks", others: []string{}, run: told{args: get("--stream", "season 1/a [720p].mkv"), wants: true, not: []string{"usage"}}.run("accepts")},
		{name: "`--limit-down 1.5M`", want: "accepts", why: "as people write it", others: []string{}, run: told{args: get("--limit-down", "1.5M"), wants: true}.run("accepts")},
		{name: "`--seed-time 2d`", want: "accepts", why: "the same", others: []string{}, run: told{args: get("--seed-time", "2d", "--seed-idle", "1s"), wants: true}.run("accepts")},
		{name: "`--wait 1w`", want: "accepts", why: "the same", others: []string{}, run: told{args: get("--wait", "1w"), wants: true}.run("accepts")},
		{name: "`--limit-down 1,5M`", want: "tells", why: "what is not understood is not guessed", others: []string{}, run: told{args: get("--limit-down", "1,5M"), code: 2, words: []string{"1,5M"}}.run("tells")},
		{name: "`shoal gte`", want: "tells", why: "`get` is suggested", others: []string{}, run: told{args: []string{"gte", "x"}, code: 2, words: []string{"get"}}.run("tells")},
		{name: "`--limit-dwon`", want: "tells", why: "the same for flags", others: []string{}, run: told{args: get("--limit-dwon", "1M"), code: 2, words: []string{"--limit-down"}}.run("tells")},
		{name: "a setting that is misspelt", want: "tells", why: "its line is named", others: []string{}, run: told{args: get("--config", "DIR/../config.toml"), code: 2, words: []string{"line 2", "limit-up"}, config: "# mine\nlimit-pu = \"1M\"\n"}.run("tells")},
		{name: "`--version`", want: "accepts", why: "what every program has", others: []string{}, run: told{args: []string{"--version"}}.run("accepts")},
		{name: "`get -q`", want: "accepts", why: "nothing but what went wrong", others: []string{}, run: told{args: get("-q"), wants: true}.run("accepts")},
		{name: "`get -v`", want: "accepts", why: "more than usual", others: []string{}, run: told{args: get("-v"), wants: true}.run("accepts")},
		{name: "`get --log FILE`", want: "accepts", why: "what happened, with times", others: []string{}, run: told{args: get("--log", "DIR/log"), wants: true, after: there([]string{"log"})}.run("accepts")},
		{name: "`get` of two sources", want: "accepts", why: "people select several files", others: []string{}, run: func(t *testing.T, who string) string {
			first, second := folder("first", "a.mkv").build(t), folder("second", "a.mkv").build(t)
			at := newAddr()
			p := start(t, who, shoal, "get", first.file, second.file, "--dir", folderOf(t), "--listen", at.String(), "--no-dht", "--no-lsd", "--json", "--state", t.TempDir())
			give(t, first, at)
			give(t, second, at)
			if within(8*time.Second, p.over) && p.cmd.ProcessState.ExitCode() == 0 {
				return "accepts"
			}
			t.Log(p.tail())
			return "refuses"
		}},
		{name: "`--on-complete PROGRAM`", want: "accepts", why: "without a shell", others: []string{}, run: told{args: get("--on-complete", "touch DIR/done"), wants: true, after: there([]string{"done"})}.run("accepts")},
		{name: "`--stop-after 2s` without progress", want: "tells", why: "scripts have to end", others: []string{}, run: told{args: get("--stop-after", "2s"), code: 4, words: []string{"no progress"}}.run("tells")},
		{name: "`lab --keep` of a folder that is not empty", want: "tells", why: "at once", others: []string{}, run: told{args: []string{"lab", "--keep", "DIR"}, put: true, code: 2, words: []string{"not empty"}, limit: 2 * time.Second}.run("tells")},
		{name: "`get` of something complete, twice", want: "accepts", why: "nothing is asked of anybody", others: []string{}, run: told{args: get(), put: true}.run("accepts")},
		{name: "`verify` of a folder that is not there", want: "tells", why: "which folder was looked at", others: []string{}, run: told{args: []string{"verify", "TORRENT", "--dir", "DIR/nowhere", "--state", "STATE"}, code: 1, words: []string{"nowhere"}}.run("tells")},
	}
	return slices.Concat(crowds, list)
}
