package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/files/catalogue"
	"shoal/internal/format/tracker"
	"shoal/internal/net/webseed"
	"shoal/internal/value/mono"
)

// Tracker is a tracker that the user adds to the torrent's own, in a tier counted from 0.
type Tracker = catalogue.Tracker

// chosen holds the web seeds and trackers that the user adds or removes. Any goroutine can use
// it.
//
//shoal:part
type chosen struct {
	mu         sync.Mutex
	webSeeds   []string
	trackers   []Tracker
	noTrackers []string // trackers of the torrent that the user removed

	early []netip.AddrPort // owned by the loop: peers that the user named before there was a swarm
}

// maxEarly is how many peers wait for the swarm. The swarm's own bound is of this order.
const maxEarly = 1000

// namePeers keeps peers that the user names before there is a swarm.
func (c *chosen) namePeers(addrs []netip.AddrPort) {
	c.early = append(c.early, addrs[:min(len(addrs), maxEarly-len(c.early))]...)
}

// takePeers returns the peers of namePeers, once.
func (c *chosen) takePeers() []netip.AddrPort {
	early := c.early
	c.early = nil
	return early
}

func chosenOf(s *Spec) *chosen {
	return &chosen{webSeeds: s.WebSeeds, trackers: s.Trackers, noTrackers: s.NoTrackers}
}

// noWebSeeds drops the web seeds: the metadata says that the torrent is private (BEP 27).
func (c *chosen) noWebSeeds() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.webSeeds = nil
}

// keep stores the choices in an entry of the catalogue.
func (c *chosen) keep(to *catalogue.Choices) {
	c.mu.Lock()
	defer c.mu.Unlock()
	to.WebSeeds, to.Trackers, to.NoTrackers = slices.Clone(c.webSeeds), slices.Clone(c.trackers), slices.Clone(c.noTrackers)
}

// seeds returns the URLs of the web seeds that the user added.
func (c *chosen) seeds() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.webSeeds)
}

func (c *chosen) addSeed(url string) (added bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.webSeeds, url) {
		return false
	}
	c.webSeeds = append(slices.Clip(c.webSeeds), url)
	return true
}

func (c *chosen) addTracker(url string, tier int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := len(c.noTrackers)
	c.noTrackers = slices.DeleteFunc(slices.Clone(c.noTrackers), func(u string) bool { return u == url })
	if len(c.noTrackers) == was {
		c.trackers = append(slices.Clip(c.trackers), Tracker{URL: url, Tier: tier})
	}
}

func (c *chosen) removeTracker(url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	was := len(c.trackers)
	c.trackers = slices.DeleteFunc(slices.Clone(c.trackers), func(t Tracker) bool { return t.URL == url })
	if len(c.trackers) == was {
		c.noTrackers = append(slices.Clip(c.noTrackers), url)
	}
}

// tiers returns the trackers that a torrent with these tiers uses.
func (c *chosen) tiers(all [][]string) (tiers [][]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, tier := range all {
		tiers = append(tiers, slices.DeleteFunc(slices.Clone(tier), func(url string) bool {
			return slices.Contains(c.noTrackers, tracker.CleanURL(url))
		}))
	}
	for _, t := range c.trackers {
		if t.Tier >= 0 && t.Tier < len(tiers) {
			tiers[t.Tier] = append(tiers[t.Tier], t.URL)
		} else {
			tiers = append(tiers, []string{t.URL})
		}
	}
	return tiers
}

// ErrTracker is returned for a tracker that can't be used.
var ErrTracker = fmt.Errorf("tracker")

// Trackers returns the tiers of announce URLs that the torrent uses.
func (t *Torrent) Trackers() [][]string { return t.spec.chosen.tiers(t.Meta().Trackers()) }

// AddTracker adds a tracker to a tier, counted from 0. A tier beyond the last becomes a new last
// one. A tracker that the torrent has already stays in its tier.
func (t *Torrent) AddTracker(url string, tier int) error {
	url = tracker.CleanURL(url)
	if err := tracker.CheckURL(url); err != nil {
		return fmt.Errorf("%w: %w", ErrTracker, err)
	}
	full := false
	err := t.call(func(now mono.Time) {
		all := slices.Concat(t.Trackers()...)
		if full = len(all) >= announce.MaxTrackers; full || slices.Contains(all, url) {
			return
		}
		t.spec.chosen.addTracker(url, tier)
		if t.swarm != nil {
			t.swarm.AddTracker(now, url, tier)
		}
	})
	if err == nil && full {
		err = fmt.Errorf("%w %s: the torrent has the maximum of %d already", ErrTracker, url, announce.MaxTrackers)
	}
	if err == nil {
		err = t.e.library.librarian.changed(t, false)
	}
	return err
}

// RemoveTracker removes a tracker, and reports whether the torrent had it.
func (t *Torrent) RemoveTracker(url string) bool {
	url = tracker.CleanURL(url)
	found := false
	err := t.call(func(now mono.Time) {
		found = slices.ContainsFunc(slices.Concat(t.Trackers()...), func(u string) bool { return tracker.CleanURL(u) == url })
		if !found {
			return
		}
		t.spec.chosen.removeTracker(url)
		if t.swarm != nil {
			t.swarm.RemoveTracker(now, url)
		}
	})
	if err == nil && found {
		_ = t.e.library.librarian.changed(t, false) // the next change writes it again
	}
	return found
}

// AddWebSeed adds a web seed that the user names, unless the torrent has it already.
func (t *Torrent) AddWebSeed(url string) error {
	host, err := webseed.Check(url)
	if err != nil {
		return fmt.Errorf("%w %s: %w", ErrWebSeed, url, err)
	}
	if t.private.Load() {
		return fmt.Errorf("%w %s: a private torrent uses only the web seeds in its metainfo", ErrWebSeed, url) // BEP 27
	}
	full := false
	err = t.call(func(now mono.Time) {
		known := t.webSources()
		if full = len(known) >= maxWebSeeds; full {
			return
		}
		source := webseed.Source{URL: url, Trusted: true}
		if !t.spec.chosen.addSeed(url) || slices.ContainsFunc(known, func(s webseed.Source) bool { return s.URL == url }) || t.swarm == nil {
			return
		}
		t.askWebSeed(now, source, host)
	})
	if err == nil && full {
		err = fmt.Errorf("%w %s: the torrent has the maximum of %d already", ErrWebSeed, url, maxWebSeeds)
	}
	if err == nil {
		err = t.e.library.librarian.changed(t, false)
	}
	return err
}

// askWebSeed starts requests to a web seed that was added while the torrent runs.
func (t *Torrent) askWebSeed(now mono.Time, s webseed.Source, host string) {
	if t.swarm.NoMetadata() {
		return // they begin with the metadata
	}
	if !t.swarm.HasWeb() {
		if cfg := t.webConfig(); cfg != nil {
			t.swarm.SetWeb(cfg)
		}
		return
	}
	t.web.add(s, strings.ToLower(host))
	t.swarm.AddWebSeed(now, webplan.Seed{URL: s.URL, Host: host})
}

// AnnounceNow announces to all trackers and in the DHT as far as their intervals allow that now.
// ok is false while the torrent does not run.
func (t *Torrent) AnnounceNow() (a swarm.AnnouncedNow, stats *Stats, ok bool, err error) {
	err = t.call(func(now mono.Time) {
		if t.swarm != nil {
			a, ok = t.swarm.AnnounceNow(now)
		}
	})
	return a, t.Stats(), ok, err
}
