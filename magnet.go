package shoal

import (
	"context"
	"fmt"
	"net/netip"

	"shoal/internal/engine"
	"shoal/internal/value/printable"
	"shoal/magnet"
	"shoal/metainfo"
)

// A Magnet is a torrent of which nothing is known but its info-hash and where its peers may
// be, until its metadata has come from them (BEP 9). Its methods are safe for concurrent
// use.
type Magnet struct {
	m    *engine.Magnet
	link *magnet.Link

	stateDir string // keeps the metadata; empty: it is not kept
	known    bool   // the metadata was kept before
}

// AddMagnet begins to look for the metadata of a torrent named by a magnet link, and then
// adds the torrent as Add does, with the peers that are there already. Trackers, web seeds
// and peers in the link are used besides those in opt, as the word of a stranger: they get no
// more trust than those that are found. A link may choose files (BEP 53); opt.Priority goes first.
//
// With Config.StateDir the metadata is kept there once Wait or Metainfo has returned it, and
// the next AddMagnet of the same torrent asks no peer for it.
//
// It returns at once. The error is that of magnet.Parse, ErrV2 or ErrDuplicate. What has
// no metadata yet is in no list of torrents, and is not remembered.
func (e *Engine) AddMagnet(link string, opt AddOptions) (*Magnet, error) {
	l, err := magnet.Parse(link)
	if err != nil {
		return nil, clean(err)
	}
	if l.V1.IsZero() {
		return nil, fmt.Errorf("add %s: %w", l.V2, ErrV2)
	}
	spec, err := opt.spec()
	if err != nil {
		return nil, err
	}
	late := &lateStorage{}
	if opt.Storage != nil {
		spec.Storage = late
	}
	var peers []netip.AddrPort
	var hosts []string
	for _, p := range l.Peers {
		if a, err := netip.ParseAddrPort(p); err == nil {
			peers = append(peers, a)
		} else {
			hosts = append(hosts, p)
		}
	}
	var known *metainfo.Torrent
	if e.stateDir != "" {
		known, _ = keptTorrent(e.stateDir, l.V1)
	}
	m, err := e.e.AddMagnet(engine.MagnetSpec{
		Meta:     known,
		InfoHash: l.V1, V2: l.V2, Trackers: l.Trackers, WebSeeds: l.WebSeeds, Peers: peers, Hosts: hosts,
		Spec: spec, Only: opt.MetadataOnly,
		Choose: func(meta *metainfo.Torrent) ([]uint8, *engine.Paths, error) { return opt.choose(l, meta, late) },
	})
	if err != nil {
		return nil, publicError(err)
	}
	return &Magnet{m: m, link: l, stateDir: e.stateDir, known: known != nil}, nil
}

// choose decides what depends on the metadata, and opens the caller's storage.
func (opt *AddOptions) choose(l *magnet.Link, meta *metainfo.Torrent, late *lateStorage) ([]uint8, *engine.Paths, error) {
	if opt.MetadataOnly {
		return nil, nil, nil
	}
	if opt.OnMetadata != nil {
		if err := opt.OnMetadata(meta, opt); err != nil {
			return nil, nil, err
		}
	}
	prio, paths, err := opt.known(meta)
	if prio == nil && len(l.Select) > 0 && err == nil {
		prio, err = selected(l, meta.Info.Files)
	}
	if opt.Storage != nil && err == nil {
		late.Storage, err = opt.openStorage(meta.Info)
	}
	return prio, paths, err
}

// selected returns the priorities that a link asks for: normal for the files that it means,
// by their index among all of the torrent.
func selected(l *magnet.Link, files []metainfo.File) ([]uint8, error) {
	prio := make([]uint8, len(files))
	some := false
	for i := range files {
		if !files[i].Pad && l.Selects(i) {
			prio[i], some = 2, true
		}
	}
	if !some {
		return nil, fmt.Errorf("%w: the link chooses files that the torrent does not have", ErrConfig)
	}
	return prio, nil
}

// InfoHash is the torrent's info-hash, 40 hex digits.
func (m *Magnet) InfoHash() string { return m.link.V1.String() }

// Name is what the link calls the torrent, safe for showing; the info-hash when it calls it
// nothing.
func (m *Magnet) Name() string {
	if m.link.Name != "" {
		return printable.Of(m.link.Name)
	}
	return m.InfoHash()
}

// Wait waits until the metadata is there, and returns the torrent. With MetadataOnly that is
// nil. The error is that of ctx, ErrStopped when it was stopped first, ErrNotTorrent when
// the metadata is of a torrent that cannot be honoured, or why it could not be added.
func (m *Magnet) Wait(ctx context.Context) (*Torrent, error) {
	meta, t, err := m.m.Wait(ctx)
	if err == nil {
		m.keep(meta)
	}
	if err != nil || t == nil {
		return nil, publicError(err)
	}
	return handle(t), nil
}

// Metainfo waits as Wait does, and returns the content of a .torrent file.
func (m *Magnet) Metainfo(ctx context.Context) ([]byte, error) {
	meta, _, err := m.m.Wait(ctx)
	if err != nil {
		return nil, publicError(err)
	}
	m.keep(meta)
	return meta.Encode()
}

// MetadataStats says how far the metadata has come. Only peers say how large it is, and
// nothing shows whether that is true before its hash is right.
type MetadataStats struct {
	Have, Size int64 // bytes that have come, and that there are, of the size that has come farthest; 0 while no peer says a size

	Sources int   // connected peers that say a size within the limit
	Limit   int64 // the largest that is fetched: Config.MaxMetadata

	// Peers that say a size beyond the limit, and the smallest such size. Where Sources is
	// 0 and TooLarge is not, a larger Config.MaxMetadata may help.
	TooLarge     int
	TooLargeSize int64
}

// MagnetStats is a snapshot of a Magnet.
type MagnetStats struct {
	Got, Size  int64 // bytes of the metadata, as far as peers are to be believed; as in Metadata
	Metadata   MetadataStats
	Peers      int // connected
	Contacts   Contacts
	KnownPeers int
	Trackers   []TrackerStats
	DHTNodes   int
	Waiting    []Cause // what it waits for, the nearest cause first
}

// Stats returns the latest snapshot. It never waits.
func (m *Magnet) Stats() MagnetStats {
	s := m.m.Stats()
	p := s.Metadata
	out := MagnetStats{
		Got: p.Got, Size: p.Size, Peers: s.Swarm.Peers, KnownPeers: s.Swarm.Known, DHTNodes: s.DHT,
		Contacts: contacts(s.Swarm.Contacts), Waiting: waiting(s),
		Metadata: MetadataStats{
			Have: p.Got, Size: p.Size, Sources: p.Sources, Limit: p.Limit, TooLarge: p.TooLarge, TooLargeSize: p.TooLargeSize,
		},
	}
	for _, tr := range s.Swarm.Trackers {
		out.Trackers = append(out.Trackers, trackerStats(s, tr))
	}
	return out
}

// Stop ends it, and the torrent that came of it, and waits until nothing is left running.
func (m *Magnet) Stop(ctx context.Context) { m.m.Stop(ctx) }

// Metainfo returns the torrent as the content of a .torrent file.
func (t *Torrent) Metainfo() ([]byte, error) { return t.meta.Encode() }

// MagnetLink returns a magnet link of the torrent: its info-hash, name, size, trackers and
// web seeds.
func (t *Torrent) MagnetLink() string { return LinkOf(t.meta).String() }

// LinkOf returns the magnet link of a torrent.
func LinkOf(m *metainfo.Torrent) *magnet.Link {
	l := &magnet.Link{V1: m.InfoHash, Name: m.Info.Title(), Length: m.Info.Length, WebSeeds: m.URLList}
	for _, tier := range m.Trackers() {
		l.Trackers = append(l.Trackers, tier...)
	}
	return l
}
