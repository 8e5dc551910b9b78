//go:build interop

package interop

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A paced client is a process whose cost is measured.
type paced struct {
	*process
	who   string
	at    netip.AddrPort
	began time.Time     // when it started; for libtorrent, when its library was loaded
	spent time.Duration // CPU time until then
}

// A paceJob is what a paced client does.
type paceJob struct {
	torrents string // file, or folder of them
	dir      string
	state    string // shoal's folder of state, or none
	seed     bool
	up, down int64 // limits in bytes a second; 0 means none
}

// startPaced starts a client, and returns when it accepts connections.
func startPaced(t *testing.T, who string, j paceJob) *paced {
	t.Helper()
	c := &paced{who: who, at: paceAddr(), began: time.Now()}
	if who == "libtorrent" {
		c.process = startLTPace(t, map[string]any{
			"listen": c.at.String(), "torrents": []string{j.torrents}, "dir": j.dir, "seed": j.seed, "up": j.up, "down": j.down,
		})
		c.await(t, "begin")
		c.began, c.spent = time.Now(), cpuTime(t, c.pid())
		c.await(t, "up")
	} else {
		args := []string{"get", j.torrents, "--max-peers", "1000"}
		if j.seed {
			args = []string{"seed", j.torrents}
		}
		args = append(args, "--dir", j.dir, "--listen", c.at.String(), "--no-dht", "--no-lsd", "--state", j.state, "-q")
		if j.up > 0 {
			args = append(args, "--limit-up", fmt.Sprint(j.up))
		}
		if j.down > 0 {
			args = append(args, "--limit-down", fmt.Sprint(j.down))
		}
		c.process = start(t, who, shoal, args...)
	}
	c.until(t, "listening", func() bool { return listening("tcp", c.at) })
	return c
}

// paceAddr is an address that all clients share, with a port of its own: the addresses from
// 127.0.1.1 belong to the peers that chatter.
func paceAddr() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), newAddr().Port())
}

func startLTPace(t *testing.T, conf map[string]any) *process {
	t.Helper()
	text, err := json.Marshal(conf)
	if err != nil {
		t.Fatal(err)
	}
	return start(t, "libtorrent", python, "-W", "ignore", "ltpace.py", string(text))
}

// order gives libtorrent an order and waits for its answer.
func (p *process) order(t *testing.T, answer string, words ...string) event {
	t.Helper()
	from := p.printed()
	if _, err := fmt.Fprintln(p.in, strings.Join(words, " ")); err != nil {
		t.Fatalf("%s: order %v: %v", p.name, words, err)
	}
	return p.awaitFrom(t, from, answer, func(e event) bool { return e.is(answer) })
}

// kill ends the process at once: what it does at its end is not measured, and takes time.
func (p *process) kill() {
	p.cmd.Process.Kill()
	<-p.done
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// A cost is what a process spent over a span.
type cost struct {
	rate     float64 // bytes a second
	cpu      float64 // seconds of CPU a second
	switches float64 // voluntary switches of its threads a second
}

// cost waits for a span, and returns what the client spent meanwhile. count returns the bytes
// so far; nil means that none are counted.
func (c *paced) cost(t *testing.T, span time.Duration, count func() int64) cost {
	t.Helper()
	if count == nil {
		count = func() int64 { return 0 }
	}
	bytes, cpu, switches, began := count(), cpuTime(t, c.pid()), voluntary(t, c.pid()), time.Now()
	time.Sleep(span)
	spent, switched := cpuTime(t, c.pid())-cpu, 0.0
	for thread, n := range voluntary(t, c.pid()) {
		switched += n - switches[thread] // a thread that has started since had none
	}
	took := time.Since(began).Seconds()
	return cost{rate: float64(count()-bytes) / took, cpu: spent.Seconds() / took, switches: switched / took}
}

// cpuTime is the CPU time of a process and all of its threads, also of those that have ended.
// The clock of a process has nanoseconds; /proc/PID/stat has hundredths of a second, which is
// too coarse under a low limit. The identifier is that of clock_getcpuclockid(3).
func cpuTime(t *testing.T, pid int) time.Duration {
	t.Helper()
	const scheduler = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|scheduler), &ts); err != nil {
		t.Fatalf("read the CPU time of process %d: %v", pid, err)
	}
	return time.Duration(ts.Nano())
}

// voluntary returns the voluntary switches of each thread.
func voluntary(t *testing.T, pid int) map[string]float64 {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(files) == 0 {
		t.Fatalf("read the threads of process %d: %v", pid, err)
	}
	all := make(map[string]float64)
	for _, file := range files {
		text, _ := os.ReadFile(file) // a thread that has just ended counts for nothing
		for line := range strings.Lines(string(text)) {
			if n, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
				all[file], _ = strconv.ParseFloat(strings.TrimSpace(n), 64)
			}
		}
	}
	return all
}

// memoryDir is a folder in memory, where what a disk costs is not in the figures.
func memoryDir(t *testing.T) string {
	t.Helper()
	const shm = "/dev/shm"
	if _, err := os.Stat(shm); err != nil {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(shm, "pace")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
