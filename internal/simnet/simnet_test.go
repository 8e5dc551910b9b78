package simnet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"shoal/internal/net/netio"
	"shoal/internal/net/netio/netiotest"
	"shoal/internal/simnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	addrA = netip.MustParseAddr("192.0.2.1")
	addrB = netip.MustParseAddr("198.51.100.2")
)

func TestConformance(t *testing.T) {
	six := netip.MustParseAddr("2001:db8::6")
	for _, c := range []struct {
		name   string
		bubble netiotest.Bubble
		opts   simnet.Options
		a, b   netip.Addr
	}{
		{"fake time", synctest.Test, simnet.Options{}, addrA, addrB},
		{"slow link", synctest.Test, simnet.Options{Link: simnet.Link{Delay: 80 * time.Millisecond, Rate: 1 << 20}}, addrA, addrB},
		{"IPv6", synctest.Test, simnet.Options{}, six, six.Next()},
		{"one host", synctest.Test, simnet.Options{}, addrA, addrA},
		{"loopback", synctest.Test, simnet.Options{}, netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.1")},
		{"real time", netiotest.Plain, simnet.Options{}, addrA, addrB},
	} {
		t.Run(c.name, func(t *testing.T) {
			netiotest.Run(t, c.bubble, func(*testing.T) netiotest.Pair {
				n := simnet.New(c.opts)
				n.Name("b.example", c.b)
				return netiotest.Pair{A: n.Host(c.a), B: n.Host(c.b), AddrA: c.a, AddrB: c.b, Name: "b.example"}
			})
		})
	}
}

// bubble runs a test with two hosts in fake time.
func bubble(t *testing.T, opts simnet.Options, body func(t *testing.T, n *simnet.Net, a, b *simnet.Host)) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(opts)
		defer n.Close()
		body(t, n, n.Host(addrA), n.Host(addrB))
	})
}

func connect(t *testing.T, a, b *simnet.Host) (client, server net.Conn) {
	t.Helper()
	l, err := b.Listen(netip.AddrPortFrom(b.Addr(), 6881))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var wg sync.WaitGroup
	wg.Go(func() { server, _ = l.Accept() })
	client, err = a.Dial(context.Background(), netio.AddrPort(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	return client, server
}

// A dial takes a round trip, a byte half of one, and a byte at 1000 a second a
// thousandth of a second more for each.
func TestDelayAndRate(t *testing.T) {
	opts := simnet.Options{Link: simnet.Link{Delay: 50 * time.Millisecond, Rate: 1000}}
	bubble(t, opts, func(t *testing.T, n *simnet.Net, a, b *simnet.Host) {
		start := time.Now()
		took := func(what string, want time.Duration) {
			t.Helper()
			if got := time.Since(start); got != want {
				t.Errorf("%s took %v, want %v", what, got, want)
			}
			start = time.Now()
		}
		client, server := connect(t, a, b)
		took("dial", 100*time.Millisecond)
		client.Write(make([]byte, 200))
		took("write", 0)
		io.ReadFull(server, make([]byte, 200))
		took("200 bytes", 250*time.Millisecond)
		client.Close()
		server.Read(make([]byte, 1))
		took("the end", 50*time.Millisecond)
	})
}

// Without a reader the writer gets as far as the buffer and then waits for it.
func TestBackPressure(t *testing.T) {
	bubble(t, simnet.Options{Buffer: 1000}, func(t *testing.T, n *simnet.Net, a, b *simnet.Host) {
		client, server := connect(t, a, b)
		wrote := make(chan int)
		go func() {
			k, _ := client.Write(make([]byte, 1500))
			wrote <- k
		}()
		synctest.Wait()
		select {
		case k := <-wrote:
			t.Fatalf("wrote %d bytes though nobody reads", k)
		default:
		}
		io.ReadFull(server, make([]byte, 499))
		synctest.Wait()
		select {
		case k := <-wrote:
			t.Fatalf("wrote %d bytes into a buffer of 1000, 499 of them read", k)
		default:
		}
		io.ReadFull(server, make([]byte, 1))
		if k := <-wrote; k != 1500 {
			t.Errorf("wrote %d bytes", k)
		}
	})
}

// A cut link stalls what was sent; it arrives once the link is healed.
func TestCutAndHeal(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net, a, b *simnet.Host) {
		client, server := connect(t, a, b)
		n.Cut(addrA, addrB)
		client.Write([]byte("held"))
		client.Close()
		server.SetReadDeadline(time.Now().Add(time.Hour))
		if _, err := server.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("over a cut link: %v", err)
		}
		server.SetReadDeadline(time.Time{})
		time.AfterFunc(time.Minute, func() { n.Heal(addrB, addrA) })
		if got, err := io.ReadAll(server); err != nil || string(got) != "held" {
			t.Errorf("read %q, %v", got, err)
		}
	})
}

func TestDialOverCutLink(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net, a, b *simnet.Host) {
		l, _ := b.Listen(netip.AddrPortFrom(addrB, 0))
		to := netio.AddrPort(l.Addr())
		n.Cut(addrA, addrB)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if _, err := a.Dial(ctx, to); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's end", err)
		}
		if _, err := a.Dial(context.Background(), to); !errors.Is(err, syscall.ETIMEDOUT) {
			t.Errorf("got %v, want a timeout", err)
		}
		time.AfterFunc(3*time.Second, func() { n.Heal(addrA, addrB) })
		c, err := a.Dial(context.Background(), to)
		if err != nil {
			t.Fatalf("after healing: %v", err)
		}
		c.Close()
	})
}

func TestResetBreaksBothEnds(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net, a, b *simnet.Host) {
		client, server := connect(t, a, b)
		errs := make(chan error, 2)
		for _, c := range []net.Conn{client, server} {
			go func() {
				_, err := c.Read(make([]byte, 1))
				errs <- err
			}()
		}
		synctest.Wait()
		n.Reset(addrB, addrA)
		for range 2 {
			if err := <-errs; !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %v, want a reset", err)
			}
		}
	})
}

// Closing with something unread resets the stream, as TCP does.
func TestCloseUnread(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net, a, b *simnet.Host) {
		client, server := connect(t, a, b)
		client.Write([]byte("unwanted"))
		server.Close()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want a reset", err)
		}
	})
}

// Everything that can wait on a host waits; closing the host ends all of it.
func TestCloseUnblocksEverything(t *testing.T) {
	bubble(t, simnet.Options{Buffer: 10}, func(t *testing.T, n *simnet.Net, a, b *simnet.Host) {
		client, _ := connect(t, a, b)
		l, _ := a.Listen(netip.AddrPortFrom(addrA, 0))
		p, _ := a.ListenPacket(netip.AddrPortFrom(addrA, 0))
		waits := map[string]func() error{
			"read":   func() error { _, err := client.Read(make([]byte, 1)); return err },
			"accept": func() error { _, err := l.Accept(); return err },
			"packet": func() error { _, _, err := p.ReadFrom(make([]byte, 1)); return err },
			"dial": func() error {
				_, err := a.Dial(context.Background(), netip.MustParseAddrPort("203.0.113.9:1"))
				return err
			},
		}
		var wg sync.WaitGroup
		for name, wait := range waits {
			wg.Go(func() {
				if err := wait(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: %v, want net.ErrClosed", name, err)
				}
			})
		}
		wg.Go(func() {
			if k, err := client.Write(make([]byte, 100)); k != 10 || !errors.Is(err, net.ErrClosed) {
				t.Errorf("write: %d, %v", k, err)
			}
		})
		synctest.Wait()
		a.Close()
		wg.Wait()
		if _, err := a.Listen(netip.AddrPortFrom(addrA, 0)); !errors.Is(err, net.ErrClosed) {
			t.Errorf("a closed host listens: %v", err)
		}
	})
}

// The other end of a host that goes away sees a reset.
func TestHostClose(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net, a, b *simnet.Host) {
		client, _ := connect(t, a, b)
		b.Close()
		if _, err := client.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want a reset", err)
		}
	})
}

func TestDatagramDelayLossAndJitter(t *testing.T) {
	const sent = 1000
	opts := simnet.Options{Seed: 7, Link: simnet.Link{Delay: 10 * time.Millisecond, Jitter: 10 * time.Millisecond, Loss: 0.25}}
	bubble(t, opts, func(t *testing.T, n *simnet.Net, a, b *simnet.Host) {
		from, _ := a.ListenPacket(netip.AddrPortFrom(addrA, 0))
		to, _ := b.ListenPacket(netip.AddrPortFrom(addrB, 0))
		start := time.Now()
		for i := range sent {
			from.WriteTo([]byte{byte(i >> 8), byte(i)}, to.LocalAddr())
		}
		time.AfterFunc(time.Second, func() { to.Close() })
		got, last, overtaken := 0, -1, 0
		for {
			var m [2]byte
			if _, _, err := to.ReadFrom(m[:]); err != nil {
				break
			}
			if d := time.Since(start); d < 10*time.Millisecond || d > 20*time.Millisecond {
				t.Errorf("a datagram took %v", d)
			}
			got++
			i := int(m[0])<<8 | int(m[1])
			if i < last {
				overtaken++
			}
			last = i
		}
		if got < sent/2 || got > sent*9/10 {
			t.Errorf("%d of %d arrived, a quarter should be lost", got, sent)
		}
		if overtaken == 0 {
			t.Error("none overtook another")
		}
	})
}

func TestDatagramsOverCutLink(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net, a, b *simnet.Host) {
		from, _ := a.ListenPacket(netip.MustParseAddrPort("0.0.0.0:700"))
		to, _ := b.ListenPacket(netip.MustParseAddrPort("0.0.0.0:800"))
		dest := netip.AddrPortFrom(addrB, 800)
		n.Cut(addrA, addrB)
		from.WriteTo([]byte("lost"), dest)
		n.Heal(addrA, addrB)
		from.WriteTo([]byte("arrives"), dest)
		m := make([]byte, 10)
		k, sender, err := to.ReadFrom(m)
		if err != nil || !bytes.Equal(m[:k], []byte("arrives")) || sender != netip.AddrPortFrom(addrA, 700) {
			t.Errorf("got %q from %v, %v", m[:k], sender, err)
		}
	})
}

// A name nobody gave is not found; a full socket loses what comes.
func TestUnknownName(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net, a, b *simnet.Host) {
		_, err := a.Resolve(context.Background(), "nobody.example")
		var de *net.DNSError
		if !errors.As(err, &de) || !de.IsNotFound {
			t.Errorf("got %v, want not found", err)
		}
	})
}

func TestSocketQueueIsBounded(t *testing.T) {
	bubble(t, simnet.Options{}, func(t *testing.T, n *simnet.Net, a, b *simnet.Host) {
		from, _ := a.ListenPacket(netip.AddrPortFrom(addrA, 0))
		to, _ := b.ListenPacket(netip.AddrPortFrom(addrB, 0))
		for range 5000 {
			from.WriteTo([]byte("x"), to.LocalAddr())
		}
		time.AfterFunc(time.Second, func() { to.Close() })
		got := 0
		for {
			if _, _, err := to.ReadFrom(make([]byte, 1)); err != nil {
				break
			}
			got++
		}
		if got != 1024 {
			t.Errorf("%d of 5000 were kept", got)
		}
	})
}
