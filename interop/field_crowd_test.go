//go:build interop

package interop

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
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
	asking     // and says that it is interested, and asks for nothing
	sipping    // and asks for one block when it is unchoked
	deaf       // and asks for everything then, and reads nothing more
	licking    // and asks for a byte each second from then on
	dripping   // and asks for everything, and reads a KiB a second
	minutely   // and asks for one block a minute
	cancelling // and asks for blocks, and takes each request back at once
	repeating  // and asks for the same block again and again
	wavering   // and loses its interest each second, and has it again
)

// spread puts each connection of a crowd on a network of its own.
const spread = 1 << 8

// crowdAt puts so many connections to a seed, and then asks it for a block over one more: a
// seed lets it in that answers its handshake within two seconds, and sends the block within ten.
func crowdAt(t *testing.T, who string, wrap []string, n, kind int, more ...string) string {
	t.Helper()
	m := blueprint{name: "seeded", files: []part{{path: "a.bin", size: 300_000}, {path: "b.bin", size: 100_000}}}.build(t)
	at := seedAt(t, who, wrap, m, more...)
	apart := kind&spread != 0
	kind &^= spread
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
		if apart {
			from = netip.AddrFrom4([4]byte{127, 3 + byte(i/200), byte(1 + i%200), 1})
		}
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
		case asking, sipping, deaf, licking, dripping, minutely, cancelling, repeating, wavering:
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
		if !got.IsZero() && answered < 0 {
			answered = got.Sub(began)
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
	if kind == deaf || kind == dripping {
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
		case deaf, dripping:
			for i := range 240 {
				tell(c, 6, blockOf(i%24))
			}
			for kind == dripping {
				if _, err := io.CopyN(io.Discard, c, 256); err != nil {
					return
				}
				time.Sleep(250 * time.Millisecond)
			}
			return // the connection stays open
		case minutely:
			for i := 0; tell(c, 6, blockOf(i%24)) == nil; i++ {
				for range 120 {
					if drain(c, 500*time.Millisecond) != nil {
						return
					}
				}
			}
			return
		case cancelling:
			for i := 0; tell(c, 6, blockOf(i%24)) == nil && tell(c, 8, blockOf(i%24)) == nil; i++ {
				if drain(c, 50*time.Millisecond) != nil {
					return
				}
			}
			return
		case repeating:
			for tell(c, 6, blockOf(0)) == nil && drain(c, 5*time.Millisecond) == nil {
			}
			return
		case wavering:
			for id := byte(3); drain(c, time.Second) == nil && tell(c, id, "") == nil; id ^= 1 {
			}
			return
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

// blockOf is the body of a request for a block.
func blockOf(piece int) string {
	return "\x00\x00\x00" + string(rune(piece)) + "\x00\x00\x00\x00\x00\x00\x40\x00"
}

// drain reads all that comes for a while.
func drain(c net.Conn, d time.Duration) error {
	c.SetReadDeadline(time.Now().Add(d))
	_, err := io.Copy(io.Discard, c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return io.ErrUnexpectedEOF
}

// wants dials a seed and asks for a block: when the handshake is answered, zero for never, and
// whether the block comes.
func wants(at netip.AddrPort, m *made, hello string) (answered time.Time, block bool) {
	d := net.Dialer{Timeout: 2 * time.Second, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 2, 0, 1)}}
	c, err := d.Dial("tcp", at.String())
	if err != nil {
		return answered, false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second))
	c.Write([]byte(hello))
	if _, err := io.ReadFull(c, make([]byte, 68)); err != nil {
		return answered, false
	}
	answered = time.Now()
	c.SetDeadline(time.Now().Add(12 * time.Second))
	tell(c, 2, "") // interested
	size := make([]byte, 4)
	for {
		if _, err := io.ReadFull(c, size); err != nil {
			return answered, false
		}
		n := binary.BigEndian.Uint32(size)
		if n == 0 || n > 1<<20 {
			continue
		}
		msg := make([]byte, n)
		if _, err := io.ReadFull(c, msg); err != nil {
			return answered, false
		}
		switch msg[0] {
		case 1: // unchoked
			tell(c, 6, "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x40\x00")
		case 7:
			return answered, true
		}
	}
}
