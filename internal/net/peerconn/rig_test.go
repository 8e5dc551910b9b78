package peerconn

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"shoal/internal/files/disk"
	"shoal/internal/format/wire"
	"shoal/internal/mailbox"
	"shoal/internal/value/block"
	"shoal/internal/value/mono"
	"shoal/metainfo"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// geometry is a torrent of some bytes in pieces of 32 KiB.
func geometry(total int64) metainfo.Geometry {
	const length = 2 * block.Size
	return metainfo.Geometry{Total: total, PieceLength: length, Pieces: uint32((total + length - 1) / length)}
}

// got is one message as it was delivered, its payload copied.
type got struct {
	m    wire.Message
	data string
}

func (g got) String() string {
	return fmt.Sprintf("%v piece %d begin %d length %d port %d ext %d body %d data %d",
		g.m.ID, g.m.Piece, g.m.Begin, g.m.Length, g.m.Port, g.m.Ext, len(g.m.Body), len(g.data))
}

func (g got) equal(o got) bool {
	return g.String() == o.String() && g.data == o.data && bytes.Equal(g.m.Body, o.m.Body)
}

// rig is a torrent that takes what connections bring, and a count of it.
type rig struct {
	t      testing.TB
	budget *disk.Budget
	spares *Spares
	group  sync.WaitGroup
	geo    metainfo.Geometry
	tor    *Torrent

	// deliver is asked first; nil takes everything.
	deliver func(*Batch) bool

	mu         sync.Mutex
	items      []got
	batches    []int // how many items each brought
	sent       []int // blocks, for each call
	sentBytes  int64
	unsent     int
	parts      int
	unreadable []error
	closed     []error // for each call
	afterEnd   int     // deliveries after Closed
}

// newRig makes a torrent with room for so many blocks at once.
func newRig(t testing.TB, g metainfo.Geometry, blocks int) *rig {
	r := &rig{t: t, geo: g, budget: disk.NewBudget(int64(blocks) * block.Size), spares: new(Spares)}
	r.tor = &Torrent{
		Buffers: r.budget, Spare: r.spares, Group: &r.group, Source: numbers{g},
		Deliver: r.take,
		Sent: func(_ uint64, n int, bytes int64) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.sent = append(r.sent, n)
			r.sentBytes += bytes
		},
		Unsent: func(_ uint64, n int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.unsent += n
		},
		PartsSent: func(_ uint64, n int) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.parts += n
		},
		Unreadable: func(_ block.Ref, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.unreadable = append(r.unreadable, err)
		},
		Closed: func(_ uint64, err error) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.closed = append(r.closed, err)
		},
	}
	r.tor.SetBounds(wire.BoundsOf(g, g.Pieces))
	return r
}

func (r *rig) take(b *Batch) bool {
	if r.deliver != nil && !r.deliver(b) {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.closed) > 0 {
		r.afterEnd++
	}
	r.batches = append(r.batches, len(b.Items))
	for _, it := range b.Items {
		g := got{m: it.Message}
		g.m.Body = bytes.Clone(it.Message.Body)
		if it.Block != nil {
			g.data = string(it.Block.Data)
			r.budget.Put(it.Block)
		}
		r.items = append(r.items, g)
	}
	b.Recycle()
	return true
}

// start runs a connection.
func (r *rig) start(nc net.Conn) *Conn {
	c := New(7, nc, r.tor)
	c.Start()
	return c
}

// end waits until the connection is over, and gives the reason. Nothing may be
// left of it.
func (r *rig) end() error {
	r.t.Helper()
	r.group.Wait()
	if n := r.budget.InUse(); n != 0 {
		r.t.Errorf("%d blocks were not given back", n)
	}
	if b := r.spares.Bytes(); b < 0 || b > maxSpares*largeBuffer || b%largeBuffer != 0 {
		r.t.Errorf("%d bytes of large buffers at the end", b)
	}
	if r.spares.inUse != 0 {
		r.t.Errorf("%d bytes of large buffers are counted as in use", r.spares.inUse)
	}
	if len(r.closed) != 1 || r.afterEnd != 0 {
		r.t.Fatalf("the end was told %d times, and %d batches came after it", len(r.closed), r.afterEnd)
	}
	return r.closed[0]
}

// numbers is a source whose bytes tell where they are from.
type numbers struct{ g metainfo.Geometry }

func (s numbers) Read(refs []block.Ref, dst []byte) error {
	for _, r := range refs {
		fill(dst[:r.Length], s.g.Offset(r.Piece, r.Begin))
		dst = dst[r.Length:]
	}
	return nil
}

// fill puts in the bytes of the torrent at an offset.
func fill(b []byte, off int64) {
	for i := range b {
		at := off + int64(i)
		b[i] = byte(at ^ at>>8 ^ at>>16)
	}
}

// payload gives the bytes of a block.
func payload(g metainfo.Geometry, r block.Ref) []byte {
	b := make([]byte, r.Length)
	fill(b, g.Offset(r.Piece, r.Begin))
	return b
}

// piece appends a whole piece message.
func piece(b []byte, g metainfo.Geometry, r block.Ref) []byte {
	return append(wire.AppendPieceHeader(b, r), payload(g, r)...)
}

// script is a stream that gives its chunks, one or less for each read, and then
// ends, or hangs until it is closed. What is written to it is gone.
type script struct {
	chunks [][]byte
	hang   bool
	reads  atomic.Int64
	once   sync.Once
	done   chan struct{}
}

func newScript(hang bool, chunks ...[]byte) *script {
	return &script{chunks: slices.Clone(chunks), hang: hang, done: make(chan struct{})}
}

// split cuts a stream into chunks of n bytes.
func split(b []byte, n int) (chunks [][]byte) {
	for len(b) > 0 {
		k := min(n, len(b))
		chunks = append(chunks, b[:k:k])
		b = b[k:]
	}
	return chunks
}

func (s *script) Read(b []byte) (int, error) {
	s.reads.Add(1)
	select {
	case <-s.done:
		return 0, net.ErrClosed
	default:
	}
	for len(s.chunks) > 0 && len(s.chunks[0]) == 0 {
		s.chunks = s.chunks[1:]
	}
	if len(s.chunks) == 0 {
		if s.hang {
			<-s.done
			return 0, net.ErrClosed
		}
		return 0, io.EOF
	}
	n := copy(b, s.chunks[0])
	s.chunks[0] = s.chunks[0][n:]
	return n, nil
}

func (s *script) Write(b []byte) (int, error) { return len(b), nil }

func (s *script) Close() error {
	s.once.Do(func() { close(s.done) })
	return nil
}

func (s *script) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (s *script) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// tcp gives both ends of a real connection on this machine.
func tcp(t testing.TB) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	out, err := net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	in, err := l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		out.Close()
		in.Close()
	})
	return in, out
}

// beatsOf returns beats of a clock for one test.
func beatsOf(tb testing.TB, now func() mono.Time) *mailbox.Beats {
	b := mailbox.NewBeats(now, nil)
	tb.Cleanup(b.Close)
	return b
}
