//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const wordsB = `A torrent is complete, and the client has ended. Then something happens to the files that leaves their bytes as they
are, and the client starts again with the state that it kept. *Trusts* is it when it reads less than half of the files
(shoal says how many pieces it hashed, of Transmission the kernel counts what it reads), *accuses* when it says that
another program changed them.`

// mounted makes a folder a file system of its own for the rest of the test.
func mounted(t *testing.T, dir, kind string, options ...string) {
	t.Helper()
	shell(t, "mount", slices.Concat([]string{"-t", kind}, options, []string{"none", dir})...)
	t.Cleanup(func() { exec.Command("umount", "-l", dir).Run() })
}

// shell runs a program of the system to its end.
func shell(t *testing.T, program string, args ...string) {
	t.Helper()
	if text, err := exec.Command(program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, text)
	}
}

// album is a torrent that is large enough for reading it to show.
func album(t *testing.T) *made {
	return blueprint{name: "album", piece: 64 << 10, files: []part{
		{path: "disc 1/first.bin", size: 3<<20 + 5}, {path: "disc 1/second.bin", size: 2 << 20}, {path: "third.bin", size: 3 << 20},
	}}.build(t)
}

// again is a case of files to which something happens between two runs. What happens gets
// the folder above the torrent's, and gives the folder where it is afterwards. args are
// arguments of the first run.
func again(happens func(t *testing.T, dir string) string, args ...string) func(t *testing.T, who string) string {
	return func(t *testing.T, who string) string {
		m, dir, state := album(t), folderOf(t), t.TempDir()
		mounted(t, dir, "tmpfs", "-o", "size=64m")
		args := slices.Clone(args)
		for i, a := range args {
			args[i] = strings.ReplaceAll(a, "DIR", dir)
		}
		if err := os.Mkdir(filepath.Join(dir, "incomplete"), 0o755); err != nil {
			t.Fatal(err)
		}
		if who == "Transmission" {
			return againTransmission(t, m, dir, happens)
		}
		first := take(t, who, order{source: m.file, dir: dir, state: state, more: args, give: func(at netip.AddrPort) { give(t, m, at) }})
		if !first.done {
			t.Fatalf("not complete:\n%s", first.text)
		}
		dir = happens(t, dir)
		var g *giver
		second := take(t, who, order{source: m.file, dir: dir, state: state, give: func(at netip.AddrPort) { g = give(t, m, at) }})
		checked, _ := second.p.find(0, func(e event) bool { return e.is("checked") })
		switch {
		case second.crashed:
			return "crashes"
		case strings.Contains(first.text+second.text, "another program"):
			return "accuses"
		case g.sent.Load() > 0:
			return "fetches again"
		case !second.done:
			return "refuses"
		case checked.number("hashed") > checked.number("pieces")/2:
			return "hashes again"
		}
		return "trusts"
	}
}

// againTransmission is the same with transmission-daemon, which keeps all in its folder of
// settings. How much it reads, the kernel counts.
func againTransmission(t *testing.T, m *made, dir string, happens func(t *testing.T, dir string) string) string {
	t.Helper()
	at, conf := newAddr(), t.TempDir()
	rpc := netip.AddrPortFrom(at.Addr(), at.Port()+20000)
	text, err := json.Marshal(trSettings(at, rpc, dir))
	if err == nil {
		err = os.WriteFile(filepath.Join(conf, "settings.json"), text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	run := func() *trField {
		c := &trField{transmissionPeer: &transmissionPeer{url: fmt.Sprintf("http://%s/transmission/rpc", rpc)}}
		c.process = start(t, "Transmission", "transmission-daemon", "--foreground", "--config-dir", conf)
		within(10*time.Second, func() bool { return c.over() || c.call("session-get", nil, nil) == nil })
		return c
	}
	m.put(t, dir, asNamed)
	first := run()
	if err := first.call("torrent-add", map[string]any{"filename": m.file}, nil); err != nil {
		t.Fatal(err)
	}
	if !within(15*time.Second, func() bool { return first.state().complete() }) {
		t.Fatal("not complete")
	}
	first.stop()
	if happens(t, dir) != dir {
		return ""
	}
	second := run()
	within(15*time.Second, func() bool { return second.state().Size > 0 })
	time.Sleep(2 * time.Second)
	st, read := second.state(), int64(0)
	io, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", second.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Sscanf(string(io), "rchar: %d", &read)
	switch {
	case read > int64(len(m.data))/2:
		return "hashes again"
	case st.Error != 0:
		return "refuses"
	}
	return "trusts"
}

// stays is for what happens in place.
func stays(do func(t *testing.T, dir string)) func(t *testing.T, dir string) string {
	return func(t *testing.T, dir string) string {
		do(t, dir)
		return dir
	}
}

// eachFile calls a function for each file of the album.
func eachFile(do func(name string) error) func(t *testing.T, dir string) string {
	return stays(func(t *testing.T, dir string) {
		for _, f := range []string{"disc 1/first.bin", "disc 1/second.bin", "third.bin"} {
			if err := do(filepath.Join(dir, "album", f)); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// elsewhere copies the album to a new file system, which takes the old one's place: all
// numbers are others, names, sizes and times the same.
func elsewhere(t *testing.T, dir string) {
	keep := t.TempDir()
	shell(t, "cp", "-a", dir+"/.", keep)
	mounted(t, dir, "tmpfs", "-o", "size=48m")
	filled(t, dir, "numbers are spent", "and some more")
	shell(t, "cp", "-a", keep+"/.", dir)
}

func trialsB() []trial {
	others := []string{"Transmission"}
	return []trial{
		{name: "nothing happens", want: "trusts", why: "so that the others mean something", others: others, run: again(stays(func(*testing.T, string) {}))},
		{name: "other inodes, another device: `cp -a` to a new file system in the same place", want: "trusts", why: "size and time decide; the file system makes these numbers up", others: others, run: again(stays(elsewhere))},
		{name: "other inodes, the same device", want: "trusts", why: "the same", others: others, run: again(stays(func(t *testing.T, dir string) {
			shell(t, "cp", "-a", filepath.Join(dir, "album"), filepath.Join(dir, "copy"))
			shell(t, "mv", filepath.Join(dir, "album"), filepath.Join(dir, "old"))
			shell(t, "mv", filepath.Join(dir, "copy"), filepath.Join(dir, "album"))
		}))},
		{name: "the volume is mounted in another place", want: "trusts", why: "the same: the user says where, the journal what", others: others, run: again(func(t *testing.T, dir string) string {
			at := folderOf(t)
			shell(t, "mount", "--bind", dir, at)
			t.Cleanup(func() { exec.Command("umount", "-l", at).Run() })
			shell(t, "umount", "-l", dir)
			return at
		})},
		{name: "the folder is renamed there and back", want: "trusts", why: "the same", others: others, run: again(stays(func(t *testing.T, dir string) {
			shell(t, "mv", filepath.Join(dir, "album"), filepath.Join(dir, "b"))
			shell(t, "mv", filepath.Join(dir, "b"), filepath.Join(dir, "album"))
		}))},
		{name: "chmod", want: "trusts", why: "it changes no byte", others: others, run: again(eachFile(func(name string) error { return os.Chmod(name, 0o600) }))},
		{name: "chown", want: "trusts", why: "the same", others: others, run: again(eachFile(func(name string) error { return os.Chown(name, 65534, 65534) }))},
		{name: "a hard link is made and removed", want: "trusts", why: "the same", others: others, run: again(eachFile(func(name string) error {
			if err := os.Link(name, name+".link"); err != nil {
				return err
			}
			return os.Remove(name + ".link")
		}))},
		{name: "a backup is put back: removed, and copied with its times", want: "trusts", why: "the same", others: others, run: again(stays(func(t *testing.T, dir string) {
			keep := t.TempDir()
			shell(t, "cp", "-a", dir+"/.", keep)
			shell(t, "rm", "-r", filepath.Join(dir, "album"))
			shell(t, "cp", "-a", filepath.Join(keep, "album"), dir)
		}))},
		{name: "the files become sparse", want: "trusts", why: "blocks are the file system's", others: others, run: again(stays(func(t *testing.T, dir string) {
			shell(t, "cp", "-a", "--sparse=always", filepath.Join(dir, "album"), filepath.Join(dir, "copy"))
			shell(t, "rm", "-r", filepath.Join(dir, "album"))
			shell(t, "mv", filepath.Join(dir, "copy"), filepath.Join(dir, "album"))
		}))},
		{name: "a restore that keeps whole seconds", want: "trusts", why: "tar, FAT and some servers keep no fractions", others: others, run: again(eachFile(func(name string) error {
			st, err := os.Stat(name)
			if err != nil {
				return err
			}
			whole := st.ModTime().Truncate(time.Second)
			return os.Chtimes(name, whole, whole)
		}))},
		{name: "other times, the same bytes", want: "hashes again", why: "size and time decide", others: others, run: again(eachFile(func(name string) error {
			return os.Chtimes(name, time.Now(), time.Now().Add(time.Minute))
		}))},
		{name: "fetched with `--incomplete-dir`", want: "trusts", why: "what shoal itself did is nobody else's doing", others: []string{}, run: again(stays(func(*testing.T, string) {}), "--incomplete-dir", "DIR/incomplete")},
		{name: "fetched with `--allocate full`", want: "trusts", why: "the same", others: []string{}, run: again(stays(func(*testing.T, string) {}), "--allocate", "full")},
		{name: "fetched with `--incomplete-suffix .part`", want: "trusts", why: "the same", others: []string{}, run: again(stays(func(*testing.T, string) {}), "--incomplete-suffix", ".part")},
		{name: "fetched with `--allocate full`, and remounted", want: "trusts", why: "the same", others: []string{}, run: again(stays(elsewhere), "--allocate", "full")},
		{name: "half of it is there, shoal is killed, other inodes and device", want: "trusts", why: "what the journal vouches for is not hashed again", others: []string{}, run: halfRemounted},
	}
}

// halfRemounted kills shoal half-way, changes all numbers, and lets it go on.
func halfRemounted(t *testing.T, who string) string {
	m, dir, state := album(t), folderOf(t), t.TempDir()
	mounted(t, dir, "tmpfs", "-o", "size=64m")
	half := len(m.data) / m.piece / 2
	lack := make(map[int]bool)
	for i := half; i*m.piece < len(m.data); i++ {
		lack[i] = true
	}
	var g *giver
	r := take(t, who, order{
		source: m.file, dir: dir, state: state, linger: true, limit: 15 * time.Second,
		give:  func(at netip.AddrPort) { g = give(t, m, at, func(g *giver) { g.lack = lack }) },
		until: func(*process) bool { return g != nil && int(g.sent.Load()) >= half*m.piece },
	})
	if !r.stopped {
		t.Fatalf("not half of it:\n%s", r.text)
	}
	time.Sleep(2 * time.Second) // the journal is written in its own time
	g.end()
	r.p.cmd.Process.Kill()
	<-r.p.done
	elsewhere(t, dir)
	second := take(t, who, order{source: m.file, dir: dir, state: state, give: func(at netip.AddrPort) { give(t, m, at) }})
	checked, _ := second.p.find(0, func(e event) bool { return e.is("checked") })
	switch {
	case second.crashed:
		return "crashes"
	case strings.Contains(second.text, "another program"):
		return "accuses"
	case !second.done:
		return "refuses"
	case checked.number("hashed") > int64(half)/2:
		return "hashes again"
	}
	return "trusts"
}
