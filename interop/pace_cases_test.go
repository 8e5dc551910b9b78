//go:build interop

package interop

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// paceSource writes a folder with one file of about this size, and its torrent.
func paceSource(t *testing.T, size int64, pieceLength int) (torrent, dir, infoHash string, pieces int) {
	t.Helper()
	dir = memoryDir(t)
	pieces = int(size/int64(pieceLength)) + 1
	p := &payload{name: "pace", parent: dir}
	rng := rand.NewChaCha8([32]byte{'p', 'a', 'c', 'e'})
	if err := writeFile(filepath.Join(p.path(), "file.bin"), rng, int64(pieces)*int64(pieceLength)); err != nil {
		t.Fatal(err)
	}
	torrent = filepath.Join(dir, "pace.torrent")
	return torrent, dir, libtorrent{}.create(t, p, torrent, pieceLength, netip.AddrPort{}), pieces
}

// connect lets a partner, which is libtorrent, dial the client.
func (c *paced) connect(t *testing.T, partner *paced) {
	t.Helper()
	partner.order(t, "connected", "connect", c.at.String())
}

// total returns a count of the partner's payload.
func (c *paced) total(t *testing.T, field string) func() int64 {
	return func() int64 { return c.order(t, "totals", "totals").number(field) }
}

// paceUnderLimit: the client as a seed, then as a leecher, under each limit.
func paceUnderLimit(t *testing.T, who string, f *figures) {
	const MB, GiB = 1_000_000, 1 << 30
	var limits []int64
	for s := range strings.SplitSeq(*paceLimits, ",") {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		limits = append(limits, n)
	}
	// What the highest limit lets through, and half as much again.
	size := float64(slices.Max(limits)) * (*paceSettle + *paceSpan + 5*time.Second).Seconds() * 1.5
	torrent, dir, _, _ := paceSource(t, int64(size), 256<<10)
	for _, limit := range limits {
		for _, role := range []string{"seed", "leecher"} {
			t.Run(fmt.Sprintf("%s at %d", role, limit), func(t *testing.T) {
				work := memoryDir(t)
				got, state := filepath.Join(work, "got"), filepath.Join(work, "state")
				j := paceJob{torrents: torrent, dir: got, state: state, down: limit}
				other, field := paceJob{torrents: torrent, dir: dir, seed: true}, "uploaded"
				if role == "seed" {
					j = paceJob{torrents: torrent, dir: dir, state: state, seed: true, up: limit}
					other, field = paceJob{torrents: torrent, dir: got}, "downloaded"
				}
				c := startPaced(t, who, j)
				defer c.kill()
				partner := startPaced(t, "libtorrent", other)
				defer partner.kill()
				time.Sleep(time.Second) // both may look at their files
				c.connect(t, partner)
				time.Sleep(*paceSettle)
				spent := c.cost(t, *paceSpan, partner.total(t, field))
				if spent.rate == 0 {
					t.Fatalf("%s: nothing was transferred", who)
				}
				of := fmt.Sprintf("%s, %.1f MB/s: ", role, float64(limit)/MB)
				f.note(who, of+"rate, of the limit", "%.3f", spent.rate/float64(limit))
				f.note(who, of+"CPU, s/GiB", "%.2f", spent.cpu/spent.rate*GiB)
				f.note(who, of+"switches a second", "%.0f", spent.switches)
			})
		}
	}
}

// paceChatter: a leecher among peers that send HAVEs.
func paceChatter(t *testing.T, who string, f *figures) {
	const rate, pieceLength = 8 << 20, 64 << 10
	settle, span := *paceSettle/2, *paceSpan*2/3
	// Twice what the one peer sends: the download must not end while it is measured.
	size := 2 * rate * (settle + span + 3*time.Second).Seconds()
	torrent, dir, infoHash, pieces := paceSource(t, int64(size), pieceLength)
	work := memoryDir(t)
	got, state := filepath.Join(work, "got"), filepath.Join(work, "state")
	c := startPaced(t, who, paceJob{torrents: torrent, dir: got, state: state})
	defer c.kill()
	time.Sleep(time.Second)
	crowd := startChatter(t, c.at, infoHash, pieces)
	time.Sleep(settle)
	idle := c.cost(t, span, nil)
	partner := startPaced(t, "libtorrent", paceJob{torrents: torrent, dir: dir, seed: true, up: rate})
	defer partner.kill()
	time.Sleep(time.Second)
	c.connect(t, partner)
	time.Sleep(settle)
	busy := c.cost(t, span, partner.total(t, "uploaded"))
	if n := int(crowd.Load()); n < *pacePeers*9/10 {
		t.Errorf("%s keeps %d of %d peers: the figures are of another condition", who, n, *pacePeers)
	}
	f.note(who, "peers that are connected", "%.0f", float64(crowd.Load()))
	f.note(who, "waiting: CPU, % of a core", "%.1f", 100*idle.cpu)
	f.note(who, "waiting: switches a second", "%.0f", idle.switches)
	f.note(who, "downloading: rate, MiB/s", "%.2f", busy.rate/(1<<20))
	f.note(who, "downloading: CPU, % of a core", "%.1f", 100*busy.cpu)
	f.note(who, "downloading: switches a second", "%.0f", busy.switches)
}

// startChatter connects peers to a client, each from an address of its own, until the test
// ends. It returns how many are connected at the moment.
func startChatter(t *testing.T, to netip.AddrPort, infoHash string, pieces int) *atomic.Int32 {
	t.Helper()
	hash, err := hex.DecodeString(infoHash)
	if err != nil || len(hash) != 20 {
		t.Fatalf("info-hash %q: %v", infoHash, err)
	}
	connected := new(atomic.Int32)
	stop := make(chan struct{})
	var all sync.WaitGroup
	var open []net.Conn
	t.Cleanup(func() {
		close(stop)
		for _, c := range open {
			c.Close()
		}
		all.Wait()
	})
	for i := range *pacePeers {
		from := netip.AddrFrom4([4]byte{127, 0, byte(1 + i/250), byte(1 + i%250)})
		d := net.Dialer{Timeout: 5 * time.Second, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
		c, err := d.Dial("tcp", to.String())
		if err != nil {
			t.Fatalf("connect peer %d: %v", i, err)
		}
		open = append(open, c)
		connected.Add(1)
		hello := "\x13BitTorrent protocol" + string(make([]byte, 8)) + string(hash) + fmt.Sprintf("-XX0001-%012d", i)
		if _, err := io.WriteString(c, hello); err != nil {
			t.Fatalf("greet by peer %d: %v", i, err)
		}
		tell(c, 5, string(make([]byte, (pieces+7)/8))) // BITFIELD of a peer that has nothing
		all.Go(func() {
			defer connected.Add(-1)
			io.Copy(io.Discard, c)
		})
		all.Go(func() { chatter(c, pieces, stop) })
	}
	return connected
}

// chatter sends HAVEs of all pieces in a random order, until the test ends or the connection.
func chatter(c net.Conn, pieces int, stop chan struct{}) {
	every := time.Second / time.Duration(*paceHaves)
	select {
	case <-time.After(rand.N(every)): // peers do not speak all at once
	case <-stop:
		return
	}
	beat := time.NewTicker(every)
	defer beat.Stop()
	for _, i := range rand.Perm(pieces)[:pieces-1] { // a peer with all pieces would be a seed
		if tell(c, 4, string([]byte{byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)})) != nil {
			return
		}
		select {
		case <-beat.C:
		case <-stop:
			return
		}
	}
}

// paceSmallFiles: create, check, fetch and start what is complete, on a disk.
func paceSmallFiles(t *testing.T, who string, f *figures) {
	const pieceLength = "262144"
	work := t.TempDir()
	in := func(name string) string { return filepath.Join(work, name) }
	rng := rand.NewChaCha8([32]byte{'f', 'i', 'l', 'e', 's'})
	sizes := rand.New(rand.NewPCG(1, 1))
	for i := range *paceFiles {
		name := filepath.Join(in("src/top"), fmt.Sprintf("d%03d", i%200), fmt.Sprintf("f%05d.txt", i))
		if err := writeSmall(name, rng, sizes.IntN(20_000)); err != nil {
			t.Fatal(err)
		}
	}
	torrent, got := in("a.torrent"), in("got")
	timed := func(step string, run func() float64) {
		unix.Sync()
		f.note(who, step+", s", "%.2f", run())
	}
	// command runs shoal to its end.
	command := func(args ...string) func() float64 {
		return func() float64 {
			began := time.Now()
			output(t, shoal, args...)
			return time.Since(began).Seconds()
		}
	}
	// order runs libtorrent until it has answered one order.
	order := func(conf map[string]any, answer string, words ...string) event {
		p := startLTPace(t, conf)
		defer p.kill()
		e := p.order(t, answer, words...)
		if answer == "complete" && words[0] == "fetch" {
			p.order(t, "saved", "save", in("resume"))
		}
		if answer == "checked" && e["complete"] != true {
			t.Fatal("libtorrent does not find the files complete")
		}
		return e
	}
	seconds := func(e event) float64 {
		s, _ := e["seconds"].(float64)
		return s
	}
	fetching := func() *paced {
		p := startPaced(t, "libtorrent", paceJob{torrents: torrent, dir: in("src"), seed: true})
		time.Sleep(time.Second)
		return p
	}
	listen := paceAddr().String()
	if who == "libtorrent" {
		timed("create", func() float64 {
			return seconds(order(map[string]any{}, "created", "create", in("src/top"), torrent, pieceLength))
		})
		conf := map[string]any{"listen": listen, "torrents": []string{torrent}, "dir": in("src")}
		timed("check", func() float64 { return seconds(order(conf, "checked", "checked")) })
		seed := fetching()
		conf["dir"] = got
		timed("fetch", func() float64 { return seconds(order(conf, "complete", "fetch", seed.at.String())) })
		seed.kill()
		again := map[string]any{"listen": listen, "resume": in("resume"), "dir": got}
		timed("again", func() float64 { return seconds(order(again, "complete", "complete")) })
		return
	}
	timed("create", command("create", in("src/top"), "-o", torrent, "--piece-length", pieceLength, "-q"))
	timed("check", command("verify", torrent, "--dir", in("src"), "--state", "none", "-q"))
	seed := fetching()
	quiet := []string{"--dir", got, "--state", in("state"), "--listen", listen, "--no-dht", "--no-lsd"}
	timed("fetch", command(slices.Concat([]string{"get", torrent, "--peer", seed.at.String(), "-q"}, quiet)...))
	seed.kill()
	timed("again", func() float64 {
		began := time.Now()
		p := start(t, who, shoal, slices.Concat([]string{"seed", torrent, "--json"}, quiet)...)
		defer p.kill()
		for up := false; !up; time.Sleep(time.Millisecond) {
			e, _ := p.find(0, func(e event) bool { return e.is("up") })
			up = e != nil
			if p.over() {
				t.Fatal("shoal ended before it was up")
			}
		}
		return time.Since(began).Seconds()
	})
}

func writeSmall(name string, from io.Reader, size int) error {
	content := make([]byte, size)
	if _, err := io.ReadFull(from, content); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, content, 0o644)
}

// paceTrackers: many complete torrents start at once, and all have the same tracker.
func paceTrackers(t *testing.T, who string, f *figures) {
	tr := startPaceTracker(t, *paceTorrents)
	work := memoryDir(t)
	for i := range *paceTorrents {
		name, content := fmt.Sprintf("m%05d.bin", i), fmt.Sprintf("%016d", i)
		sum := sha1.Sum([]byte(content))
		text := bencoded(dict{{"announce", tr.url}, {"info", dict{
			{"length", len(content)}, {"name", name}, {"piece length", 16 << 10}, {"pieces", string(sum[:])},
		}}})
		if writeSmall(filepath.Join(work, "torrents", name+".torrent"), strings.NewReader(text), len(text)) != nil ||
			writeSmall(filepath.Join(work, "files", name), strings.NewReader(content), len(content)) != nil {
			t.Fatal("write the torrents")
		}
	}
	c := startPaced(t, who, paceJob{
		torrents: filepath.Join(work, "torrents"), dir: filepath.Join(work, "files"), state: "none", seed: true,
	})
	defer c.kill()
	select {
	case <-tr.all:
	case <-c.done:
		t.Fatalf("%s ended before all had announced", who)
	case <-time.After(*patience):
		t.Fatalf("%s: not all have announced after %v", who, *patience)
	}
	spent := cpuTime(t, c.pid()) - c.spent
	f.note(who, "all have announced after, s", "%.2f", tr.last.Sub(c.began).Seconds())
	f.note(who, "requests at once, at most", "%.0f", float64(tr.most.Load()))
	f.note(who, "CPU meanwhile, s", "%.2f", spent.Seconds())
}

// A paceTracker takes its time with each answer, and counts.
type paceTracker struct {
	url  string
	all  chan struct{} // closed when every torrent has announced
	last time.Time     // when that was; for readers of all

	now, most atomic.Int32 // requests at the moment, and most at once

	mu      sync.Mutex
	seen    map[string]bool // info-hashes
	missing int
}

func startPaceTracker(t *testing.T, torrents int) *paceTracker {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := &paceTracker{all: make(chan struct{}), seen: make(map[string]bool), missing: torrents}
	tr.url = fmt.Sprintf("http://%s/announce", l.Addr())
	serve(t, l, tr)
	return tr
}

func (tr *paceTracker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := tr.now.Add(1)
	defer tr.now.Add(-1)
	for most := tr.most.Load(); n > most && !tr.most.CompareAndSwap(most, n); most = tr.most.Load() {
	}
	time.Sleep(20 * time.Millisecond)
	hash := r.URL.Query().Get("info_hash")
	tr.mu.Lock()
	if len(hash) == 20 && !tr.seen[hash] {
		tr.seen[hash] = true
		if tr.missing--; tr.missing == 0 {
			tr.last = time.Now()
			close(tr.all)
		}
	}
	tr.mu.Unlock()
	w.Write(answer(nil))
}
