package engine

import (
	"bufio"
	"context"
	"crypto/sha1"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/files/content"
	"shoal/internal/files/journals"
	"shoal/internal/files/storage"
	"shoal/internal/format/wire"
	"shoal/internal/net/peerconn"
	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
	"shoal/metainfo"
)

// magnet begins with an info-hash, in a folder of its own.
func (w *world) magnet(e *Engine, c payload, m MagnetSpec) (*Torrent, string) {
	w.t.Helper()
	dir := w.t.TempDir()
	m.InfoHash, m.Spec.Dir = c.meta.InfoHash, dir
	mag, err := e.AddMagnet(m)
	if err != nil {
		w.t.Fatal(err)
	}
	return mag, dir
}

// known waits for the torrent behind a magnet.
func known(t *testing.T, m *Torrent) *Torrent {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	if err := m.WaitMetadata(ctx); err != nil {
		t.Fatalf("%v; %+v", err, m.Stats())
	}
	return m
}

// onDisk fails the test unless a folder has the content.
func (c payload) onDisk(t *testing.T, dir string) {
	t.Helper()
	for path, want := range c.files {
		got, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil || string(got) != string(want) {
			t.Errorf("%s: %d of %d bytes are there, %v", path, len(got), len(want), err)
		}
	}
}

// From an info-hash and one address to all of its files, over one connection.
func TestMagnet(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		// Its metadata has several parts.
		c := makeContent(t, "magnet", 16<<10, 100_000, 40<<20)
		if len(c.meta.Info.Raw) < 3*wire.MetadataPiece {
			t.Fatal("the metadata is too small for this test")
		}
		log := &notes{}
		seed := w.engine(1, Config{})
		w.seed(seed, c)
		e := w.engine(2, Config{Trace: log.add})
		m, dir := w.magnet(e, c, MagnetSpec{Peers: []netip.AddrPort{at(1)}})
		if s := m.Stats(); s.State != Metadata {
			t.Errorf("state %v", s.State)
		}
		if got := e.Torrents(); len(got) != 1 || got[0] != m || m.HasMetadata() {
			t.Errorf("on the list before the metadata: %v; it has the metadata: %v", got, m.HasMetadata())
		}
		tor := known(t, m)
		if got := e.Torrents(); len(got) != 1 || got[0] != tor || !m.HasMetadata() {
			t.Errorf("on the list after the metadata: %v; it has the metadata: %v", got, m.HasMetadata())
		}
		if string(tor.Info().Raw) != string(c.meta.Info.Raw) {
			t.Error("another metadata")
		}
		waitFor(t, tor, 5*time.Minute)
		c.onDisk(t, dir)
		if n := log.count("dial", at(1), why.None); n != 1 {
			t.Errorf("%d connections were made", n)
		}
	})
}

// Who has found the metadata gives it to others, who find each other in the DHT.
func TestMagnetThroughTheDHT(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "magnet in the DHT", 16<<10, 400_000)
		w.seed(w.engine(1, Config{DHT: &DHTConfig{}}), c)
		way := &DHTConfig{Nodes: []string{at(1).String()}}
		x, dx := w.magnet(w.engine(2, Config{DHT: way}), c, MagnetSpec{})
		y, dy := w.magnet(w.engine(3, Config{DHT: way}), c, MagnetSpec{})
		waitFor(t, known(t, x), 10*time.Minute)
		waitFor(t, known(t, y), 10*time.Minute)
		c.onDisk(t, dx)
		c.onDisk(t, dy)
	})
}

// server is a hand-written peer that serves metadata, right or wrong, and nothing else.
func (w *world) server(n byte, hash [20]byte, size int64, part func(piece uint32) []byte) netip.AddrPort {
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
				serveMetadata(nc, hash, peerID(string('a'+rune(n))), size, part)
			})
		}
	})
	return at(n)
}

func serveMetadata(nc net.Conn, hash, id [20]byte, size int64, part func(piece uint32) []byte) {
	ours := wire.Handshake{InfoHash: hash, PeerID: id}
	ours.Reserved = ours.Reserved.WithExtensions()
	if _, err := peerconn.Accept(nc, func(h [20]byte) (wire.Handshake, bool) { return ours, h == hash }); err != nil {
		return
	}
	nc.Write(wire.AppendExtensions(nil, wire.Extensions{IDs: wire.OurIDs(wire.UTMetadata), MetaBytes: size}))
	p := &remote{nc: nc, r: bufio.NewReader(nc)}
	var theirs wire.Extensions
	for {
		m, _, err := p.next()
		if err != nil {
			return
		}
		if m.ID != wire.Extended {
			continue
		}
		if m.Ext == 0 {
			_ = theirs.Update(m.Body)
			continue
		}
		msg, err := wire.ParseMetadata(m.Body)
		if err != nil || msg.Type != wire.MetadataRequest {
			continue
		}
		data := part(msg.Piece)
		answer := wire.Metadata{Type: wire.MetadataData, Piece: msg.Piece, Total: size, Data: data}
		if data == nil {
			answer = wire.Metadata{Type: wire.MetadataReject, Piece: msg.Piece}
		}
		if _, err := nc.Write(wire.AppendMetadata(nil, theirs.IDs[wire.UTMetadata], answer)); err != nil {
			return
		}
	}
}

// Liars about the size and about the content, and one that says no to everything, hold
// up nobody; who is proven to lie is banned.
func TestMagnetAmongLiars(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "magnet among liars", 16<<10, 20<<20)
		raw := c.meta.Info.Raw
		h := c.meta.InfoHash
		full := func(uint32) []byte { return make([]byte, wire.MetadataPiece) }
		peers := []netip.AddrPort{
			w.server(11, h, int64(len(raw)), func(p uint32) []byte {
				return make([]byte, min(wire.MetadataPiece, len(raw)-int(p)*wire.MetadataPiece))
			}),
			w.server(12, h, 7, func(uint32) []byte { return []byte("nonsens") }),
			w.server(13, h, 30<<20, full),
			w.server(14, h, 1<<40, full),
			w.server(15, h, int64(len(raw)), func(uint32) []byte { return nil }),
		}
		log := &notes{}
		e := w.engine(2, Config{Trace: log.add})
		m, _ := w.magnet(e, c, MagnetSpec{Peers: peers, Only: true})
		time.Sleep(time.Minute)
		m.do(&found{src: 1, addrs: []netip.AddrPort{at(1)}})
		w.seed(w.engine(1, Config{}), c)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		if err := m.WaitMetadata(ctx); err != nil || string(m.Info().Raw) != string(raw) {
			t.Fatal(err)
		}
		for _, liar := range peers[:2] {
			if log.count("ban", liar, why.None) == 0 {
				t.Errorf("%v is not banned", liar)
			}
		}
		if log.count("ban", at(1), why.None)+log.count("ban", peers[4], why.None) != 0 {
			t.Error("an honest peer is banned")
		}
		m.Stop(t.Context())
	})
}

// A torrent turns out to be private: its peers from the DHT have to go, those from its
// tracker stay, and the DHT bit is not set any more.
func TestMagnetTurnsOutPrivate(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "private magnet", 16<<10, 100_000)
		raw := c.meta.Info.Raw
		raw = append(append([]byte(nil), raw[:len(raw)-1]...), "7:privatei1ee"...)
		info, err := metainfo.ParseInfo(raw)
		if err != nil || !info.Private {
			t.Fatal(err)
		}
		c.meta = &metainfo.Torrent{Info: info, InfoHash: info.Hash}
		log := &notes{}
		e := w.engine(2, Config{DHT: &DHTConfig{}, Trace: log.add})
		part := func(p uint32) []byte { return raw[int(p)*wire.MetadataPiece:] }
		tracked := w.server(11, info.Hash, int64(len(raw)), func(p uint32) []byte { return nil })
		foreign := w.server(12, info.Hash, int64(len(raw)), part)
		m, _ := w.magnet(e, c, MagnetSpec{})
		incoming := w.connect(3, at(2), c)
		if !incoming.hs.Reserved.DHT() {
			t.Error("the handshake promises no DHT node while nothing is known")
		}
		m.do(&found{src: 2, addrs: []netip.AddrPort{tracked}})
		m.do(&found{src: 4, addrs: []netip.AddrPort{foreign}})
		tor := known(t, m)
		incoming.ended()
		// The lookup that was begun when nothing was known does not go on: a node that is
		// found now does not hear of the torrent.
		w.engine(5, Config{DHT: &DHTConfig{}})
		e.Node().AddBootstrap(at(5).String())
		time.Sleep(20 * time.Minute)
		if log.count("find_node", at(5), why.None) == 0 || log.count("get_peers", at(5), why.None) > 0 {
			t.Error("a node of the DHT is not asked for nodes, or is for peers of a private torrent")
		}
		if log.count("close", foreign, why.Private) != 1 {
			t.Error("the peer from the DHT is not dropped")
		}
		if s := tor.Stats(); s.Swarm.Known != 1 {
			t.Errorf("%d addresses are known", s.Swarm.Known)
		}
		if p := w.connect(4, at(2), c); p.hs.Reserved.DHT() {
			t.Error("the handshake promises a DHT node")
		}
		searches := log.count("look for peers", netip.AddrPort{}, why.None)
		time.Sleep(time.Hour)
		if log.count("look for peers", netip.AddrPort{}, why.None) != searches {
			t.Error("peers are looked for in the DHT")
		}
	})
}

// What goes wrong is told: two of the same, a folder that is not there, metadata that is
// no torrent, a stop before there is any.
func TestMagnetThatFails(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "failing magnet", 16<<10, 1000)
		e := w.engine(2, Config{})
		m, dir := w.magnet(e, c, MagnetSpec{})
		if _, err := e.AddMagnet(MagnetSpec{InfoHash: c.meta.InfoHash, Spec: Spec{Dir: dir}}); !errors.Is(err, ErrDuplicate) {
			t.Errorf("a second magnet: %v", err)
		}
		if _, err := e.AddMagnet(MagnetSpec{InfoHash: [20]byte{1}, Spec: Spec{Dir: dir + "/none"}}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("no folder: %v", err)
		}
		go func() {
			time.Sleep(time.Second)
			m.Stop(context.Background())
		}()
		if err := m.WaitMetadata(t.Context()); !errors.Is(err, ErrStopped) {
			t.Errorf("stopped: %v", err)
		}
		if n := len(e.Torrents()); n != 0 {
			t.Errorf("%d torrents are on the list", n)
		}
		w.add(e, c, dir) // the place is free again

		raw := []byte("d6:lengthi-5ee")
		bad := payload{meta: &metainfo.Torrent{InfoHash: sha1.Sum(raw)}}
		at11 := w.server(11, sha1.Sum(raw), int64(len(raw)), func(uint32) []byte { return raw })
		m, _ = w.magnet(e, bad, MagnetSpec{Peers: []netip.AddrPort{at11}})
		if err := m.WaitMetadata(t.Context()); !errors.Is(err, ErrMetadata) {
			t.Errorf("no torrent: %v", err)
		}
		m, _ = w.magnet(e, payload{meta: &metainfo.Torrent{InfoHash: [20]byte{2}}}, MagnetSpec{V2: infohash.HashV2{1}})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := m.WaitMetadata(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("nobody has it: %v", err)
		}
	})
}

func (w *world) add(e *Engine, c payload, dir string) {
	w.t.Helper()
	if _, err := e.Add(Spec{Meta: c.meta, Dir: dir}); err != nil {
		w.t.Error(err)
	}
}

// Files that are not chosen are not fetched, from the first block on.
func TestMagnetChooses(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "chosen", 16<<10, 160<<10, 320<<10, 160<<10)
		w.seed(w.engine(1, Config{}), c)
		m, dir := w.magnet(w.engine(2, Config{}), c, MagnetSpec{
			Peers: []netip.AddrPort{at(1)},
			Choose: func(meta *metainfo.Torrent) ([]uint8, *Paths, error) {
				if len(meta.Info.Files) != 3 {
					t.Errorf("%d files", len(meta.Info.Files))
				}
				return []uint8{2, 0, 2}, nil, nil
			},
		})
		tor := known(t, m)
		waitFor(t, tor, 5*time.Minute)
		if s := tor.Stats(); s.Swarm.WantedSize != 320<<10 || s.Swarm.Downloaded > 400<<10 {
			t.Errorf("%d bytes wanted, %d came", s.Swarm.WantedSize, s.Swarm.Downloaded)
		}
		if _, err := os.Stat(filepath.Join(dir, "chosen/part/b")); err == nil {
			t.Error("a file that was not chosen is there")
		}
	})
}

// What began with an info-hash is remembered as any other torrent once it has its metadata:
// the next run has no need to ask for that again.
func TestMagnetIsRemembered(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		c := makeContent(t, "remembered magnet", 16<<10, 300_000)
		w.seed(r.seed, c)
		m, err := r.e.AddMagnet(MagnetSpec{
			InfoHash: c.meta.InfoHash, Peers: []netip.AddrPort{r.seed.Addr()}, Trackers: []string{"http://10.0.0.77:1/announce"},
			Spec: Spec{Dir: r.dir},
		})
		if err != nil {
			t.Fatal(err)
		}
		if x := r.one(infohash.Hash(c.meta.InfoHash).String()); x.HasMetadata || x.Torrent != m || x.Dir != r.dir {
			t.Errorf("before the metadata it is remembered as %+v", x)
		}
		waitFor(t, known(t, m), 5*time.Minute)
		r.again()
		x := r.one("remembered magnet")
		if x.Torrent == nil {
			t.Fatal("it does not run")
		}
		waitFor(t, x.Torrent, time.Minute)
		if tr := x.Torrent.Meta().Trackers(); len(tr) != 1 || tr[0][0] != "http://10.0.0.77:1/announce" {
			t.Errorf("its trackers are %v", tr)
		}
		c.onDisk(t, r.dir)
	})
}

// The addresses in a link come from whoever made it: they are no more trusted than those
// of strangers, and what the user names is.
func TestAddressesOfALink(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "named", 16<<10, 1000)
		log := &notes{}
		e := w.engine(2, Config{Trace: log.add})
		low := netip.AddrPortFrom(hostAddr(7), 22) // where no peer is, but somebody to be dialled
		w.net.Name("peer.example", hostAddr(10))
		hosts := []string{"nobody.example:1234", "peer.example:6881", "nonsense"}
		m, _ := w.magnet(e, c, MagnetSpec{Hosts: hosts, Peers: []netip.AddrPort{low, at(8)}, Spec: Spec{Peers: []netip.AddrPort{at(9)}}})
		time.Sleep(time.Hour)
		if n := log.count("dial", low, why.None); n != 0 {
			t.Errorf("port 22 is dialled %d times", n)
		}
		if n := log.count("dial", at(8), why.None); n != 3 {
			t.Errorf("an address that does not answer is dialled %d times", n)
		}
		if n := log.count("dial", at(10), why.None); n != 3 {
			t.Errorf("one that is named by its host is dialled %d times", n)
		}
		if n := log.count("dial", at(9), why.None); n < 30 {
			t.Errorf("the user's is dialled %d times", n)
		}
		m.Stop(t.Context())
	})
}

// A link to a torrent that is remembered as stopped starts that torrent, as its file does: the
// catalogue has the metadata, so no peer is asked, and the totals go on. A link of which only
// the metadata is wanted changes nothing of it.
func TestMagnetOfARememberedTorrent(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		r := w.rememberer()
		c := makeContent(t, "one", 16<<10, 100_000)
		w.seed(r.seed, c)
		tor := add(t, r.e, r.spec(c))
		wait(t, tor)
		tor.Stop(t.Context())
		before := r.one("one")

		only, err := r.e.AddMagnet(MagnetSpec{InfoHash: c.meta.InfoHash, Only: true, Spec: Spec{Dir: t.TempDir()}})
		if err != nil {
			t.Fatal(err)
		}
		only.SetLimits(Limits{Up: 1000})
		only.Pause()
		only.Stop(t.Context())
		r.expect("after a look at the metadata", "-one")
		if got := r.one("one"); got != before {
			t.Errorf("after a look at the metadata: %+v\nbefore it: %+v", got, before)
		}

		m, err := r.e.AddMagnet(MagnetSpec{InfoHash: c.meta.InfoHash, Spec: Spec{Dir: r.dir}})
		if err != nil {
			t.Fatal(err)
		}
		m.SetLimits(Limits{Up: 1000})
		waitFor(t, known(t, m), time.Minute)
		r.again()
		r.expect("in the next run", "one")
		got := r.one("one")
		if got.Downloaded != before.Downloaded || !got.Added.Equal(before.Added) || got.Torrent.Limits().Up != 1000 {
			t.Errorf("it comes back as %+v with %+v", got, got.Torrent.Limits())
		}
		if s := checkedNow(t, got.Torrent); s.Swarm.Downloaded != 0 || s.Hashed != 0 {
			t.Errorf("%d bytes are fetched again, %d pieces hashed", s.Swarm.Downloaded, s.Hashed)
		}
	})
}

// A peer says, while the geometry is not known, that it has a piece which can't be, and sends
// a block in the same breath: it is gone, and its block is back among the buffers.
func TestNonsenseBeforeTheGeometryCostsNoBuffer(t *testing.T) {
	c := makeContent(t, "one", 16<<10, 100_000)
	log := slog.New(slog.DiscardHandler)
	disks := content.NewShared(content.SharedConfig{Pool: storage.NewPool(0), Journals: journals.New(journals.Config{Log: log}), Log: log, Buffers: 1 << 20})
	defer disks.Close()
	tor := &Torrent{content: content.New(content.Config{Shared: disks, Info: c.meta.Info})}
	tor.learned(c.meta, true)
	if err := tor.content.Locate(t.TempDir()); err != nil || !tor.content.Enter() {
		t.Fatalf("it has no device: %v", err)
	}
	defer tor.content.Leave()
	tor.swarm = swarm.New(swarm.Config{Geometry: tor.geom()}, mono.Start, newRand())
	b := tor.content.Buffers().TryGet()
	tor.handleBatch(mono.Start, 1, []peerconn.Item{
		{Message: wire.Message{ID: wire.Have, Piece: 1 << 19}},
		{Message: wire.Message{ID: wire.Piece, Length: 16 << 10}, Block: b},
	}, true)
	if n := disks.BuffersInUse(); n != 0 {
		t.Errorf("%d buffers are out", n)
	}
}

// Metadata that was known and that a peer sends, too, is learnt once.
func TestKnownMetadataComesToo(t *testing.T) {
	bubble(t, func(t *testing.T, w *world) {
		c := makeContent(t, "twice", 16<<10, 100_000)
		e := w.engine(1, Config{})
		m, err := e.AddMagnet(MagnetSpec{InfoHash: c.meta.InfoHash, Spec: Spec{Dir: t.TempDir()}, Meta: c.meta})
		if err != nil {
			t.Fatal(err)
		}
		tor := known(t, m)
		synctest.Wait()
		tor.connections() // made now, it knows the geometry
		tor.do(metadataCame{})
		synctest.Wait()
		if tor.Stats().State == Failed {
			t.Error(tor.Err())
		}
	})
}
