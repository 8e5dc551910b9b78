//go:build interop

package interop

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"
)

// seedAt starts a client that has a torrent whole, and gives where it listens.
func seedAt(t *testing.T, who string, wrap []string, m *made, more ...string) netip.AddrPort {
	t.Helper()
	dir := folderOf(t)
	m.put(t, dir, asNamed)
	at := newAddr()
	switch o := (order{source: m.file, dir: dir, wrap: wrap}); who {
	case "shoal":
		p := o.start(t, who, slices.Concat([]string{shoal, "seed", m.file, "--dir", dir, "--listen", at.String(), "--json", "--no-dht", "--no-lsd", "--state", t.TempDir()}, more))
		if !within(10*time.Second, func() bool {
			e, _ := p.find(0, func(e event) bool { return e.is("up") })
			return e != nil || p.over()
		}) || p.over() {
			t.Fatalf("shoal is not up:\n%s", p.tail())
		}
	case "libtorrent":
		conf := `{"sessions": [{"listen": "` + at.String() + `", "torrents": [{"torrent": "` + m.file + `", "dir": "` + dir + `"}]}]}`
		p := o.start(t, who, []string{python, "ltclient.py", "run", conf})
		within(10*time.Second, func() bool {
			e, _ := p.find(0, func(e event) bool { return e.is("complete") })
			return e != nil || p.over()
		})
	case "Transmission":
		c := o.transmission(t, at)
		within(15*time.Second, func() bool { return c.over() || c.state().complete() })
	case "aria2":
		o.start(t, who, slices.Concat(aria2Command(t, dir, at), []string{"--seed-ratio=0.0", "--check-integrity=true", "--bt-hash-check-seed=true", m.file}))
		time.Sleep(2 * time.Second)
	}
	within(10*time.Second, func() bool { return listening("tcp", at) })
	return at
}

// silent says nothing; halfway says half of a handshake; handshaken says all of it, that it
// has nothing, and then nothing more.
const (
	silent = iota
	partly
	handshaken
	asking  // and says that it is interested, and asks for nothing
	sipping // and asks for one block when it is unchoked
	deaf    // and asks for everything then, and reads nothing more
	licking // and asks for a byte each second from then on
)

// crowdAt puts so many connections to a seed, and then asks it for a block over one more: a
// seed lets it in that answers its handshake within two seconds, and sends the block within ten.
func crowdAt(t *testing.T, who string, wrap []string, n, kind int, more ...string) string {
	t.Helper()
	m := blueprint{name: "seeded", files: []part{{path: "a.bin", size: 300_000}, {path: "b.bin", size: 100_000}}}.build(t)
	at := seedAt(t, who, wrap, m, more...)
	var all sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	defer func() {
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		all.Wait()
	}()
	hello := "\x13BitTorrent protocol" + string(make([]byte, 8)) + string(m.hash[:]) + "-XX0001-"
	for i, until := 0, time.Now().Add(6*time.Second); i < n && time.Now().Before(until); i++ {
		from := netip.AddrFrom4([4]byte{127, 1, byte(i / 200), byte(1 + i%200)})
		d := net.Dialer{Timeout: 300 * time.Millisecond, LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
		c, err := d.Dial("tcp", at.String())
		if err != nil {
			continue
		}
		mu.Lock()
		open = append(open, c)
		mu.Unlock()
		id := make([]byte, 12)
		binary.BigEndian.PutUint32(id, uint32(i))
		switch kind {
		case partly:
			c.Write([]byte(hello[:30]))
		case handshaken:
			c.Write([]byte(hello + string(id)))
		case asking, sipping, deaf, licking:
			c.Write([]byte(hello + string(id) + "\x00\x00\x00\x01\x02"))
		}
		switch {
		case kind > asking:
			all.Go(func() { misuse(c, kind) })
		case kind >= handshaken:
			all.Go(func() { io.Copy(io.Discard, c) })
		}
	}
	time.Sleep(500 * time.Millisecond)
	// The peer that wants something tries as clients do: again after a refusal.
	deadline := time.Now().Add(10 * time.Second)
	answered := time.Duration(-1)
	for began := time.Now(); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		got, block := wants(at, m, hello+"a-polite-one")
		if got && answered < 0 {
			answered = time.Since(began)
		}
		if block {
			if answered > 2*time.Second {
				t.Logf("answered after %v", answered)
				return "is late"
			}
			return "lets in"
		}
		if answered < 0 && time.Since(began) > 8*time.Second {
			break
		}
	}
	t.Logf("%d connections, handshake answered after %v, no block", len(open), answered)
	return "locks out"
}

// misuse takes an unchoke, and makes little use of it.
func misuse(c net.Conn, kind int) {
	if kind == deaf {
		c.(*net.TCPConn).SetReadBuffer(4096)
	}
	if _, err := io.ReadFull(c, make([]byte, 68)); err != nil {
		return
	}
	size := make([]byte, 4)
	for {
		if _, err := io.ReadFull(c, size); err != nil {
			return
		}
		n := binary.BigEndian.Uint32(size)
		if n == 0 || n > 1<<20 {
			continue
		}
		msg := make([]byte, n)
		if _, err := io.ReadFull(c, msg); err != nil {
			return
		}
		if msg[0] != 1 { // unchoked
			continue
		}
		switch kind {
		case sipping:
			tell(c, 6, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00")
		case deaf:
			for i := range 240 {
				tell(c, 6, "\x00\x00\x00"+string(rune(i%24))+"\x00\x00\x00\x00\x00\x00\x40\x00")
			}
			return // the connection stays open
		case licking:
			for tell(c, 6, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01") == nil {
				time.Sleep(time.Second)
				// What it got, without waiting for more.
				c.SetReadDeadline(time.Now().Add(time.Millisecond))
				io.Copy(io.Discard, c)
			}
			return
		}
	}
}

// wants dials a seed and asks for a block: whether the handshake is answered, and whether the
// block comes.
func wants(at netip.AddrPort, m *made, hello string) (answered, block bool) {
	d := net.Dialer{Timeout: 2 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 2, 0, 1)}}
	c, err := d.Dial("tcp", at.String())
	if err != nil {
		return false, false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	c.Write([]byte(hello))
	if _, err := io.ReadFull(c, make([]byte, 68)); err != nil {
		return false, false
	}
	c.SetDeadline(time.Now().Add(12 * time.Second))
	tell(c, 2, "") // interested
	size := make([]byte, 4)
	for {
		if _, err := io.ReadFull(c, size); err != nil {
			return true, false
		}
		n := binary.BigEndian.Uint32(size)
		if n == 0 || n > 1<<20 {
			continue
		}
		msg := make([]byte, n)
		if _, err := io.ReadFull(c, msg); err != nil {
			return true, false
		}
		switch msg[0] {
		case 1: // unchoked
			tell(c, 6, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00")
		case 7:
			return true, true
		}
	}
}
