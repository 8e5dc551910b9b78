package engine

import (
	"cmp"
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
	"shoal/internal/files/catalogue"
	"shoal/internal/format/wire"
	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
	"shoal/magnet"
	"shoal/metainfo"
)

// A magnet is a torrent of which we know only the info-hash until peers send its metadata
// (BEP 9). It has peers, trackers and lookups like any other, but no files. With the metadata
// it becomes an ordinary torrent and keeps its peers (decisions 0088, 0191).

// MagnetSpec says which torrent to find, and how to add it.
type MagnetSpec struct {
	InfoHash [20]byte
	V2       infohash.HashV2 // v2 hash of a hybrid torrent, which the metadata must match too; zero if not in the link
	Name     string          // what the link calls it; may be empty
	Trackers []string
	WebSeeds []string
	Peers    []netip.AddrPort // peers that the link names; those of the user are in Spec

	Hosts []string // peers that the link names by host, "host:port"

	// Meta is the torrent when we have its metadata already; nil means that peers send it.
	// Its trackers and web seeds are used besides those of the link, and instead of them
	// when the torrent is private.
	Meta *metainfo.Torrent

	// Spec says how to add the torrent. Its Meta comes from the metadata, its Priorities and
	// Paths from Choose. Of Paths only the suffix and the folder of incomplete files count before.
	Spec Spec
	// Choose returns what depends on the metadata; nil means MagnetHooks.Choose. It must not wait:
	// the torrent's loop calls it.
	Choose func(*metainfo.Torrent) (priorities []uint8, paths *Paths, err error)
	// Pending is what the catalogue keeps until the metadata is there. An empty Link means one
	// made of the fields above. Ask says that Choose can't be remembered: after a restart
	// the torrent is paused when its metadata comes.
	Pending Pending
	// Only fetches the metadata, and then stops. Such a magnet is not remembered.
	Only bool
}

// MagnetHooks are functions of the caller for all magnets.
type MagnetHooks struct {
	// Choose returns what Pending says about the files of a magnet, now that they are known; paths
	// are those of its Spec. The torrent's loop calls it, so it must not wait. nil means that all
	// files are wanted.
	Choose func(p *Pending, paths *Paths, meta *metainfo.Torrent) (priorities []uint8, named *Paths, err error)
	// Learned, when set, is called with metadata that peers sent. It may wait.
	Learned func(*metainfo.Torrent)
}

// What the catalogue keeps of a magnet until its metadata is there.
type (
	Pending    = catalogue.Pending
	FileRule   = catalogue.FileRule
	PathRename = catalogue.PathRename
)

// ErrMetadata is returned when the metadata matches the info-hash but can't be used.
var ErrMetadata = errors.New("its metadata can't be used")

// ErrNoMetadata is returned for what needs metadata that peers have not sent yet.
var ErrNoMetadata = errors.New("no metadata yet")

func (t *Torrent) errNoMetadata(what string) error {
	return fmt.Errorf("%s of %s: %w", what, t.Info().Name, ErrNoMetadata)
}

// MagnetOf returns the MagnetSpec of a link.
func MagnetOf(l *magnet.Link) MagnetSpec {
	m := MagnetSpec{InfoHash: l.V1, V2: l.V2, Name: l.Name, Trackers: l.Trackers, WebSeeds: l.WebSeeds}
	for _, p := range l.Peers {
		if a, err := netip.ParseAddrPort(p); err == nil {
			m.Peers = append(m.Peers, a)
		} else {
			m.Hosts = append(m.Hosts, p)
		}
	}
	return m
}

// magnetOf returns the MagnetSpec of a remembered magnet, without its Spec.
func magnetOf(en *catalogue.Entry) (MagnetSpec, error) {
	l, err := magnet.Parse(en.Pending.Link)
	if err != nil {
		return MagnetSpec{}, err
	}
	m := MagnetOf(l)
	m.Pending, m.Meta = *en.Pending, en.Torrent
	return m, nil
}

// nameOf returns the name of a remembered torrent; of a magnet what its link calls it.
func nameOf(en *catalogue.Entry) string {
	if en.Torrent != nil {
		return en.Torrent.Info.Name
	}
	name := ""
	if l, err := magnet.Parse(en.Pending.Link); err == nil {
		name = l.Name
	}
	return cmp.Or(name, en.InfoHash.String())
}

// link returns the text of the link.
func (m *MagnetSpec) link() string {
	l := magnet.Link{V1: m.InfoHash, V2: m.V2, Name: m.Name, Trackers: m.Trackers, WebSeeds: m.WebSeeds, Peers: m.Hosts}
	for _, p := range m.Peers {
		l.Peers = append(l.Peers, p.String())
	}
	return cmp.Or(m.Pending.Link, l.String())
}

// meta returns what the link says of the torrent.
func (m *MagnetSpec) meta() *metainfo.Torrent {
	meta := &metainfo.Torrent{
		Info: &metainfo.Info{Name: cmp.Or(m.Name, infohash.Hash(m.InfoHash).String())}, InfoHash: m.InfoHash, URLList: m.WebSeeds,
	}
	for _, u := range m.Trackers { // a link does not say which of them share their peers
		meta.AnnounceList = append(meta.AnnounceList, []string{u})
	}
	if m.Meta != nil {
		full := joined(meta, m.Meta)
		meta.AnnounceList, meta.URLList = full.AnnounceList, full.URLList
	}
	return meta
}

// joined returns the torrent of a file with the trackers and web seeds of its link besides. A link
// can't add sources to a private torrent (BEP 27): it has its own web seeds alone, and its own
// trackers if it names any.
func joined(link, file *metainfo.Torrent) *metainfo.Torrent {
	t := *file
	tiers := file.Trackers()
	if file.Info.Private && len(tiers) > 0 {
		t.AnnounceList = tiers
		return &t
	}
	known := slices.Concat(link.AnnounceList...)
	t.AnnounceList = slices.Clone(link.AnnounceList)
	for _, tier := range tiers {
		tier = slices.DeleteFunc(slices.Clone(tier), func(u string) bool { return slices.Contains(known, u) })
		if len(tier) > 0 {
			t.AnnounceList = append(t.AnnounceList, tier)
		}
	}
	if file.Info.Private {
		return &t
	}
	t.URLList = slices.Clone(link.URLList)
	for _, u := range file.URLList {
		if !slices.Contains(t.URLList, u) {
			t.URLList = append(t.URLList, u)
		}
	}
	return &t
}

// magnetLink is how a torrent began that is found by a link.
//
//shoal:part
type magnetLink struct {
	spec    MagnetSpec // never changes
	pending bool       // the catalogue has spec.Pending; guarded by the mutex of librarian
	unseek  func()     // ends the latest search in the DHT; nil before the first; owned by the loop

	// rests makes a pause hold at once. Without it a torrent that was added paused gets its
	// metadata first, so that its user can see what it is.
	rests atomic.Bool
}

func newMagnetLink(m MagnetSpec) *magnetLink {
	m.Pending.Link = m.link()
	l := &magnetLink{spec: m, pending: true}
	l.rests.Store(m.Pending.Rest)
	return l
}

// waits reports whether the choices wait for the metadata. The mutex of librarian is held.
func (m *magnetLink) waits() bool { return m != nil && m.pending }

// only reports whether only the metadata is wanted.
func (m *magnetLink) only() bool { return m != nil && m.spec.Only }

// applied notes that the choices are those of an ordinary torrent now.
func (m *magnetLink) applied() { m.pending = false }

// pauses notes that the user has paused the torrent.
func (m *magnetLink) pauses() {
	if m != nil {
		m.rests.Store(true)
	}
}

func (m *magnetLink) seeks(cancel func()) { m.unseek = cancel }

// keep stores the choices that wait.
func (m *magnetLink) keep(t *Torrent, c *catalogue.Choices) {
	s, pending := &m.spec.Spec, m.spec.Pending
	pending.Rest = m.rests.Load()
	c.Dir, c.SeedOnly, c.Allocate, c.Overwrite = t.content.Abs(), s.SeedOnly, s.Allocate, s.Overwrite
	c.Suffix, c.IncompleteDir, c.Renamed, c.Priorities, c.Pending = "", "", nil, nil, &pending
	if s.Paths != nil {
		c.Suffix, c.IncompleteDir = s.Paths.Suffix, s.Paths.IncompleteDir
	}
}

// AddMagnet adds a torrent, and starts to search for its metadata.
func (e *Engine) AddMagnet(m MagnetSpec) (*Torrent, error) {
	if m.Meta == nil && e.library.librarian.hasMetainfo(m.InfoHash) {
		if en, err := e.library.librarian.cat.Get(m.InfoHash); err == nil {
			m.Meta = en.Torrent
		}
	}
	spec := m.Spec
	spec.Meta = m.meta()
	spec.patient = e.library.librarian != nil
	if _, err := os.Stat(spec.Dir); err != nil && !m.Only && !spec.restored {
		return nil, fmt.Errorf("open the folder for downloads: %w", err)
	}
	t := e.newTorrent(&spec, false)
	t.magnet = newMagnetLink(m)
	if err := t.checkWebSeeds(); err != nil {
		return nil, err
	}
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
	if err := e.library.librarian.add(t, nil); err != nil {
		t.content.Leave()
		return nil, err
	}
	t.do(begin{})
	return t, nil
}

// Link returns the magnet link by which the torrent began; "" when there was none.
func (t *Torrent) Link() string {
	if t.magnet == nil {
		return ""
	}
	return t.magnet.spec.Pending.Link
}

// begin starts the torrent of a magnet.
type begin struct{ always }

func (begin) apply(t *Torrent, now mono.Time) {
	m := &t.magnet.spec
	t.applyRunState(now)
	t.swarm.Start(now)
	if len(m.Hosts) > 0 {
		t.life.tasks.Go(t.resolveHosts)
	}
	if m.Meta != nil {
		t.takeMetadata(now, joined(t.Meta(), m.Meta), false)
	}
}

// metadataCame reports that peers have sent the metadata.
type metadataCame struct{ always }

func (metadataCame) apply(t *Torrent, now mono.Time) {
	if t.ending() || t.known.Load().full {
		return // we had it already
	}
	info, err := metainfo.ParseInfo(t.swarm.Metadata())
	if err != nil {
		t.fail(fmt.Errorf("%s: %w: %w", t.infoHash, ErrMetadata, err))
		return
	}
	meta := &metainfo.Torrent{Info: info, InfoHash: info.Hash, Warnings: info.Warnings}
	t.takeMetadata(now, joined(t.Meta(), meta), true)
}

// adopted hands the metadata of a torrent that is added to its magnet, if that waits for it, and
// returns ErrDuplicate then. A magnet that wants only the metadata ends with it: adopted waits for
// that, and the torrent is added.
func (e *Engine) adopted(s *Spec) error {
	t := e.lookup(s.Meta.InfoHash)
	switch {
	case t == nil:
		return nil
	case t.magnet.only():
		t.do(adopt{meta: s.Meta})
		<-t.life.stopped.C()
		return nil
	case t.known.Load().full || !t.do(adopt{meta: s.Meta}):
		return nil
	}
	if s.Storage != nil {
		s.Storage.Close()
	}
	return fmt.Errorf("%w: the magnet of %s waited for its metadata, and takes it from here", ErrDuplicate, t.infoHash)
}

// adopt takes the metadata from a torrent file.
type adopt struct {
	always
	meta *metainfo.Torrent
}

func (a adopt) apply(t *Torrent, now mono.Time) {
	if t.ending() || t.known.Load().full {
		return
	}
	if t.e.node != nil && !a.meta.Info.Private {
		for _, n := range a.meta.Nodes {
			t.e.node.AddBootstrap(n)
		}
	}
	t.takeMetadata(now, joined(t.Meta(), a.meta), false)
}

// takeMetadata makes the magnet an ordinary torrent, with the chosen paths and priorities.
// received says that peers sent the metadata.
func (t *Torrent) takeMetadata(now mono.Time, meta *metainfo.Torrent, received bool) {
	if err := t.adoptMetadata(now, meta); err != nil {
		t.fail(fmt.Errorf("%s: %w", t.infoHash, err))
		return
	}
	if meta.Info.Private {
		t.private.Store(true)
		if t.magnet.unseek != nil {
			t.magnet.unseek() // the search would end with an announcement in the DHT
		}
		t.swarm.Private(now)
	}
	t.life.tasks.Go(func() {
		if received && t.e.cfg.Magnets.Learned != nil {
			t.e.cfg.Magnets.Learned(meta)
		}
		t.do(looked{err: t.firstLook()})
	})
}

// firstLook looks at the folder and then stores the choices. It is a task, since both wait for
// the disk.
func (t *Torrent) firstLook() error {
	m := &t.magnet.spec
	if m.Only {
		return nil
	}
	if err := t.content.FirstLook(t.content.Dir()); err != nil {
		return err
	}
	if m.Pending.Ask && m.Choose == nil {
		t.run.paused.Store(true) // no one has chosen its files
	}
	return t.e.library.librarian.learned(t)
}

// adoptMetadata checks the metadata, and sets what we know.
func (t *Torrent) adoptMetadata(now mono.Time, meta *metainfo.Torrent) (err error) {
	m := &t.magnet.spec
	if !m.V2.IsZero() && infohash.OfV2(meta.Info.Raw) != m.V2 {
		return fmt.Errorf("%w: it does not match the v2 info-hash of the link", ErrMetadata)
	}
	if meta.Info.Private {
		t.spec.chosen.noWebSeeds() // BEP 27
	}
	var prio []uint8
	paths := m.Spec.Paths
	switch {
	case m.Only:
	case m.Choose != nil:
		prio, paths, err = m.Choose(meta)
	case t.e.cfg.Magnets.Choose != nil:
		prio, paths, err = t.e.cfg.Magnets.Choose(&m.Pending, m.Spec.Paths, meta)
	}
	if err == nil {
		err = t.content.Learn(meta.Info, paths, prio)
	}
	if err != nil {
		return err
	}
	had := t.Trackers()
	t.links.mu.Lock()
	t.learned(meta, true) // from here on other goroutines look at the files
	if t.links.shared != nil {
		t.links.shared.SetBounds(wire.BoundsOf(t.geom(), t.geom().Pieces))
	}
	t.links.mu.Unlock()
	t.changeTrackers(now, slices.Concat(had...))
	return nil
}

// changeTrackers tells the swarm which trackers there are now. had are those that it has.
func (t *Torrent) changeTrackers(now mono.Time, had []string) {
	tiers := t.Trackers()
	all := slices.Concat(tiers...)
	for _, u := range had {
		if !slices.Contains(all, u) {
			t.swarm.RemoveTracker(now, u)
		}
	}
	for i, tier := range tiers {
		for _, u := range tier {
			if !slices.Contains(had, u) {
				t.swarm.AddTracker(now, u, i)
			}
		}
	}
}

// looked reports the end of firstLook, and its error. Without one the files are opened like those
// of any other torrent.
type looked struct {
	always
	err error
}

func (l looked) apply(t *Torrent, now mono.Time) {
	if t.ending() {
		return
	}
	if l.err != nil {
		t.fail(l.err)
		return
	}
	t.metadata.Open()
	if t.magnet.only() {
		t.complete.Open()
		t.fail(ErrStopped)
	} else {
		t.content.Start()
	}
	t.pub.publishNow(now) // a listener may look at the snapshot when the event arrives
	t.tell(Event{Kind: EventMetadata})
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
	err := wire.BoundsOf(t.geom(), t.geom().Pieces).Check(m)
	if err != nil {
		t.part(key, err)
		t.swarm.Left(now, key, err.Error())
	}
	return err == nil
}
