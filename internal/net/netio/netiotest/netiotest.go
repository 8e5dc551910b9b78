// Package netiotest is the conformance suite of netio.Network. The system's network and the
// in-memory one both run it, so that a test that passes in memory says something about sockets.
package netiotest

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
	"time"

	"shoal/internal/net/netio"
)

// Pair is the input of the suite: two ends that can reach each other. They can be the same network
// and the same address.
type Pair struct {
	A, B         netio.Network
	AddrA, AddrB netip.Addr
	Name         string // a name that resolves to AddrB, perhaps among others
}

// Bubble runs a test body; synctest.Test for networks in memory, Plain for sockets.
type Bubble func(t *testing.T, body func(*testing.T))

// Plain runs body as it is.
func Plain(t *testing.T, body func(*testing.T)) { body(t) }

// Run runs the suite. The factory is called inside the bubble of each case.
func Run(t *testing.T, bubble Bubble, factory func(t *testing.T) Pair) {
	cases := []struct {
		name string
		body func(*testing.T, Pair)
	}{
		{"stream", stream},
		{"stream addresses", streamAddresses},
		{"large transfer", largeTransfer},
		{"half close", halfClose},
		{"close ends the other side", closeEnds},
		{"close unblocks read and accept", closeUnblocks},
		{"reset", reset},
		{"read deadline", readDeadline},
		{"write deadline", writeDeadline},
		{"refused", refused},
		{"dial cancelled", dialCancelled},
		{"address in use", inUse},
		{"datagrams", datagrams},
		{"datagram cut", datagramCut},
		{"datagram to nobody", datagramToNobody},
		{"packet close unblocks", packetClose},
		{"same port for both", samePort},
		{"unreachable addresses", unreachable},
		{"resolve", resolve},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) { c.body(t, factory(t)) })
		})
	}
}

func any0(a netip.Addr) netip.AddrPort { return netip.AddrPortFrom(a, 0) }

// listen accepts streams on B.
func listen(t *testing.T, p Pair) net.Listener {
	t.Helper()
	l, err := p.B.Listen(any0(p.AddrB))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// connect returns both ends of a stream from A to B; the test closes them.
func connect(t *testing.T, p Pair) (a, b net.Conn) {
	t.Helper()
	l := listen(t, p)
	defer l.Close()
	accepted := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		accepted <- c
	}()
	a, err := p.A.Dial(context.Background(), netio.AddrPort(l.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	b = <-accepted
	if b == nil {
		t.FailNow()
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func stream(t *testing.T, p Pair) {
	a, b := connect(t, p)
	if _, err := a.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(b, got); err != nil || string(got) != "hello" {
		t.Fatalf("read %q, %v", got, err)
	}
	if _, err := b.Write([]byte("world")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(a, got); err != nil || string(got) != "world" {
		t.Fatalf("read %q, %v", got, err)
	}
}

func streamAddresses(t *testing.T, p Pair) {
	a, b := connect(t, p)
	if got, want := netio.AddrPort(a.RemoteAddr()), netio.AddrPort(b.LocalAddr()); got != want {
		t.Errorf("dialler sees %v, acceptor is %v", got, want)
	}
	if got, want := netio.AddrPort(b.RemoteAddr()), netio.AddrPort(a.LocalAddr()); got != want {
		t.Errorf("acceptor sees %v, dialler is %v", got, want)
	}
	if got := netio.AddrPort(b.RemoteAddr()).Addr(); got != p.AddrA {
		t.Errorf("the dialler's address is %v, want %v", got, p.AddrA)
	}
}

func largeTransfer(t *testing.T, p Pair) {
	a, b := connect(t, p)
	sent := make([]byte, 3<<20+77)
	for i := range sent {
		sent[i] = byte(i ^ i>>8 ^ i>>16)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if n, err := a.Write(sent); n != len(sent) || err != nil {
			t.Errorf("wrote %d bytes of %d: %v", n, len(sent), err)
		}
		a.Close()
	})
	got, err := io.ReadAll(b)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("got %d bytes of %d, equal %v, error %v", len(got), len(sent), bytes.Equal(got, sent), err)
	}
	wg.Wait()
}

func halfClose(t *testing.T, p Pair) {
	a, b := connect(t, p)
	half, ok := a.(interface{ CloseWrite() error })
	if !ok {
		t.Fatalf("%T cannot close its sending half", a)
	}
	a.Write([]byte("question"))
	if err := half.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(b); err != nil || string(got) != "question" {
		t.Fatalf("read %q, %v", got, err)
	}
	if _, err := b.Write([]byte("answer")); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if got, err := io.ReadAll(a); err != nil || string(got) != "answer" {
		t.Fatalf("read %q, %v", got, err)
	}
	if _, err := a.Write([]byte("x")); err == nil {
		t.Error("wrote after closing the sending half")
	}
}

// A closed end reads what was in flight, then the end; its writes fail in time.
func closeEnds(t *testing.T, p Pair) {
	a, b := connect(t, p)
	a.Write([]byte("bye"))
	a.Close()
	if got, err := io.ReadAll(b); err != nil || string(got) != "bye" {
		t.Fatalf("read %q, %v", got, err)
	}
	for range 1000 {
		if _, err := b.Write(make([]byte, 1000)); err != nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("writing to a closed connection never failed")
}

func closeUnblocks(t *testing.T, p Pair) {
	a, _ := connect(t, p)
	l := listen(t, p)
	errs := make(chan error, 2)
	go func() {
		_, err := a.Read(make([]byte, 1))
		errs <- err
	}()
	go func() {
		_, err := l.Accept()
		errs <- err
	}()
	time.Sleep(time.Millisecond) // most likely both wait by now; correct if they do not
	a.Close()
	l.Close()
	for range 2 {
		if err := <-errs; !errors.Is(err, net.ErrClosed) {
			t.Errorf("got %v, want net.ErrClosed", err)
		}
	}
	if _, err := a.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write after close: %v", err)
	}
	if err := a.SetDeadline(time.Now()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("deadline after close: %v", err)
	}
}

func reset(t *testing.T, p Pair) {
	a, b := connect(t, p)
	linger, ok := a.(interface{ SetLinger(int) error })
	if !ok {
		t.Fatalf("%T cannot be reset", a)
	}
	if err := linger.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	a.Close()
	if _, err := io.ReadAll(b); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %v, want a reset", err)
	}
}

func readDeadline(t *testing.T, p Pair) {
	a, b := connect(t, p)
	if err := a.SetReadDeadline(time.Now().Add(5 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	_, err := a.Read(make([]byte, 1))
	var ne net.Error
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &ne) || !ne.Timeout() {
		t.Errorf("got %v, want a deadline exceeded", err)
	}
	// A new deadline makes the stream usable again.
	a.SetReadDeadline(time.Time{})
	b.Write([]byte("x"))
	if _, err := io.ReadFull(a, make([]byte, 1)); err != nil {
		t.Error(err)
	}
	// A deadline set while a read waits ends it.
	done := make(chan error, 1)
	go func() {
		_, err := a.Read(make([]byte, 1))
		done <- err
	}()
	a.SetDeadline(time.Unix(1, 0))
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want a deadline exceeded", err)
	}
}

// Nobody reads: the writer blocks, and its deadline ends that.
func writeDeadline(t *testing.T, p Pair) {
	a, _ := connect(t, p)
	a.SetWriteDeadline(time.Now().Add(20 * time.Millisecond))
	n, err := a.Write(make([]byte, 64<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n == 64<<20 {
		t.Errorf("wrote %d bytes, %v", n, err)
	}
}

func refused(t *testing.T, p Pair) {
	l := listen(t, p)
	addr := netio.AddrPort(l.Addr())
	l.Close()
	if _, err := p.A.Dial(context.Background(), addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want connection refused", err)
	}
}

func dialCancelled(t *testing.T, p Pair) {
	l := listen(t, p)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.A.Dial(ctx, netio.AddrPort(l.Addr())); err == nil {
		t.Error("dialled with a context that had ended")
	}
}

func inUse(t *testing.T, p Pair) {
	l := listen(t, p)
	if _, err := p.B.Listen(netio.AddrPort(l.Addr())); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v, want address in use", err)
	}
	c, err := p.B.ListenPacket(any0(p.AddrB))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := p.B.ListenPacket(c.LocalAddr()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v, want address in use", err)
	}
}

func packets(t *testing.T, p Pair) (a, b netio.PacketConn) {
	t.Helper()
	a, err := p.A.ListenPacket(any0(p.AddrA))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if b, err = p.B.ListenPacket(any0(p.AddrB)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return a, b
}

func datagrams(t *testing.T, p Pair) {
	a, b := packets(t, p)
	if a.LocalAddr().Port() == 0 || a.LocalAddr().Addr() != p.AddrA {
		t.Fatalf("bound to %v", a.LocalAddr())
	}
	msg := []byte("ping")
	if err := a.WriteTo(msg, b.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	copy(msg, "----") // the socket does not keep the buffer
	got := make([]byte, 100)
	n, from, err := b.ReadFrom(got)
	if err != nil || string(got[:n]) != "ping" || from != a.LocalAddr() {
		t.Fatalf("got %q from %v, %v; sent by %v", got[:n], from, err, a.LocalAddr())
	}
	// An IPv4 address in its sixteen-byte form means the same destination.
	to := netip.AddrPortFrom(netip.AddrFrom16(from.Addr().As16()), from.Port())
	if err := b.WriteTo([]byte("pong"), to); err != nil {
		t.Fatal(err)
	}
	if n, from, err = a.ReadFrom(got); err != nil || string(got[:n]) != "pong" || from != b.LocalAddr() {
		t.Fatalf("got %q from %v, %v", got[:n], from, err)
	}
}

func datagramCut(t *testing.T, p Pair) {
	a, b := packets(t, p)
	if err := a.WriteTo([]byte("0123456789"), b.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	if err := a.WriteTo([]byte("next"), b.LocalAddr()); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 4)
	n, _, err := b.ReadFrom(got)
	if err == nil && string(got[:n]) == "0123" {
		n, _, err = b.ReadFrom(got)
	}
	if err != nil || string(got[:n]) != "next" {
		t.Fatalf("after a long datagram: %q, %v", got[:n], err)
	}
}

func datagramToNobody(t *testing.T, p Pair) {
	a, b := packets(t, p)
	addr := b.LocalAddr()
	b.Close()
	for range 3 {
		if err := a.WriteTo([]byte("x"), addr); err != nil {
			t.Errorf("a datagram to a closed port: %v", err)
		}
	}
}

func packetClose(t *testing.T, p Pair) {
	a, b := packets(t, p)
	done := make(chan error, 1)
	go func() {
		_, _, err := a.ReadFrom(make([]byte, 10))
		done <- err
	}()
	time.Sleep(time.Millisecond) // most likely it waits by now; correct if it does not
	a.Close()
	if err := <-done; !errors.Is(err, net.ErrClosed) {
		t.Errorf("read: %v, want net.ErrClosed", err)
	}
	if err := a.WriteTo([]byte("x"), b.LocalAddr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("write: %v, want net.ErrClosed", err)
	}
}

func samePort(t *testing.T, p Pair) {
	l, c, err := netio.ListenBoth(p.A, any0(p.AddrA))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	defer c.Close()
	if got, want := netio.AddrPort(l.Addr()), c.LocalAddr(); got != want || got.Port() == 0 {
		t.Errorf("streams on %v, datagrams on %v", got, want)
	}
	if _, _, err := netio.ListenBoth(p.A, c.LocalAddr()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("a second time: %v, want address in use", err)
	}
}

func unreachable(t *testing.T, p Pair) {
	a, _ := packets(t, p)
	for _, to := range []netip.AddrPort{
		{},
		netip.AddrPortFrom(p.AddrB, 0),
		netip.MustParseAddrPort("0.0.0.0:6881"),
		netip.MustParseAddrPort("[::]:6881"),
		netip.MustParseAddrPort("239.192.152.143:6771"),
	} {
		if _, err := p.A.Dial(context.Background(), to); !errors.Is(err, netio.ErrAddress) {
			t.Errorf("dial %v: %v, want ErrAddress", to, err)
		}
		if err := a.WriteTo([]byte("x"), to); !errors.Is(err, netio.ErrAddress) {
			t.Errorf("send to %v: %v, want ErrAddress", to, err)
		}
	}
}

func resolve(t *testing.T, p Pair) {
	ctx := context.Background()
	for _, literal := range []netip.Addr{p.AddrA, p.AddrB, netip.AddrFrom16(p.AddrB.As16())} {
		got, err := p.A.Resolve(ctx, literal.String())
		if err != nil || len(got) != 1 || got[0] != literal.Unmap() {
			t.Errorf("resolve %v: %v, %v", literal, got, err)
		}
	}
	got, err := p.A.Resolve(ctx, p.Name)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range got {
		if a == p.AddrB {
			return
		}
	}
	t.Errorf("%s resolves to %v, want %v among them", p.Name, got, p.AddrB)
}
