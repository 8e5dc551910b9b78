package peerconn

import (
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"shoal/internal/files/disk"
	"shoal/internal/format/wire"
	"shoal/internal/net/throttle"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

// flow is a connection on which data flows steadily, over a real socket.
type flow struct {
	tb     testing.TB
	budget *disk.Budget
	group  sync.WaitGroup
	conn   *Conn
	far    *net.TCPConn
	closed chan error

	// Receiving.
	stream    []byte // blocksPerRun piece messages
	left      int    // blocks until all have arrived; of the reader
	arrived   chan struct{}
	delivered atomic.Int64 // hand-offs

	// Sending.
	refs    []block.Ref
	room    []byte
	waiting int           // blocks until all are sent; of the writer
	gone    chan struct{} // all are sent
	writes  atomic.Int64  // calls of Sent
	reads   atomic.Int64  // of the source
}

// blocksPerRun is what waits to be read or written while data flows.
const blocksPerRun = 64

// newFlow makes a connection; near gives the stream that it reads and writes, and
// deliver, unless it is nil, takes what comes.
func newFlow(tb testing.TB, near func(*net.TCPConn) net.Conn, deliver func(*Batch) bool) *flow {
	f := &flow{
		tb: tb, budget: disk.NewBudget(blocksPerRun * block.Size), closed: make(chan error, 1),
		arrived: make(chan struct{}, 1), gone: make(chan struct{}, 1),
	}
	g := geometry(blocksPerRun * block.Size)
	for i := range g.Pieces {
		f.refs = append(f.refs, g.Block(i, 0), g.Block(i, 1))
	}
	for _, r := range f.refs {
		f.stream = piece(f.stream, g, r)
	}
	f.room = make([]byte, len(f.stream))
	if deliver == nil {
		deliver = f.deliver
	}
	in, out := tcp(tb)
	f.far = out
	free := throttle.NewLimiter(beatsOf(tb, func() mono.Time { tb.Error("a clock was read where there is no limit"); return 0 }))
	tor := &Torrent{
		Buffers: f.budget, Source: f, Spare: new(Spares), Group: &f.group,
		Up: free.Group(), Down: free.Group(),
		Deliver: deliver, Sent: f.sent,
		Unreadable: func(_ block.Ref, err error) { tb.Errorf("unreadable: %v", err) },
		Closed:     func(_ uint64, err error) { f.closed <- err },
	}
	tor.SetBounds(wire.BoundsOf(g, g.Pieces))
	f.conn = New(1, near(in), tor)
	f.left, f.waiting = blocksPerRun, blocksPerRun
	f.conn.Start()
	tb.Cleanup(func() {
		f.far.Close()
		f.group.Wait()
		<-f.closed
		if n := f.budget.InUse(); n != 0 {
			tb.Errorf("%d blocks were not given back", n)
		}
	})
	return f
}

func (f *flow) deliver(b *Batch) bool {
	f.delivered.Add(1)
	for i := range b.Items {
		if x := b.Items[i].Block; x != nil {
			f.budget.Put(x)
			if f.left--; f.left == 0 {
				f.left = blocksPerRun
				f.arrived <- struct{}{}
			}
		}
	}
	b.Recycle()
	return true
}

// Read is the source: what it gives does not matter here.
func (f *flow) Read([]block.Ref, []byte) error { f.reads.Add(1); return nil }

func (f *flow) sent(_ uint64, blocks int, _ int64) {
	f.writes.Add(1)
	if f.waiting -= blocks; f.waiting == 0 {
		f.waiting = blocksPerRun
		f.gone <- struct{}{}
	}
}

// receive has blocksPerRun blocks arrive.
func (f *flow) receive() {
	if _, err := f.far.Write(f.stream); err != nil {
		f.tb.Fatal(err)
	}
	<-f.arrived
}

// send has blocksPerRun blocks go out, in portions as the swarm gives them.
func (f *flow) send() {
	for i := 0; i < len(f.refs); i += 32 {
		f.conn.Send(nil, f.refs[i:i+32])
	}
	for n := 0; n < len(f.room); {
		k, err := f.far.Read(f.room[n:])
		if err != nil {
			f.tb.Fatal(err)
		}
		n += k
	}
	<-f.gone
}

func direct(c *net.TCPConn) net.Conn { return c }

// plain hides that a stream is a TCP socket, so that it is read and written the way of other
// systems, and of streams other than TCP.
type plain struct {
	net.Conn
	reads atomic.Int64
}

func (p *plain) Read(b []byte) (int, error) { p.reads.Add(1); return p.Conn.Read(b) }

// allocations counts what runs of f allocate, all goroutines together, after it
// has been running for a while.
func allocations(f func()) float64 {
	for range 10 {
		f()
	}
	runtime.GC()
	return testing.AllocsPerRun(20, f)
}

// While data flows nothing is allocated, and a block costs no more than one hand-off
// and one read. Sixteen go out with one read of the disk and one write.
func TestSteadyFlow(t *testing.T) {
	wrapped := new(plain)
	for name, near := range map[string]func(*net.TCPConn) net.Conn{
		"socket": direct,
		"stream": func(c *net.TCPConn) net.Conn { wrapped.Conn = c; return wrapped },
	} {
		t.Run("receive from a "+name, func(t *testing.T) {
			f := newFlow(t, near, nil)
			if n := allocations(f.receive); n != 0 {
				t.Errorf("%v allocations for %d blocks", n, blocksPerRun)
			}
			f.delivered.Store(0)
			wrapped.reads.Store(0)
			const runs = 10
			for range runs {
				f.receive()
			}
			if n := f.delivered.Load(); n > runs*blocksPerRun {
				t.Errorf("%d hand-offs for %d blocks", n, runs*blocksPerRun)
			}
			if n := wrapped.reads.Load(); n > runs*blocksPerRun {
				t.Errorf("%d reads for %d blocks", n, runs*blocksPerRun)
			}
		})
		t.Run("send to a "+name, func(t *testing.T) {
			f := newFlow(t, near, nil)
			if n := allocations(f.send); n != 0 {
				t.Errorf("%v allocations for %d blocks", n, blocksPerRun)
			}
			f.reads.Store(0)
			f.writes.Store(0)
			f.send()
			const most = blocksPerRun / burst
			if r, w := f.reads.Load(), f.writes.Load(); r > most || w > most {
				t.Errorf("%d reads of the disk and %d writes for %d blocks, want %d", r, w, blocksPerRun, most)
			}
		})
	}
}

// Requests and the like, one batch for each read, allocate nothing either.
func TestSteadyControl(t *testing.T) {
	got := make(chan int, 100)
	f := newFlow(t, direct, func(b *Batch) bool {
		n := len(b.Items)
		b.Recycle()
		got <- n
		return true
	})
	var stream []byte
	for _, r := range f.refs {
		stream = wire.AppendRequest(stream, r)
	}
	stream = wire.AppendKeepAlive(stream)
	run := func() {
		if _, err := f.far.Write(stream); err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(f.refs)+1; {
			n += <-got
		}
	}
	if n := allocations(run); n != 0 {
		t.Errorf("%v allocations for %d messages", n, len(f.refs)+1)
	}
}

// calls gives the number of read and write calls of this process; zeros where the
// system does not tell.
func calls() (reads, writes int) {
	b, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, _ := strconv.Atoi(value)
		switch key {
		case "syscr":
			reads = n
		case "syscw":
			writes = n
		}
	}
	return reads, writes
}

// BenchmarkReceive gives what a block costs from the socket to the torrent. The calls
// are those of both ends: the far one writes, the near one reads.
func BenchmarkReceive(b *testing.B) {
	f := newFlow(b, direct, nil)
	f.receive()
	f.delivered.Store(0)
	b.SetBytes(block.Size)
	b.ReportAllocs()
	b.ResetTimer()
	before, _ := calls()
	n := 0
	for ; n < b.N; n += blocksPerRun {
		f.receive()
	}
	after, _ := calls()
	b.ReportMetric(float64(after-before)/float64(n), "reads/block")
	b.ReportMetric(float64(f.delivered.Load())/float64(n), "hand-offs/block")
}

// BenchmarkSend gives what a block costs from the outbox to the socket. The far end
// reads, the near one writes.
func BenchmarkSend(b *testing.B) {
	f := newFlow(b, direct, nil)
	f.send()
	f.reads.Store(0)
	f.writes.Store(0)
	b.SetBytes(block.Size)
	b.ReportAllocs()
	b.ResetTimer()
	_, before := calls()
	n := 0
	for ; n < b.N; n += blocksPerRun {
		f.send()
	}
	_, after := calls()
	b.ReportMetric(float64(after-before)/float64(n), "writes/block")
	b.ReportMetric(float64(f.reads.Load())/float64(n), "disk-reads/block")
	b.ReportMetric(float64(f.writes.Load())/float64(n), "hand-offs/block")
}
