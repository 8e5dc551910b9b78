// Package peerstore decides what a tracker answers: it knows which peers share which torrent,
// takes announces, returns peers and counts, and forgets peers that no longer announce (BEP
// 3, 21, 48).
//
// A Store is a pure machine, owned by one tracker and not safe for concurrent use. It
// identifies a peer by the source address of its announce and the port that it names, so no
// client can announce for another. Everything that strangers can make it store is bounded
// (decision 0082).
package peerstore

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"time"

	"shoal/internal/format/tracker"
	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
)

// Defaults and bounds.
const (
	DefaultInterval = 30 * time.Minute
	DefaultTorrents = 10_000
	DefaultPeers    = 100_000

	// MaxWanted is how many peers one answer holds at most, and DefaultWanted how many when
	// the announce does not say.
	MaxWanted     = 200
	DefaultWanted = 50

	// maxPorts bounds the peers of one torrent at one address: many clients may share a
	// router.
	maxPorts = 64
	// addressShare bounds the peers of one address to one in addressShare of all: a seed of
	// ten thousand torrents is that many.
	addressShare = 10
)

// Config configures a Store. 0 means the default.
type Config struct {
	Interval time.Duration // time between announces of a peer
	Torrents int           // limit of torrents known at a time
	Peers    int           // limit of peers, all torrents together

	// Only lists the torrents to serve; nil means all.
	Only []infohash.Hash
}

// Failure reasons for refused announces.
var (
	ErrNotServed = errors.New("this tracker does not serve this torrent")
	ErrFull      = errors.New("this tracker is full")
	ErrTooMany   = errors.New("too many peers at your address")
	ErrPort      = errors.New("a port from 1 to 65535 is needed")
)

// Answer is the answer to an announce.
type Answer struct {
	Interval time.Duration // time until the next announce
	Counts   tracker.Counts
	Peers    []netip.AddrPort // peers of the asker's address family, without itself
}

// Store is the peers of all torrents.
type Store struct {
	cfg      Config
	rng      *rand.Rand
	torrents map[infohash.Hash]*torrent
	peers    int
	byAddr   map[netip.Addr]int // peers at an address; for IPv6 at its /64

	oldest, newest *peer // in order of their latest announce: all live equally long
}

// New returns an empty store.
func New(cfg Config, rng *rand.Rand) *Store {
	if cfg.Interval <= 0 {
		cfg.Interval = DefaultInterval
	}
	if cfg.Torrents <= 0 {
		cfg.Torrents = DefaultTorrents
	}
	if cfg.Peers <= 0 {
		cfg.Peers = DefaultPeers
	}
	r := &Store{cfg: cfg, rng: rng, torrents: make(map[infohash.Hash]*torrent), byAddr: make(map[netip.Addr]int)}
	for _, h := range cfg.Only {
		r.torrents[h] = &torrent{hash: h, served: true}
	}
	return r
}

// torrent is the peers of one torrent.
type torrent struct {
	hash       infohash.Hash
	served     bool // it stays without peers
	downloaded int64
	paused     int // leechers that want nothing (BEP 21)
	byAddr     map[netip.AddrPort]*peer
	ports      map[netip.Addr]int // peers at an address, as in Store.byAddr
	families   [2]family          // IPv4, IPv6
}

// family is the peers of one torrent in one address family, in no order.
type family struct{ seeds, leechers []*peer }

// peer is one peer of one torrent.
type peer struct {
	addr         netip.AddrPort
	torrent      *torrent
	seen         mono.Time
	seed, paused bool
	at           int // index in its slice
	older, newer *peer
}

// list returns the slice that contains a peer.
func (p *peer) list() *[]*peer {
	f := &p.torrent.families[familyOf(p.addr.Addr())]
	if p.seed {
		return &f.seeds
	}
	return &f.leechers
}

func familyOf(a netip.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// network returns what counts as one address: the owner of an IPv6 address has 2^64 of them.
func network(a netip.Addr) netip.Addr {
	if a.Is4() {
		return a
	}
	p, _ := a.WithZone("").Prefix(64) // no error: an IPv6 address has more bits
	return p.Addr()
}

// Announce takes an announce of a peer, and answers it. The errors are failure reasons for
// the peer.
func (r *Store) Announce(now mono.Time, from netip.Addr, p tracker.Params) (Answer, error) {
	r.expire(now)
	from = from.Unmap().WithZone("")
	if p.Port == 0 {
		return Answer{}, ErrPort
	}
	addr := netip.AddrPortFrom(from, p.Port)
	t, err := r.torrent(p.InfoHash)
	if err != nil {
		return Answer{}, err
	}
	known := t.byAddr[addr]
	if p.Event == tracker.Stopped {
		if known != nil {
			r.remove(known)
		}
		r.forget(t)
		return Answer{Interval: r.cfg.Interval, Counts: t.counts()}, nil
	}
	if known == nil {
		if known, err = r.add(t, addr); err != nil {
			r.forget(t)
			return Answer{}, err
		}
	}
	seed := p.Left == 0
	if p.Event == tracker.Completed && seed && !known.seed {
		t.downloaded++
	}
	r.touch(now, known)
	known.become(seed, p.Event == tracker.Paused && !seed)
	return Answer{Interval: r.cfg.Interval, Counts: t.counts(), Peers: r.pick(known, p.NumWant)}, nil
}

// torrent returns the entry of a torrent, and creates it when necessary.
func (r *Store) torrent(h infohash.Hash) (*torrent, error) {
	t := r.torrents[h]
	switch {
	case t != nil:
		return t, nil
	case r.cfg.Only != nil:
		return nil, ErrNotServed
	case len(r.torrents) >= r.cfg.Torrents:
		return nil, ErrFull
	}
	t = &torrent{hash: h}
	r.torrents[h] = t
	return t, nil
}

// forget drops a torrent without peers.
func (r *Store) forget(t *torrent) {
	if len(t.byAddr) == 0 {
		t.byAddr, t.ports = nil, nil
		if !t.served {
			delete(r.torrents, t.hash)
		}
	}
}

// add adds a new peer as a leecher, if there is room for it.
func (r *Store) add(t *torrent, addr netip.AddrPort) (*peer, error) {
	net := network(addr.Addr())
	switch {
	case r.peers >= r.cfg.Peers:
		return nil, ErrFull
	case t.ports[net] >= maxPorts, r.byAddr[net] >= max(r.cfg.Peers/addressShare, maxPorts):
		return nil, ErrTooMany
	}
	if t.byAddr == nil {
		t.byAddr, t.ports = make(map[netip.AddrPort]*peer), make(map[netip.Addr]int)
	}
	p := &peer{addr: addr, torrent: t}
	t.byAddr[addr] = p
	t.ports[net]++
	r.byAddr[net]++
	r.peers++
	p.enter()
	return p, nil
}

// enter adds a peer to the slice from which peers are chosen.
func (p *peer) enter() {
	l := p.list()
	p.at = len(*l)
	*l = append(*l, p)
}

func (p *peer) leave() {
	l := p.list()
	last := len(*l) - 1
	(*l)[p.at] = (*l)[last]
	(*l)[p.at].at = p.at
	(*l)[last] = nil
	*l = (*l)[:last]
}

// become sets whether a peer is a seed, and whether it is paused.
func (p *peer) become(seed, paused bool) {
	if p.seed != seed {
		p.leave()
		p.seed = seed
		p.enter()
	}
	if p.paused != paused {
		p.paused = paused
		if paused {
			p.torrent.paused++
		} else {
			p.torrent.paused--
		}
	}
}

// touch makes a peer the latest to announce.
func (r *Store) touch(now mono.Time, p *peer) {
	r.unlink(p)
	p.seen = now
	p.older = r.newest
	if r.newest != nil {
		r.newest.newer = p
	}
	r.newest = p
	if r.oldest == nil {
		r.oldest = p
	}
}

func (r *Store) unlink(p *peer) {
	if p.older != nil {
		p.older.newer = p.newer
	} else if r.oldest == p {
		r.oldest = p.newer
	}
	if p.newer != nil {
		p.newer.older = p.older
	} else if r.newest == p {
		r.newest = p.older
	}
	p.older, p.newer = nil, nil
}

// remove removes a peer.
func (r *Store) remove(p *peer) {
	p.become(p.seed, false)
	p.leave()
	r.unlink(p)
	net := network(p.addr.Addr())
	delete(p.torrent.byAddr, p.addr)
	if p.torrent.ports[net]--; p.torrent.ports[net] == 0 {
		delete(p.torrent.ports, net)
	}
	if r.byAddr[net]--; r.byAddr[net] == 0 {
		delete(r.byAddr, net)
	}
	r.peers--
}

// expire forgets peers that have missed two announces.
func (r *Store) expire(now mono.Time) {
	for p := r.oldest; p != nil && now >= p.seen.Add(2*r.cfg.Interval); p = r.oldest {
		r.remove(p)
		r.forget(p.torrent)
	}
}

// pick returns random peers for one that asks: only leechers for a seed, any for others.
func (r *Store) pick(p *peer, want int) []netip.AddrPort {
	if want < 0 {
		want = DefaultWanted
	}
	want = min(want, MaxWanted)
	f := &p.torrent.families[familyOf(p.addr.Addr())]
	n := len(f.leechers)
	if !p.seed {
		n += len(f.seeds)
	}
	if n == 0 || want == 0 {
		return nil
	}
	// It returns a run from a random index: the order in the slices follows from arrivals and
	// departures, not from what the peers are.
	peers := make([]netip.AddrPort, 0, min(want, n))
	first := r.rng.IntN(n)
	for i := 0; i < n && len(peers) < want; i++ {
		j := (first + i) % n
		var o *peer
		if j < len(f.leechers) {
			o = f.leechers[j]
		} else {
			o = f.seeds[j-len(f.leechers)]
		}
		if o != p {
			peers = append(peers, o.addr)
		}
	}
	return peers
}

// counts returns the counts of a torrent. A peer that announces over both families counts
// twice.
func (t *torrent) counts() tracker.Counts {
	var c tracker.Counts
	for _, f := range t.families {
		c.Seeders += int64(len(f.seeds))
		c.Leechers += int64(len(f.leechers))
	}
	c.Downloaded = t.downloaded
	c.Downloaders = c.Leechers - int64(t.paused)
	return c
}

// Scrape returns the counts of a torrent; false when it is unknown.
func (r *Store) Scrape(now mono.Time, h infohash.Hash) (tracker.Counts, bool) {
	r.expire(now)
	t := r.torrents[h]
	if t == nil {
		return tracker.Counts{}, false
	}
	return t.counts(), true
}

// Stats is how much a Store holds.
type Stats struct{ Torrents, Peers int }

// Stats returns how much the Store holds now.
func (r *Store) Stats(now mono.Time) Stats {
	r.expire(now)
	return Stats{len(r.torrents), r.peers}
}
