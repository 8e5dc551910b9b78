package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/wire"
	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
	"shoal/metainfo"
)

// A Magnet is a torrent of which we know only the info-hash until peers send its metadata
// (BEP 9). Its torrent has peers, trackers and lookups like any other, but no files, and it
// is not on the list of torrents. With the metadata it becomes an ordinary torrent and keeps
// its peers.
type Magnet struct {
	t    *Torrent
	spec MagnetSpec

	ready chan struct{} // closed when we have the metadata and the torrent is on the list
	meta  *metainfo.Torrent

	remembered atomic.Bool // set once the torrent is on the list of an engine that remembers

	// Owned by the loop.
	listed bool
	unseek func() // ends the latest search in the DHT; nil before the first
}

// MagnetSpec says which torrent to find, and how to add it.
type MagnetSpec struct {
	InfoHash [20]byte
	V2       infohash.HashV2 // v2 hash of a hybrid torrent, which the metadata must match too; zero if not in the link
	Trackers []string
	WebSeeds []string
	Peers    []netip.AddrPort // peers that the link names; those of the user are in Spec

	Hosts []string // peers that the link names by host, "host:port"

	// Meta is the torrent when we have its metadata already; nil means that peers send it.
	// Its trackers and web seeds are used besides those of the link, and instead of them
	// when the torrent is private.
	Meta *metainfo.Torrent

	// Spec says how to add the torrent. Its Meta comes from the metadata, its Priorities and
	// Paths from Choose.
	Spec Spec
	// Choose returns what depends on the metadata; nil means the defaults. It must not wait:
	// the torrent's loop calls it.
	Choose func(*metainfo.Torrent) (priorities []uint8, paths *Paths, err error)
	// Only fetches the metadata and nothing else.
	Only bool
}

// ErrMetadata is returned when the metadata matches the info-hash but can't be used.
var ErrMetadata = errors.New("its metadata can't be used")

// AddMagnet starts to search for the metadata of a torrent.
func (e *Engine) AddMagnet(m MagnetSpec) (*Magnet, error) {
	spec := m.Spec
	spec.Meta = &metainfo.Torrent{
		Info: &metainfo.Info{Name: infohash.Hash(m.InfoHash).String()}, InfoHash: m.InfoHash,
		AnnounceList: tiersOf(m.Trackers), URLList: m.WebSeeds,
	}
	if m.Meta != nil {
		m.addKnown(spec.Meta)
	}
	if _, err := os.Stat(spec.Dir); err != nil && !m.Only {
		return nil, fmt.Errorf("open the folder for downloads: %w", err)
	}
	t := e.newTorrent(&spec)
	t.magnet = &Magnet{t: t, spec: m, ready: make(chan struct{})}
	if err := t.content.Locate(spec.Dir); err != nil {
		return nil, err
	}
	if !t.content.Enter() {
		return nil, ErrClosed
	}
	t.pub.init(t)
	now := e.now()
	cfg := t.swarmConfig()
	cfg.NoMetadata = true
	t.swarm = swarm.New(cfg, now, newRand())
	t.swarm.Found(now, peerbook.Manual, spec.Peers, nil)
	t.swarm.Found(now, peerbook.Link, m.Peers, nil)
	if err := e.enlistMagnet(t.magnet); err != nil {
		t.content.Leave()
		return nil, err
	}
	return t.magnet, nil
}

// addKnown adds the trackers and web seeds of m.Meta to those of the link.
func (m *MagnetSpec) addKnown(meta *metainfo.Torrent) {
	tiers := m.Meta.Trackers()
	if m.Meta.Info.Private && len(tiers) > 0 {
		meta.AnnounceList, meta.URLList = tiers, m.Meta.URLList
		return
	}
	for _, tier := range tiers {
		tier = slices.DeleteFunc(slices.Clone(tier), func(u string) bool { return slices.Contains(m.Trackers, u) })
		if len(tier) > 0 {
			meta.AnnounceList = append(meta.AnnounceList, tier)
		}
	}
	meta.URLList = slices.Clone(meta.URLList)
	for _, u := range m.Meta.URLList {
		if !slices.Contains(meta.URLList, u) {
			meta.URLList = append(meta.URLList, u)
		}
	}
}

// tiersOf puts every tracker in a tier of its own: a link does not say which of them share
// their peers.
func tiersOf(trackers []string) (tiers [][]string) {
	for _, u := range trackers {
		tiers = append(tiers, []string{u})
	}
	return tiers
}

// enlistMagnet adds a magnet to the list, where connections and Close find it, and starts it.
func (e *Engine) enlistMagnet(m *Magnet) error {
	e.list.mu.Lock()
	switch {
	case e.list.closed:
		e.list.mu.Unlock()
		return ErrClosed
	case !e.list.free(m.t):
		e.list.mu.Unlock()
		return fmt.Errorf("%w: %s", ErrDuplicate, m.t.infoHash)
	}
	e.list.addMagnet(m)
	e.queue.add(m.t)
	e.list.mu.Unlock()
	m.t.do(begin{})
	return nil
}

// reach returns the torrent, listed or a magnet's, with an info-hash; nil when there is none.
func (e *Engine) reach(infoHash [20]byte) *Torrent {
	e.list.mu.Lock()
	defer e.list.mu.Unlock()
	if t := e.list.byHash[infoHash]; t != nil {
		return t
	}
	for _, m := range e.list.magnets {
		if m.t.infoHash == infoHash {
			return m.t
		}
	}
	return nil
}

// InfoHash returns the info-hash.
func (m *Magnet) InfoHash() [20]byte { return m.t.infoHash }

// Stats returns the latest snapshot. It never waits.
func (m *Magnet) Stats() *Stats { return m.t.Stats() }

// Subscribe starts to listen to the torrent.
func (m *Magnet) Subscribe() *Subscription { return m.t.Subscribe() }

// Stop ends the magnet and the torrent that it became.
func (m *Magnet) Stop(ctx context.Context) { m.t.halt(ctx) }

// Wait waits for the metadata, and returns it and the torrent; the torrent is nil with
// MagnetSpec.Only. The error is that of ctx, ErrStopped, ErrMetadata, or why the torrent
// could not be added.
func (m *Magnet) Wait(ctx context.Context) (*metainfo.Torrent, *Torrent, error) {
	select {
	case <-m.ready:
		if m.spec.Only {
			return m.meta, nil, nil
		}
		return m.meta, m.t, nil
	case <-m.t.life.stopped.C():
		return nil, nil, m.t.Err()
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// metadataCame reports that we have the metadata.
type metadataCame struct{ always }

func (metadataCame) apply(t *Torrent, now mono.Time) {
	m := t.magnet
	if t.ending() || m.meta != nil {
		return // a peer sent metadata that we had already
	}
	raw := t.swarm.Metadata()
	if m.spec.Meta != nil {
		raw = m.spec.Meta.Info.Raw
	}
	if err := t.become(raw); err != nil {
		t.fail(fmt.Errorf("%s: %w", t.infoHash, err))
		return
	}
	if t.info.Private {
		t.private.Store(true)
		if m.unseek != nil {
			m.unseek() // the search would end with an announcement in the DHT
		}
		t.swarm.Private(now)
	}
	if m.spec.Only {
		close(m.ready)
		return
	}
	t.life.tasks.Go(func() {
		err := t.content.FirstLook(t.content.Dir())
		t.do(looked{err: err})
	})
}

// become parses the metadata and adopts its info, with the chosen paths and priorities.
func (t *Torrent) become(raw []byte) error {
	info, err := metainfo.ParseInfo(raw)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrMetadata, err)
	}
	if v2 := t.magnet.spec.V2; !v2.IsZero() && infohash.OfV2(raw) != v2 {
		return fmt.Errorf("%w: it does not match the v2 info-hash of the link", ErrMetadata)
	}
	old := t.spec.Meta
	meta := &metainfo.Torrent{
		Info: info, InfoHash: info.Hash, AnnounceList: old.AnnounceList, URLList: old.URLList, Warnings: info.Warnings,
	}
	if info.Private {
		// BEP 27: a link can't add sources to a private torrent.
		meta.URLList = nil
		t.spec.chosen.noWebSeeds()
	}
	var prio []uint8
	var paths *Paths
	if choose := t.magnet.spec.Choose; choose != nil {
		if prio, paths, err = choose(meta); err != nil {
			return err
		}
	}
	t.learned(meta)
	t.links.mu.Lock()
	defer t.links.mu.Unlock()
	if t.links.shared != nil {
		t.links.shared.SetBounds(wire.BoundsOf(t.geom, t.geom.Pieces))
	}
	t.magnet.meta = meta
	return t.content.Learn(info, paths, prio)
}

// begin starts the torrent of a magnet.
type begin struct{ always }

func (begin) apply(t *Torrent, now mono.Time) {
	m := t.magnet
	t.applyRunState(now)
	t.swarm.Start(now)
	if len(m.spec.Hosts) > 0 {
		t.life.tasks.Go(t.resolveHosts)
	}
	if m.spec.Meta != nil {
		metadataCame{}.apply(t, now)
	}
}

// looked reports the first look at the folder, and its error. Without one the torrent is added
// to the list, and its files are opened like any other's.
type looked struct {
	always
	err error
}

func (l looked) apply(t *Torrent, _ mono.Time) {
	m, err := t.magnet, l.err
	if err == nil {
		err = t.e.library.librarian.add(t, nil)
	}
	if err != nil {
		t.fail(err)
		return
	}
	m.listed = true
	close(m.ready)
}

// resolveTime bounds the look-up of one host of a link.
const resolveTime = 10 * time.Second

// resolveHosts looks up the peers that a link names by host, one after the other. It is a
// task.
func (t *Torrent) resolveHosts() {
	for _, h := range t.magnet.spec.Hosts {
		host, text, err := net.SplitHostPort(h)
		port, perr := strconv.ParseUint(text, 10, 16)
		if err != nil || perr != nil {
			continue
		}
		ctx, cancel := context.WithTimeout(&t.life.ctx, resolveTime)
		ips, err := t.e.cfg.Network.Resolve(ctx, host)
		cancel()
		if err != nil {
			t.e.log.Debug("cannot resolve a peer of a magnet link", "host", host, "err", err)
			continue
		}
		f := &found{src: peerbook.Link}
		for _, ip := range ips[:min(len(ips), maxOfHost)] {
			f.addrs = append(f.addrs, netip.AddrPortFrom(ip, uint16(port)))
		}
		if !t.do(f) {
			return
		}
	}
}

// maxOfHost is how many addresses of one host are used.
const maxOfHost = 4

// stillValid checks a message that was read before the metadata against it, and drops the
// peer when the message is out of range.
func (t *Torrent) stillValid(now mono.Time, key swarm.PeerKey, m wire.Message) bool {
	if t.swarm.NoMetadata() {
		return true
	}
	err := wire.BoundsOf(t.geom, t.geom.Pieces).Check(m)
	if err != nil {
		t.part(key, err)
		t.swarm.Left(now, key, err.Error())
	}
	return err == nil
}
