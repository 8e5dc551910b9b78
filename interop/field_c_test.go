//go:build interop

package interop

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const wordsC = `A client fetches a torrent onto a disk that is not as it should be. *Tells* is it when what it prints names the
cause; where one of several files is to blame, the others have to be fetched besides, else it *refuses*.`

// A disk is a case of a folder that takes not everything.
type disk struct {
	b       blueprint
	prepare func(t *testing.T, dir string)
	wrap    []string // how the client is started
	more    []string // arguments of shoal
	words   []string // one of these has to be in what it prints
	others  bool     // the other files have to be fetched
	limit   time.Duration
}

// nobody starts a client without the rights of root.
var nobody = []string{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}

var scratchPath = regexp.MustCompile(regexp.QuoteMeta(os.TempDir()) + `/Test[^/\s"]*`)

// withoutScratch takes the paths of the test's own folders out of a text: they have the
// case's name in them.
func withoutScratch(text string) string { return scratchPath.ReplaceAllString(text, "") }

// letNobody lets nobody write into a folder of the test, and reach all others.
func letNobody(t *testing.T, dir string) {
	t.Helper()
	err := os.Chmod(dir, 0o777)
	if err == nil {
		err = os.Chmod(filepath.Dir(dir), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// few starts a client with no more than so many descriptors.
func few(n int) []string {
	return []string{"sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, n), "sh"}
}

// run is the case of a disk where the cause is to be told.
func (d disk) run(t *testing.T, who string) string {
	m, dir, state := d.b.build(t), folderOf(t), t.TempDir()
	letNobody(t, state)
	d.prepare(t, dir)
	if len(d.wrap) > 0 && d.wrap[0] == nobody[0] && who == "Transmission" {
		return "" // its folder of settings is root's
	}
	whole := func() bool {
		for _, f := range m.files {
			if strings.HasPrefix(f.path, "bad.bin") { // reading it might wait for ever
				continue
			}
			if b, err := os.ReadFile(filepath.Join(dir, m.name, f.path)); err != nil || !bytes.Equal(b, m.content(f.path)) {
				return false
			}
		}
		return true
	}
	told := func(text string) bool {
		text = strings.ToLower(withoutScratch(text))
		return slices.ContainsFunc(d.words, func(w string) bool { return strings.Contains(text, w) })
	}
	r := take(t, who, order{
		source: m.file, dir: dir, state: state, wrap: d.wrap, more: d.more, limit: d.limit,
		give:  func(at netip.AddrPort) { give(t, m, at) },
		until: func(p *process) bool { return told(p.text()) && (!d.others || whole()) },
	})
	switch {
	case r.crashed:
		return "crashes"
	case r.done && len(d.words) == 0:
		return "accepts"
	case d.others && !whole():
		if told(r.text) || r.ended {
			return "refuses"
		}
		return "hangs"
	case told(r.text):
		return "tells"
	case r.ended, who != "shoal" && strings.Contains(strings.ToLower(r.text), "error"):
		return "refuses"
	}
	return "hangs"
}

// several is a torrent of one file of interest and two others.
var several = blueprint{name: "several", files: []part{{path: "bad.bin", size: 300_000}, {path: "other 1.bin", size: 200_000}, {path: "sub/other 2.bin", size: 100_000}}}

// many is a torrent of many small files.
func many(n int) blueprint {
	b := blueprint{name: "many"}
	for i := range n {
		b.files = append(b.files, part{path: fmt.Sprintf("%d/file %d.bin", i%10, i), size: 5_000})
	}
	return b
}

// instead puts something in the place of the bad file.
func instead(put func(t *testing.T, name string)) func(t *testing.T, dir string) {
	return func(t *testing.T, dir string) {
		name := filepath.Join(dir, "several", "bad.bin")
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		put(t, name)
	}
}

func readOnly(t *testing.T, dir string) {
	shell(t, "mount", "--bind", dir, dir)
	shell(t, "mount", "-o", "remount,ro,bind", dir)
	t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
}

// looped mounts a file system of its own image.
func looped(t *testing.T, dir string) {
	image := filepath.Join(t.TempDir(), "image")
	shell(t, "truncate", "-s", "16M", image)
	shell(t, "mkfs.ext4", "-q", "-F", image)
	shell(t, "mount", "-o", "loop", image, dir)
	t.Cleanup(func() { exec.Command("umount", dir).Run() })
}

// tooSmall is a disk that is too small from the beginning: told is it when that is said before
// a byte is fetched.
func tooSmall(t *testing.T, who string) string {
	m, dir := album(t), folderOf(t)
	mounted(t, dir, "tmpfs", "-o", "size=4m")
	var g *giver
	told := false
	says := func(p *process) bool {
		text := strings.ToLower(withoutScratch(p.text()))
		return strings.Contains(text, "space") || strings.Contains(text, "too small") || strings.Contains(text, "does not fit")
	}
	r := take(t, who, order{
		source: m.file, dir: dir, give: func(at netip.AddrPort) { g = give(t, m, at) },
		until: func(p *process) bool {
			told = told || says(p) && g.sent.Load() == 0
			return says(p) || g.sent.Load() > 0 && told
		},
		tr: func(s trState) bool { return s.Error != 0 },
	})
	switch {
	case r.crashed:
		return "crashes"
	case told:
		return "tells"
	case r.stopped, r.ended:
		return "refuses"
	}
	return "hangs"
}

// filledUp is a disk that somebody else fills, and frees again: a client that waits is
// complete afterwards.
func filledUp(t *testing.T, who string) string {
	m, dir := album(t), folderOf(t)
	mounted(t, dir, "tmpfs", "-o", "size=12m")
	var g *giver
	var fill, freed time.Time
	big := filepath.Join(dir, "somebody else's")
	r := take(t, who, order{
		source: m.file, dir: dir, limit: 20 * time.Second, linger: true,
		give: func(at netip.AddrPort) { g = give(t, m, at, func(g *giver) { g.limit = 2 << 20 }) },
		until: func(p *process) bool {
			switch {
			case fill.IsZero() && g.sent.Load() > 1<<20:
				os.WriteFile(big, make([]byte, 11<<20), 0o644) // as much as there is room for
				fill = time.Now()
			case !fill.IsZero() && freed.IsZero() && time.Since(fill) > 4*time.Second:
				os.Remove(big)
				freed = time.Now()
			}
			done, _ := p.find(0, func(e event) bool { return e.is("complete") })
			return done != nil
		},
		tr: func(s trState) bool {
			switch {
			case fill.IsZero() && g.sent.Load() > 1<<20:
				os.WriteFile(big, make([]byte, 11<<20), 0o644)
				fill = time.Now()
			case !fill.IsZero() && freed.IsZero() && time.Since(fill) > 4*time.Second:
				os.Remove(big)
				freed = time.Now()
			}
			return s.complete()
		},
	})
	switch {
	case r.crashed:
		return "crashes"
	case freed.IsZero() && !r.ended:
		t.Fatal("the disk was never full")
	case r.done:
		return "waits"
	}
	return "refuses"
}

// fiftyTorrents is fifty torrents at once, each with a seed of its own, in fewer descriptors than
// there are torrents: files, connections and journals have to take turns.
func fiftyTorrents(t *testing.T, who string) string {
	var all []*made
	var more []string
	for i := range 50 {
		b := many(4)
		b.name = fmt.Sprintf("torrent %d", i)
		m := b.build(t)
		if all = append(all, m); i > 0 {
			more = append(more, m.file)
		}
	}
	r := take(t, who, order{
		source: all[0].file, dir: folderOf(t), wrap: few(48), more: more, limit: 40 * time.Second,
		give: func(at netip.AddrPort) {
			for _, m := range all {
				give(t, m, at)
			}
		},
	})
	switch {
	case r.crashed:
		return "crashes"
	case r.done:
		return "accepts"
	case r.ended:
		return "refuses"
	}
	return "hangs"
}

func trialsC() []trial {
	folderThere := instead(func(t *testing.T, name string) {
		if err := os.MkdirAll(filepath.Join(name, "within"), 0o755); err != nil {
			t.Fatal(err)
		}
	})
	return []trial{
		{name: "a disk that is too small", want: "tells", why: "before the first byte, by what the file system says", run: tooSmall},
		{name: "a disk that somebody fills, and frees again", want: "waits", why: "what waits costs nothing", run: filledUp},
		{name: "no inode is left, and much space", want: "tells", why: "freeing space would not help", run: disk{b: many(40), words: []string{"inode"}, prepare: func(t *testing.T, dir string) {
			mounted(t, dir, "tmpfs", "-o", "size=16m,nr_inodes=20")
		}}.run},
		{name: "a file that is too large for the file system", want: "tells", why: "freeing space would not help; the others are fetched", run: disk{
			b: several, words: []string{"too large", "larger than"}, others: true, prepare: func(*testing.T, string) {},
			wrap: []string{"sh", "-c", `ulimit -f 500; exec "$@"`, "sh"},
		}.run},
		{name: "a folder of root's, and no rights", want: "tells", why: "at once, not after ten minutes", run: disk{b: several, words: []string{"permission"}, wrap: nobody, prepare: func(*testing.T, string) {}}.run},
		{name: "a volume that is read-only", want: "tells", why: "the same", run: disk{b: several, words: []string{"read-only"}, prepare: readOnly}.run},
		{name: "no rights: how it ends", want: "refuses", why: "`get` fails at once", others: []string{}, run: func(t *testing.T, who string) string {
			m, state := several.build(t), t.TempDir()
			letNobody(t, state)
			r := take(t, who, order{source: m.file, dir: folderOf(t), state: state, wrap: nobody, give: func(at netip.AddrPort) { give(t, m, at) }, until: (*process).over})
			if r.stopped && r.code > 0 && !r.crashed {
				return "refuses"
			}
			return "hangs"
		}},
		{name: "complete files that are root's and read-only, and no rights", want: "accepts", why: "a chmod that fails on them is not worth a word", others: []string{}, run: func(t *testing.T, who string) string {
			b := several
			b.files = slices.Clone(b.files)
			b.files[0].front = dict{{"attr", "x"}}
			m, dir, state := b.build(t), folderOf(t), t.TempDir()
			m.put(t, dir, asNamed)
			shell(t, "chmod", "-R", "a-w", dir)
			letNobody(t, state)
			r := take(t, who, order{source: m.file, dir: dir, state: state, wrap: nobody, give: func(at netip.AddrPort) { give(t, m, at) }})
			e, _ := r.p.find(0, func(e event) bool {
				return e.is("stalled") || e.is("files") || e.is("warning") && strings.Contains(fmt.Sprint(e["message"]), "bad.bin")
			})
			switch {
			case e != nil:
				t.Logf("%v", e)
				return "complains"
			case r.done:
				return "accepts"
			}
			return "refuses"
		}},
		{name: "48 descriptors, 200 files", want: "accepts", why: "few descriptors slow things down, and nothing else", run: disk{b: many(200), wrap: few(48), prepare: func(*testing.T, string) {}, limit: 20 * time.Second}.run},
		{name: "128 descriptors, 200 files", want: "accepts", why: "the same", run: disk{b: many(200), wrap: few(128), prepare: func(*testing.T, string) {}, limit: 20 * time.Second}.run},
		{name: "24 descriptors, 200 files", want: "accepts", why: "the same", run: disk{b: many(200), wrap: few(24), prepare: func(*testing.T, string) {}, limit: 20 * time.Second}.run},
		{name: "48 descriptors, 50 torrents", want: "accepts", why: "the same", serial: true, others: []string{}, run: fiftyTorrents},
		{name: "48 descriptors, and 60 peers at a seed", want: "lets in", why: "who comes is still served", serial: true, run: func(t *testing.T, who string) string {
			return crowdAt(t, who, few(48), 60, handshaken)
		}},
		{name: "a folder lies where a file should be", want: "tells", why: "one file that can't be kept does not stop the others", run: disk{b: several, words: []string{"bad.bin"}, others: true, prepare: folderThere}.run},
		{name: "a file lies where a folder should be", want: "tells", why: "the same", run: disk{b: blueprint{name: "several", files: []part{{path: "bad.bin/a.bin", size: 300_000}, {path: "other 1.bin", size: 200_000}}}, words: []string{"bad.bin"}, others: true, prepare: instead(func(t *testing.T, name string) {
			if err := os.WriteFile(name, []byte("mine"), 0o644); err != nil {
				t.Fatal(err)
			}
		})}.run},
		{name: "a link that leads to itself", want: "tells", why: "the same", run: disk{b: several, words: []string{"bad.bin"}, others: true, prepare: instead(func(t *testing.T, name string) {
			if err := os.Symlink("bad.bin", name); err != nil {
				t.Fatal(err)
			}
		})}.run},
		{name: "a named pipe lies where a file should be", want: "tells", why: "the same; opening it would wait forever", run: disk{b: several, words: []string{"bad.bin"}, others: true, prepare: instead(func(t *testing.T, name string) {
			if err := syscall.Mkfifo(name, 0o644); err != nil {
				t.Fatal(err)
			}
		})}.run},
		{name: "a file that nobody can change (`chattr +i`)", want: "tells", why: "the same", run: disk{b: several, words: []string{"bad.bin"}, others: true, prepare: func(t *testing.T, dir string) {
			looped(t, dir)
			instead(func(t *testing.T, name string) {
				if err := os.WriteFile(name, nil, 0o644); err != nil {
					t.Fatal(err)
				}
				shell(t, "chattr", "+i", name)
				t.Cleanup(func() { exec.Command("chattr", "-i", name).Run() })
			})(t, dir)
		}}.run},
		{name: "a folder in the way, and `--skip` of that file", want: "accepts", why: "there is a way", others: []string{}, run: disk{b: several, more: []string{"--skip", "bad.bin"}, prepare: folderThere}.run},
		{name: "too small a disk, and `--skip` of what does not fit", want: "accepts", why: "the same", others: []string{}, run: disk{b: blueprint{name: "several", files: []part{{path: "bad.bin", size: 6 << 20}, {path: "other 1.bin", size: 200_000}}}, more: []string{"--skip", "bad.bin"}, prepare: func(t *testing.T, dir string) {
			mounted(t, dir, "tmpfs", "-o", "size=2m")
		}}.run},
	}
}
