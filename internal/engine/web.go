package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/net/webseed"
	"shoal/internal/value/ipscope"
	"shoal/internal/value/mono"
)

// This file performs what the swarm decides about web seeds, and shares the engine's connections
// to them. Package webseed fetches.

// maxWebSeeds bounds the web seeds of a torrent; the rest are not used.
const maxWebSeeds = 64

// ErrWebSeed is returned for a web seed that can't be used.
var ErrWebSeed = errors.New("web seed")

// web holds a torrent's connections to web seeds. The torrent's loop owns it.
type web struct {
	user    webplan.User
	sources []webseed.Source
	hosts   []string // hosts of sources, in lower case
	conns   [webplan.MaxConns]*webseed.Conn
}

// add adds a web seed to a running torrent.
func (w *web) add(s webseed.Source, host string) {
	w.sources, w.hosts = append(w.sources, s), append(w.hosts, host)
}

// checkWebSeeds checks the URLs of the web seeds that the user names.
func (t *Torrent) checkWebSeeds() error {
	for _, u := range t.spec.chosen.seeds() {
		if _, err := webseed.Check(u); err != nil {
			return fmt.Errorf("%w %s: %w", ErrWebSeed, u, err)
		}
	}
	if len(t.spec.chosen.seeds()) > 0 && t.Info().Private {
		// BEP 27: only the metainfo names the participants of a private torrent.
		return fmt.Errorf("%w: a private torrent uses only the web seeds in its metainfo", ErrWebSeed)
	}
	return nil
}

// webSources returns the web seeds of the torrent, those of the user first.
func (t *Torrent) webSources() []webseed.Source {
	var all []webseed.Source
	for _, u := range t.spec.chosen.seeds() {
		all = append(all, webseed.Source{URL: u, Trusted: true})
	}
	for _, u := range t.Meta().URLList {
		all = append(all, webseed.Source{URL: u})
	}
	for _, u := range t.Meta().HTTPSeeds {
		all = append(all, webseed.Source{URL: u, Pieces: true})
	}
	seen, hosts := make(map[string]bool), make(map[string]int)
	all = slices.DeleteFunc(all, func(s webseed.Source) bool {
		host, err := webseed.Check(s.URL)
		if err != nil || seen[s.URL] { // BEP 19: a client ignores protocols that it does not know
			return true
		}
		seen[s.URL] = true
		host = strings.ToLower(host)
		hosts[host]++
		return hosts[host] > webplan.MaxOfHost // a torrent must not turn its swarm against a host
	})
	return all[:min(len(all), maxWebSeeds)]
}

// webConfig returns the maker of the swarm's web seed configuration; nil when there are no web
// seeds.
func (t *Torrent) webConfig() func() webplan.Config {
	if t.e.cfg.NoWebSeeds || t.spec.SeedOnly ||
		len(t.spec.chosen.seeds())+len(t.Meta().URLList)+len(t.Meta().HTTPSeeds) == 0 {
		return nil
	}
	return func() webplan.Config {
		cfg := webplan.Config{Geometry: t.geom(), Single: !t.Info().MultiFile}
		t.web = &web{user: t.e.webPlaces.join(t), sources: t.webSources()}
		for _, s := range t.web.sources {
			host, _ := webseed.Check(s.URL)
			t.web.hosts = append(t.web.hosts, strings.ToLower(host))
			cfg.Seeds = append(cfg.Seeds, webplan.Seed{URL: s.URL, Host: host, Pieces: s.Pieces})
		}
		for _, f := range t.Info().Files {
			cfg.Files = append(cfg.Files, webplan.File{Offset: f.Offset, Length: f.Length, Pad: f.Pad})
		}
		return cfg
	}
}

// webTorrent returns what a connection to a web seed needs.
func (t *Torrent) webTorrent() *webseed.Torrent {
	conn := t.connections()
	wt := &webseed.Torrent{
		Info: t.Info(), InfoHash: t.infoHash, Buffers: conn.Buffers, Down: conn.Down, Group: &t.life.conns,
		Deliver: func(b *webseed.Batch) bool { return t.do(webBatch{b}) },
	}
	if t.e.cfg.LocalExempt {
		wt.Exempt = ipscope.Own
	}
	return wt
}

// webAct performs a decision about a web seed. It never blocks.
func (t *Torrent) webAct(a *webplan.Act) {
	switch a.Kind {
	case webplan.Ask:
		t.e.webPlaces.change(func(p *webplan.Slots) { p.Ask(t.webWant(a.Seed)) })
	case webplan.Unask:
		t.e.webPlaces.change(func(p *webplan.Slots) { p.Unask(t.webWant(a.Seed)) })
	case webplan.Fetch:
		c := t.web.conns[a.Conn]
		if c == nil {
			c = t.e.webPlaces.client.New(&t.life.ctx, t.webTorrent(), t.web.sources[a.Seed])
			t.web.conns[a.Conn] = c
		}
		c.Fetch(a)
	case webplan.Stop:
		if c := t.web.conns[a.Conn]; c != nil {
			c.Stop(a.ID)
		}
	case webplan.Close:
		if c := t.web.conns[a.Conn]; c != nil {
			c.Close()
			t.web.conns[a.Conn] = nil
		}
		t.e.webPlaces.change(func(p *webplan.Slots) { p.Release(t.webWant(a.Seed)) })
	case webplan.GiveUp:
		t.tell(Event{Kind: EventWebSeed, Text: fmt.Sprintf("stopped using the web seed at %s: %s", t.web.hosts[a.Seed], a.Text)})
	}
}

func (t *Torrent) webWant(seed int) webplan.Want {
	return webplan.Want{User: t.web.user, Seed: seed, Host: t.web.hosts[seed]}
}

// webBatch hands the blocks from a web seed to the swarm.
func (t *Torrent) webBatch(now mono.Time, b *webseed.Batch) {
	for _, it := range b.Items {
		t.swarm.WebBlock(now, b.Fetch, it.Ref, it.Block)
	}
	if b.End != nil {
		t.swarm.WebEnded(now, b.Fetch, *b.End)
	}
}

// webLeave frees every place of the torrent, whose loop is ending.
func (t *Torrent) webLeave() {
	if t.web != nil {
		t.e.webPlaces.leave(t.web.user)
	}
}

// webPlaces shares the engine's connections to web seeds among its torrents, as
// webplan.Slots decides.
type webPlaces struct {
	e      *Engine
	client *webseed.Client

	mu    sync.Mutex
	p     webplan.Slots
	users map[webplan.User]*Torrent
	last  webplan.User
	timer *time.Timer // nil while no torrent waits for a turn
	ended bool
}

// join registers a torrent.
func (d *webPlaces) join(t *Torrent) webplan.User {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.users == nil {
		d.users = make(map[webplan.User]*Torrent)
	}
	d.last++
	d.users[d.last] = t
	return d.last
}

func (d *webPlaces) leave(u webplan.User) {
	d.change(func(p *webplan.Slots) {
		p.Leave(u)
		delete(d.users, u)
	})
}

// change applies f to the places, and tells the torrents what follows. It never waits, since
// one of these torrents may be the caller.
func (d *webPlaces) change(f func(p *webplan.Slots)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.p)
	d.settle()
}

// settle tells the torrents which get a place and which must give one back. d.mu is held.
func (d *webPlaces) settle() {
	if d.ended {
		return
	}
	now := d.e.now()
	for w, ok := d.p.Grant(now); ok; w, ok = d.p.Grant(now) {
		d.tell(w, webPlaced{seed: w.Seed})
	}
	w, ok, again := d.p.Revoke(now)
	if ok {
		d.tell(w, webYield{seed: w.Seed})
	}
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if again != mono.Never {
		d.timer = time.AfterFunc(again.Sub(now), func() { d.change(func(*webplan.Slots) {}) })
	}
}

func (d *webPlaces) tell(w webplan.Want, a action) {
	if t := d.users[w.User]; t != nil {
		d.e.life.wg.Go(func() { t.do(a) })
	}
}

// close stops the timer. Every torrent has left.
func (d *webPlaces) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.timer != nil {
		d.timer.Stop()
	}
}

// refuseWeb returns the buffers of a batch that is not handled.
func (t *Torrent) refuseWeb(b *webseed.Batch) {
	for _, it := range b.Items {
		t.content.Put(it.Block)
	}
}

// count returns how many places are taken, and how many requests for one wait.
func (d *webPlaces) count() (held, waiting int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.p.Count()
}
