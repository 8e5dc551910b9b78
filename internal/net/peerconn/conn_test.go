package peerconn

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/format/wire"
	"shoal/internal/simnet"
	"shoal/internal/value/block"
)

// pair gives both ends of a stream in memory.
func pair(t *testing.T) (near, far net.Conn) { return narrow(t, 0) }

// narrow is pair where the network holds so many bytes in each direction; 0: as it does.
func narrow(t *testing.T, holds int) (near, far net.Conn) {
	t.Helper()
	n := simnet.New(simnet.Options{Link: simnet.Link{Delay: time.Millisecond}, Buffer: holds})
	a, b := n.Host(netip.MustParseAddr("10.0.0.1")), n.Host(netip.MustParseAddr("10.0.0.2"))
	l, err := a.Listen(netip.MustParseAddrPort("10.0.0.1:6881"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if far, err = b.Dial(t.Context(), netip.MustParseAddrPort("10.0.0.1:6881")); err != nil {
		t.Fatal(err)
	}
	if near, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		near.Close()
		far.Close()
	})
	return near, far
}

// While no buffer is free the reader hands over what it has and reads no further, so
// that the peer has to wait; as soon as one is free it goes on.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := geometry(40 * block.Size)
		r := newRig(t, g, 2)
		near, far := pair(t)
		var held []*block.Block
		r.deliver = func(b *Batch) bool {
			for i := range b.Items {
				if x := b.Items[i].Block; x != nil {
					held = append(held, x)
					b.Items[i].Block = nil
				}
			}
			return true
		}
		c := r.start(near)
		sent := 0
		go func() {
			stream := wire.AppendHave(nil, 1)
			for i := range g.Pieces {
				stream = piece(piece(stream, g, g.Block(i, 0)), g, g.Block(i, 1))
			}
			for _, b := range split(stream, 1000) {
				n, err := far.Write(b)
				sent += n
				if err != nil {
					return
				}
			}
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if len(held) != 2 || len(r.items) != 3 {
			t.Errorf("%d blocks and %d messages were handed over, want 2 and 3", len(held), len(r.items))
		}
		if most := 256<<10 + largeBuffer + 3*block.Size; sent > most {
			t.Errorf("the peer could send %d bytes; buffers and network hold no more than %d", sent, most)
		}
		for i := range 10 {
			b := held[0]
			held = held[1:]
			r.budget.Put(b)
			time.Sleep(time.Second)
			synctest.Wait()
			if len(held) != 2 || len(r.items) != 4+i {
				t.Fatalf("after %d buffers came free: %d are held, %d messages", i+1, len(held), len(r.items))
			}
		}
		c.Close(errors.New("enough"))
		r.group.Wait()
		for _, b := range held {
			r.budget.Put(b)
		}
		r.end()
	})
}

// A keep-alive is a message like others: who hears it knows that the peer is there.
func TestKeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, geometry(block.Size), 1)
		near, far := pair(t)
		r.start(near)
		for range 3 {
			time.Sleep(100 * time.Second)
			far.Write(wire.AppendKeepAlive(nil))
		}
		far.Close()
		if err := r.end(); err == nil {
			t.Error("it ended without a reason")
		}
		check(t, r, []got{{m: wire.Message{ID: wire.KeepAlive}}, {m: wire.Message{ID: wire.KeepAlive}}, {m: wire.Message{ID: wire.KeepAlive}}})
	})
}

// What piles up for a peer that does not read is bounded.
func TestFlooded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, geometry(block.Size), 1)
		near, _ := pair(t)
		c := r.start(near)
		have := wire.AppendHave(nil, 0)
		total := 0
		for range 10 << 20 / len(have) {
			c.Send(have, nil)
			total += len(have)
			synctest.Wait()
			if len(r.closed) > 0 {
				break
			}
		}
		if err := r.end(); !errors.Is(err, ErrFlooded) {
			t.Errorf("it ended with %v", err)
		}
		if most := 256<<10 + 2*maxPending; total > most || total < maxPending {
			t.Errorf("it was cut off after %d bytes", total)
		}
		c.Send(have, nil) // harmless
	})
}

// One write may take two minutes, and no longer.
func TestWriteDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := geometry(40 * block.Size)
		r := newRig(t, g, 1)
		near, far := pair(t)
		c := r.start(near)
		start := time.Now()
		var refs []block.Ref
		for i := range g.Pieces {
			refs = append(refs, g.Block(i, 0), g.Block(i, 1))
		}
		c.Send(nil, refs) // more than the network holds
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() {
			for { // it still talks
				time.Sleep(30 * time.Second)
				if _, err := far.Write(wire.AppendKeepAlive(nil)); err != nil {
					return
				}
			}
		})
		if err := r.end(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("it ended with %v", err)
		}
		if d := time.Since(start).Round(time.Second); d != writeTimeout {
			t.Errorf("it ended after %v", d)
		}
	})
}

// What goes out is what was asked for: control bytes first, then blocks, sixteen
// with one read of the disk, each told of once.
func TestWriter(t *testing.T) {
	g := geometry(100*block.Size + 300)
	r := newRig(t, g, 1)
	src := &counted{Source: numbers{g}}
	r.tor.Source = src
	near, far := tcp(t)
	c := New(7, near, r.tor)
	var refs []block.Ref
	for i := range g.Pieces {
		for j := range g.Blocks(i) {
			refs = append(refs, g.Block(i, j))
		}
	}
	slices.Reverse(refs)
	control := wire.AppendSimple(nil, wire.Unchoke)
	want := slices.Clone(control)
	var bytes int64
	for _, ref := range refs {
		want = piece(want, g, ref)
		bytes += int64(ref.Length)
	}
	c.Send(control, refs) // waits for Start
	c.Start()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(far, got); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got, want) {
		t.Error("the bytes differ")
	}
	far.Close()
	r.end()
	sent := 0
	for _, n := range r.sent {
		if n < 1 || n > burst {
			t.Errorf("%d blocks with one write", n)
		}
		sent += n
	}
	if sent != len(refs) || r.sentBytes != bytes {
		t.Errorf("%d blocks of %d bytes were told of, want %d of %d", sent, r.sentBytes, len(refs), bytes)
	}
	if most := (len(refs) + burst - 1) / burst; src.calls > most || len(r.sent) > most {
		t.Errorf("%d reads and %d writes for %d blocks, want %d", src.calls, len(r.sent), len(refs), most)
	}
}

// counted counts the reads of a source, and fails when it is told to.
type counted struct {
	Source
	calls int
	err   error
}

func (c *counted) Read(refs []block.Ref, dst []byte) error {
	c.calls++
	if c.err != nil {
		return c.err
	}
	return c.Source.Read(refs, dst)
}

// A block that cannot be read is told of, and the peer is not served half of it.
func TestUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := geometry(10 * block.Size)
		r := newRig(t, g, 1)
		bad := errors.New("bad sector")
		r.tor.Source = &counted{err: bad}
		near, far := pair(t)
		c := r.start(near)
		c.Send(wire.AppendHave(nil, 3), []block.Ref{g.Block(0, 0), g.Block(1, 0)})
		if b, _ := io.ReadAll(far); len(b) > 9 {
			t.Errorf("%d bytes came", len(b))
		}
		if err := r.end(); !errors.Is(err, bad) {
			t.Errorf("it ended with %v", err)
		}
		if len(r.unreadable) != 1 || !errors.Is(r.unreadable[0], bad) || len(r.sent) != 0 {
			t.Errorf("told: unreadable %v, sent %v", r.unreadable, r.sent)
		}
	})
}

// Finish sends what waits, and then ends; for a peer that does not read it waits five
// seconds.
func TestFinish(t *testing.T) {
	reason := errors.New("both have every piece")
	synctest.Test(t, func(t *testing.T) {
		g := geometry(40 * block.Size)
		r := newRig(t, g, 1)
		near, far := pair(t)
		c := r.start(near)
		want := wire.AppendHave(nil, 5)
		c.Send(want, []block.Ref{g.Block(5, 0)})
		c.Finish(reason)
		if b, err := io.ReadAll(far); err != nil || len(b) != len(want)+wire.PieceHeader+block.Size {
			t.Errorf("%d bytes came, %v", len(b), err)
		}
		if err := r.end(); err != reason {
			t.Errorf("it ended with %v", err)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		g := geometry(40 * block.Size)
		r := newRig(t, g, 1)
		near, _ := pair(t)
		c := r.start(near)
		var refs []block.Ref
		for i := range g.Pieces {
			refs = append(refs, g.Block(i, 0), g.Block(i, 1))
		}
		c.Send(nil, refs)
		time.Sleep(time.Minute)
		start := time.Now()
		c.Finish(reason)
		r.end()
		if d := time.Since(start); d != finishTimeout {
			t.Errorf("it ended after %v", d)
		}
	})
	// One that was never started ends at once.
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, geometry(block.Size), 1)
		near, far := pair(t)
		c := New(1, near, r.tor)
		c.Send([]byte("lost"), nil)
		c.Finish(reason)
		if b, _ := io.ReadAll(far); len(b) != 0 {
			t.Errorf("%q came", b)
		}
	})
}

// The first reason counts, and is told once.
func TestCloseOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := errors.New("first"), errors.New("second")
		r := newRig(t, geometry(block.Size), 1)
		near, far := pair(t)
		c := r.start(near)
		c.Close(first)
		c.Close(second)
		c.Finish(second)
		far.Close()
		if err := r.end(); err != first {
			t.Errorf("it ended with %v", err)
		}
	})
}

// Large buffers are shared, and only a few are kept.
func TestSpares(t *testing.T) {
	s := new(Spares)
	var all [][]byte
	for i := range 20 {
		all = append(all, s.get(1000))
		if got, want := s.Bytes(), int64(i+1)*largeBuffer; got != want {
			t.Fatalf("%d bytes with %d buffers out, want %d", got, i+1, want)
		}
	}
	for _, b := range all {
		s.put(b)
	}
	s.put(make([]byte, 100)) // not one of its own
	s.put(nil)
	if got := s.Bytes(); got != maxSpares*largeBuffer {
		t.Errorf("%d bytes are kept", got)
	}
	if n := testing.AllocsPerRun(100, func() { s.put(s.get(largeBuffer)) }); n != 0 {
		t.Errorf("%v allocations for a buffer that is kept", n)
	}
}
