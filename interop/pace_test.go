//go:build interop

package interop

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	paceRun      = flag.Bool("pace", false, "measure shoal and libtorrent at every pace; -write puts it into docs/performance.md")
	paceOnly     = flag.String("pace-only", "", "measure only these cases: "+strings.Join(paceNames(), ","))
	paceReps     = flag.Int("pace-reps", 3, "runs of each client, for medians; small files have two at most")
	paceSettle   = flag.Duration("pace-settle", 6*time.Second, "wait for a steady rate under a limit; chatter has half")
	paceSpan     = flag.Duration("pace-span", 15*time.Second, "length of a measurement under a limit; chatter has two thirds")
	paceLimits   = flag.String("pace-limits", "500000,1100000,5000000", "limits in bytes a second")
	pacePeers    = flag.Int("pace-peers", 150, "peers that chatter")
	paceHaves    = flag.Int("pace-haves", 10, "HAVEs a second from each peer that chatters")
	paceFiles    = flag.Int("pace-files", 20000, "small files")
	paceTorrents = flag.Int("pace-torrents", 2000, "torrents that announce")
)

const (
	pacePage  = "../docs/performance.md"
	paceBegin = "<!-- pace: begin, made by make pace -->\n"
	paceEnd   = "<!-- pace: end -->\n"
)

// A paceCase is a condition that no race at full speed has, and both clients meet in turn.
type paceCase struct {
	name, title string
	words       string // how it is measured; of a page
	reps        int    // most runs that are of use; 0 means no bound
	of          string // which of the runs the table shows
	pick        func([]float64) float64
	run         func(t *testing.T, who string, f *figures)
}

func paceCases() []paceCase {
	return []paceCase{
		{
			name: "limits", title: "Under a limit", of: "medians", pick: median, run: paceUnderLimit,
			words: `A seed, then a leecher, with a limit and one peer, which is libtorrent without limits.
A switch is a thread that gives up its processor because it waits.`,
		},
		{
			name: "chatter", title: "Peers that chatter", of: "medians", pick: median, run: paceChatter,
			words: `Connected peers that have nothing and send HAVEs: %d peers, and %d HAVEs a second from each.
The client is a leecher that first only waits, and then downloads 8 MiB/s from one more peer.`,
		},
		{
			name: "files", title: "Small files", reps: 2, of: "the best", pick: slices.Min[[]float64], run: paceSmallFiles,
			words: `%d files of up to 20 KB in 200 folders, on a disk, in pieces of 256 KiB. "again" is a start of what is
known to be complete. Each step begins after a sync of the whole machine. shoal's time is that of a process from
its start to its end, or to "up". libtorrent's begins after the interpreter has loaded the library. shoal's fetch
ends when all is durable; libtorrent's does not wait for that.`,
		},
		{
			name: "trackers", title: "Many torrents on one tracker", of: "medians", pick: median, run: paceTrackers,
			words: `%d complete torrents start, on one HTTP tracker that takes 20 ms to answer. The clock ends when the
tracker has answered for every torrent.`,
		},
	}
}

func paceNames() (names []string) {
	for _, c := range paceCases() {
		names = append(names, c.name)
	}
	return names
}

// What shoal costs beside libtorrent under limits, in chatter, with many files and with many
// torrents. Nothing here fails because it is slow: the figures are for a reader to compare.
func TestPace(t *testing.T) {
	if !*paceRun {
		t.Skip("it measures for twenty minutes: make pace")
	}
	numbers := map[string][]any{"chatter": {*pacePeers, *paceHaves}, "files": {*paceFiles}, "trackers": {*paceTorrents}}
	only := paceNames()
	if *paceOnly != "" {
		only = strings.Split(*paceOnly, ",")
	}
	for _, name := range only {
		if !slices.Contains(paceNames(), name) {
			t.Fatalf("-pace-only: there is no case %q", name)
		}
	}
	texts := make(map[string]string)
	for _, c := range paceCases() {
		if !slices.Contains(only, c.name) {
			continue
		}
		reps, f, began := *paceReps, new(figures), time.Now()
		if c.reps > 0 {
			reps = min(reps, c.reps)
		}
		ok := t.Run(c.name, func(t *testing.T) {
			for i := range reps {
				turn := []string{"shoal", "libtorrent"}
				if i%2 == 1 {
					slices.Reverse(turn)
				}
				for _, who := range turn {
					t.Run(fmt.Sprintf("%d/%s", i+1, who), func(t *testing.T) { c.run(t, who, f) })
				}
			}
		})
		if !ok {
			continue
		}
		words := fmt.Sprintf(c.words, numbers[c.name]...)
		texts[c.title] = fmt.Sprintf("%s\n\n%s\n%s: %s of %d.\n\n", words, f.table(c.pick), paceMachine(t), c.of, reps)
		t.Logf("%s, in %v\n\n%s", c.title, time.Since(began).Round(time.Second), texts[c.title])
	}
	if *fieldWrite && !t.Failed() {
		writePace(t, texts)
	}
}

// writePace replaces the sections of the page that were measured, and keeps the others.
func writePace(t *testing.T, texts map[string]string) {
	t.Helper()
	page, err := os.ReadFile(pacePage)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(page), paceBegin)
	old, after, ok2 := strings.Cut(rest, paceEnd)
	if !ok || !ok2 {
		t.Fatalf("%s does not have the lines %q and %q", pacePage, paceBegin, paceEnd)
	}
	all := make(map[string]string)
	for _, section := range strings.Split("\n"+old, "\n### ")[1:] {
		title, text, _ := strings.Cut(section, "\n\n")
		all[title] = strings.TrimRight(text, "\n") + "\n\n"
	}
	maps.Copy(all, texts)
	made := "\n"
	for _, c := range paceCases() {
		if all[c.title] != "" {
			made += "### " + c.title + "\n\n" + all[c.title]
		}
	}
	if err := os.WriteFile(pacePage, []byte(before+paceBegin+made+paceEnd+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// figures are what was measured, by rows and clients.
type figures struct {
	names   []string // rows in the order of their first figure
	formats map[string]string
	values  map[[2]string][]float64 // row and client
}

// note keeps a figure of one run.
func (f *figures) note(who, name, format string, value float64) {
	if f.formats == nil {
		f.formats, f.values = make(map[string]string), make(map[[2]string][]float64)
	}
	if f.formats[name] == "" {
		f.names = append(f.names, name)
	}
	f.formats[name] = format
	f.values[[2]string{name, who}] = append(f.values[[2]string{name, who}], value)
}

// table writes the rows, with one figure of each client and their ratio.
func (f *figures) table(pick func([]float64) float64) string {
	var b strings.Builder
	b.WriteString("| | shoal | libtorrent | shoal / libtorrent |\n|---|---|---|---|\n")
	for _, name := range f.names {
		ours, theirs := pick(f.values[[2]string{name, "shoal"}]), pick(f.values[[2]string{name, "libtorrent"}])
		ratio := "–"
		if theirs > 0 {
			ratio = strconv.FormatFloat(ours/theirs, 'f', 2, 64)
		}
		fmt.Fprintf(&b, "| %s | "+f.formats[name]+" | "+f.formats[name]+" | %s |\n", name, ours, theirs, ratio)
	}
	return b.String()
}

func median(values []float64) float64 {
	s := slices.Sorted(slices.Values(values))
	return (s[len(s)/2] + s[(len(s)-1)/2]) / 2
}

// paceMachine says when and on what the figures were measured.
func paceMachine(t *testing.T) string {
	t.Helper()
	model := "unknown processor"
	cpus, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(cpus)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	kernel, _, _ := strings.Cut(strings.TrimSpace(string(text)), "-") // without the name that its builder gave it
	version, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		version, _ = exec.Command(shoal, "--version").Output()
	}
	theirs, err := exec.Command(python, "-c", "import libtorrent; print(libtorrent.__version__)").Output()
	if err != nil {
		t.Fatalf("ask libtorrent for its version: %v", err)
	}
	ours := strings.TrimPrefix(strings.TrimSpace(string(version)), "shoal ")
	return fmt.Sprintf("%s, %d cores of %s, Linux %s;\nshoal %s (%s), libtorrent %s",
		time.Now().Format(time.DateOnly), runtime.NumCPU(), model, kernel,
		ours, runtime.Version(), strings.TrimSpace(string(theirs)))
}
