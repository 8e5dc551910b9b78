package engine

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/files/storage"
	"shoal/internal/format/wire"
	"shoal/internal/net/peerconn"
	"shoal/internal/simnet"
	"shoal/internal/value/bitfield"
	"shoal/internal/value/block"
	"shoal/internal/value/infohash"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// world is a network in memory with engines and hand-written peers on it. All of
// it lives in one bubble, whose time passes while everybody waits.
type world struct {
	t   *testing.T
	net *simnet.Net

	whole map[infohash.Hash]storage.FS // files of seeds; all seeds of a torrent read the same ones
}

// bubble runs a test in a world of its own. A goroutine that is left behind is a
// deadlock, which fails the test.
func bubble(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t:     t,
			net:   simnet.New(simnet.Options{Link: simnet.Link{Delay: 5 * time.Millisecond}}),
			whole: map[infohash.Hash]storage.FS{},
		}
		f(t, w)
	})
}

const port = 6881

func hostAddr(n byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, n}) }

// at gives the address at which host n has its engine.
func at(n byte) netip.AddrPort { return netip.AddrPortFrom(hostAddr(n), port) }

// engine starts an engine on host n. When the test ends it is closed, and must
// have given everything back.
func (w *world) engine(n byte, cfg Config) *Engine {
	w.t.Helper()
	cfg.Network = w.net.Host(hostAddr(n))
	cfg.Listen = at(n)
	e, err := New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := e.Close(w.t.Context()); err != nil {
			w.t.Errorf("close: %v", err)
		}
		e.clean(w.t)
	})
	return e
}

// clean fails the test unless a closed engine holds nothing any more.
func (e *Engine) clean(t testing.TB) {
	t.Helper()
	if n := e.disks.BuffersInUse(); n != 0 {
		t.Errorf("%d block buffers were not given back", n)
	}
	if n := e.spares.Bytes(); n < 0 || n > 2<<20 {
		t.Errorf("%d bytes of large buffers are kept", n)
	}
	if n := e.files.OpenFiles(); n != 0 {
		t.Errorf("%d files are open", n)
	}
	if n := len(e.Torrents()); n != 0 {
		t.Errorf("%d torrents are on the list", n)
	}
	if a, d := e.porch.count(), len(e.dialSlots); a != 0 || d != 0 {
		t.Errorf("%d handshakes and %d dials hold their place", a, d)
	}
}

// seed adds a complete torrent in memory. Its files are those of all seeds of this torrent:
// a seed only reads, and thirty copies of 16 MiB cost more than what thirty seeds do.
func (w *world) seed(e *Engine, c payload) *Torrent {
	w.t.Helper()
	files := w.whole[c.meta.InfoHash]
	if files == nil {
		files = c.memory(w.t)
		w.whole[c.meta.InfoHash] = files
	}
	s := add(w.t, e, Spec{Meta: c.meta, Storage: c.on(w.t, files)})
	wait(w.t, s)
	return s
}

// leech adds an empty torrent in memory that knows some peers.
func (w *world) leech(e *Engine, c payload, peers ...netip.AddrPort) (*Torrent, storage.FS) {
	w.t.Helper()
	fsys := storage.NewMemFS()
	return add(w.t, e, Spec{Meta: c.meta, Storage: c.on(w.t, fsys), Peers: peers}), fsys
}

// remote is a peer written by hand.
type remote struct {
	t  *testing.T
	nc net.Conn
	r  *bufio.Reader
	hs wire.Handshake // the engine's
}

// peerID makes a peer id that is easy to read.
func peerID(name string) (id [20]byte) {
	copy(id[:], "-XX0000-"+name)
	return id
}

// connect has host n open a connection to an engine and shake hands.
func (w *world) connect(n byte, to netip.AddrPort, c payload) *remote {
	w.t.Helper()
	nc, err := w.net.Host(hostAddr(n)).Dial(w.t.Context(), to)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.shake(nc, wire.Handshake{InfoHash: c.meta.InfoHash, PeerID: peerID(string('a' + rune(n)))})
}

// shake does the handshake of whoever dialled.
func (w *world) shake(nc net.Conn, ours wire.Handshake) *remote {
	w.t.Helper()
	hs, err := peerconn.Dial(nc, ours)
	if err != nil {
		w.t.Fatal(err)
	}
	return &remote{t: w.t, nc: nc, r: bufio.NewReader(nc), hs: hs}
}

func (p *remote) send(b []byte) {
	p.t.Helper()
	if _, err := p.nc.Write(b); err != nil {
		p.t.Fatalf("write: %v", err)
	}
}

// next gives the next message with what it carries; io.EOF when the engine has
// closed the connection, in whatever way.
func (p *remote) next() (m wire.Message, payload []byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return m, nil, io.EOF
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(p.r, body); err != nil {
		return m, nil, io.EOF
	}
	if m, err = wire.Parse(body); err != nil {
		return m, nil, err
	}
	if m.ID == wire.Piece {
		payload = body[9:]
	}
	return m, payload, nil
}

// until gives the next message of a kind, past all others.
func (p *remote) until(id wire.ID) (wire.Message, []byte) {
	p.t.Helper()
	for {
		m, payload, err := p.next()
		if err != nil {
			p.t.Fatalf("waiting for %v: %v", id, err)
		}
		if m.ID == id {
			return m, payload
		}
	}
}

// ended waits until the engine closes the connection.
func (p *remote) ended() {
	p.t.Helper()
	for {
		if _, _, err := p.next(); err == io.EOF {
			p.nc.Close()
			return
		} else if err != nil {
			p.t.Fatal(err)
		}
	}
}

// lie is a seed that answers every request with what change makes of the block.
// It serves whoever connects to it until the test ends.
func (w *world) lie(n byte, c payload, change func(ref block.Ref, data []byte)) netip.AddrPort {
	w.t.Helper()
	l, err := w.net.Host(hostAddr(n)).Listen(at(n))
	if err != nil {
		w.t.Fatal(err)
	}
	var wg sync.WaitGroup
	w.t.Cleanup(func() {
		l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer nc.Close()
				stop := context.AfterFunc(w.t.Context(), func() { nc.Close() })
				defer stop()
				serveLies(nc, c, peerID("liar"), change)
			})
		}
	})
	return at(n)
}

func serveLies(nc net.Conn, c payload, id [20]byte, change func(ref block.Ref, data []byte)) {
	_, err := peerconn.Accept(nc, func(h [20]byte) (wire.Handshake, bool) {
		return wire.Handshake{InfoHash: h, PeerID: id}, h == c.meta.InfoHash
	})
	if err != nil {
		return
	}
	all := bitfield.New(c.meta.Info.NumPieces())
	all.SetAll()
	nc.Write(wire.AppendSimple(wire.AppendBitfield(nil, all), wire.Unchoke))
	p := &remote{nc: nc, r: bufio.NewReader(nc)}
	for {
		m, _, err := p.next()
		if err != nil {
			return
		}
		if m.ID != wire.Request {
			continue
		}
		data := append([]byte(nil), c.piece(m.Piece)[m.Begin:m.Begin+m.Length]...)
		change(m.Ref(), data)
		if _, err := nc.Write(append(wire.AppendPieceHeader(nil, m.Ref()), data...)); err != nil {
			return
		}
	}
}

// notes collects a trace.
type notes struct {
	mu      sync.Mutex
	records []trace.Record
}

func (n *notes) add(r trace.Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.records = append(n.records, r)
}

// count gives the records that say what, about an address if one is given and
// for a reason if one is given.
func (n *notes) count(what string, addr netip.AddrPort, w why.Why) (k int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, r := range n.records {
		if r.What == what && (!addr.IsValid() || r.Peer == addr) && (w == why.None || r.Why == w) {
			k++
		}
	}
	return k
}

// watch collects the events of a torrent; the function gives those up to now.
func watch(t *testing.T, tor *Torrent) func() []Event {
	sub := tor.Subscribe()
	var mu sync.Mutex
	var all []Event
	var wg sync.WaitGroup
	wg.Go(func() {
		for e := range sub.C {
			mu.Lock()
			all = append(all, e)
			mu.Unlock()
		}
	})
	t.Cleanup(func() {
		tor.Stop(context.Background())
		wg.Wait()
	})
	return func() []Event {
		mu.Lock()
		defer mu.Unlock()
		return append([]Event(nil), all...)
	}
}

// kinds gives the events of some kinds, in order.
func kinds(events []Event, which ...EventKind) (found []Event) {
	for _, e := range events {
		for _, k := range which {
			if e.Kind == k {
				found = append(found, e)
			}
		}
	}
	return found
}
