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

// maxWebSeeds bounds those of a torrent: others are not asked.
const maxWebSeeds = 64

// ErrWebSeed says that a web seed can't be used.
var ErrWebSeed = errors.New("web seed")

// web is what a torrent has of connections to web seeds. It is owned by its loop.
type web struct {
	user    webplan.User
	sources []webseed.Source
	hosts   []string // of those
	conns   [webplan.MaxConns]*webseed.Conn
}

// add adds a web seed that came later.
func (w *web) add(s webseed.Source, host string) {
	w.sources, w.hosts = append(w.sources, s), append(w.hosts, host)
}

// checkWebSeeds looks whether the web seeds that a user names can be asked.
func (t *Torrent) checkWebSeeds() error {
	for _, u := range t.spec.chosen.seeds() {
		if _, err := webseed.Check(u); err != nil {
			return fmt.Errorf("%w %s: %w", ErrWebSeed, u, err)
		}
	}
	if len(t.spec.chosen.seeds()) > 0 && t.info.Private {
		// BEP 27: what takes part in a private torrent is named by it.
		return fmt.Errorf("%w: a private torrent uses only those that it names itself", ErrWebSeed)
	}
	return nil
}

// webSources gives the web seeds of the torrent: first those of the user.
func (t *Torrent) webSources() []webseed.Source {
	var all []webseed.Source
	for _, u := range t.spec.chosen.seeds() {
		all = append(all, webseed.Source{URL: u, Trusted: true})
	}
	for _, u := range t.spec.Meta.URLList {
		all = append(all, webseed.Source{URL: u})
	}
	for _, u := range t.spec.Meta.HTTPSeeds {
		all = append(all, webseed.Source{URL: u, Pieces: true})
	}
	seen, hosts := make(map[string]bool), make(map[string]int)
	all = slices.DeleteFunc(all, func(s webseed.Source) bool {
		host, err := webseed.Check(s.URL)
		if err != nil || seen[s.URL] { // BEP 19: protocols that one does not know are ignored
			return true
		}
		seen[s.URL] = true
		host = strings.ToLower(host)
		hosts[host]++
		return hosts[host] > webplan.MaxOfHost // a torrent is not to turn its swarm on a host
	})
	return all[:min(len(all), maxWebSeeds)]
}

// webConfig gives what the swarm asks web seeds by; nil when there are none.
func (t *Torrent) webConfig() func() webplan.Config {
	if t.e.cfg.NoWebSeeds || t.spec.SeedOnly ||
		len(t.spec.chosen.seeds())+len(t.spec.Meta.URLList)+len(t.spec.Meta.HTTPSeeds) == 0 {
		return nil
	}
	return func() webplan.Config {
		cfg := webplan.Config{Geometry: t.geom, Single: !t.info.MultiFile}
		t.web = &web{user: t.e.webPlaces.join(t), sources: t.webSources()}
		for _, s := range t.web.sources {
			host, _ := webseed.Check(s.URL)
			t.web.hosts = append(t.web.hosts, strings.ToLower(host))
			cfg.Seeds = append(cfg.Seeds, webplan.Seed{URL: s.URL, Host: host, Pieces: s.Pieces})
		}
		for _, f := range t.info.Files {
			cfg.Files = append(cfg.Files, webplan.File{Offset: f.Offset, Length: f.Length, Pad: f.Pad})
		}
		return cfg
	}
}

// webTorrent gives what a connection to a web seed needs.
func (t *Torrent) webTorrent() *webseed.Torrent {
	conn := t.connections()
	wt := &webseed.Torrent{
		Info: t.info, InfoHash: t.infoHash, Buffers: conn.Buffers, Down: conn.Down, Group: &t.life.conns,
		Deliver: func(b *webseed.Batch) bool { return t.do(webBatch{b}) },
	}
	if t.e.cfg.LocalExempt {
		wt.Exempt = ipscope.Own
	}
	return wt
}

// webAct performs what was decided about a web seed. Nothing here waits.
func (t *Torrent) webAct(a *webplan.Act) {
	switch a.Kind {
	case webplan.Ask:
		t.e.webPlaces.change(func(p *webplan.Places) { p.Ask(t.webWant(a.Seed)) })
	case webplan.Unask:
		t.e.webPlaces.change(func(p *webplan.Places) { p.Unask(t.webWant(a.Seed)) })
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
		t.e.webPlaces.change(func(p *webplan.Places) { p.Release(t.webWant(a.Seed)) })
	case webplan.GiveUp:
		t.tell(Event{Kind: EventWebSeed, Text: fmt.Sprintf("the web seed at %s is not asked any more: %s", t.web.hosts[a.Seed], a.Text)})
	}
}

func (t *Torrent) webWant(seed int) webplan.Want {
	return webplan.Want{User: t.web.user, Seed: seed, Host: t.web.hosts[seed]}
}

// webBatch gives what a web seed brought to the swarm.
func (t *Torrent) webBatch(now mono.Time, b *webseed.Batch) {
	for _, it := range b.Items {
		t.swarm.WebBlock(now, b.Fetch, it.Ref, it.Block)
	}
	if b.End != nil {
		t.swarm.WebEnded(now, b.Fetch, *b.End)
	}
}

// webLeave gives back every place. The loop of the torrent is at its end.
func (t *Torrent) webLeave() {
	if t.web != nil {
		t.e.webPlaces.leave(t.web.user)
	}
}

// webPlaces has the connections to web seeds of the whole engine: webplan.Places decides who
// gets one.
type webPlaces struct {
	e      *Engine
	client *webseed.Client

	mu    sync.Mutex
	p     webplan.Places
	users map[webplan.User]*Torrent
	last  webplan.User
	timer *time.Timer // while somebody waits for a turn
	ended bool
}

// join makes a torrent known.
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
	d.change(func(p *webplan.Places) {
		p.Leave(u)
		delete(d.users, u)
	})
}

// change does something to the places, and tells what came of it. It never waits: whoever
// is told may be the caller.
func (d *webPlaces) change(f func(p *webplan.Places)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f(&d.p)
	d.settle()
}

// settle tells who gets a place, and who is to give one back. The mutex is held.
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
		d.timer = time.AfterFunc(again.Sub(now), func() { d.change(func(*webplan.Places) {}) })
	}
}

func (d *webPlaces) tell(w webplan.Want, a action) {
	if t := d.users[w.User]; t != nil {
		d.e.life.wg.Go(func() { t.do(a) })
	}
}

// close ends the timer. Every torrent has left.
func (d *webPlaces) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ended = true
	if d.timer != nil {
		d.timer.Stop()
	}
}

// refuseWeb gives back what a batch holds that nobody takes.
func (t *Torrent) refuseWeb(b *webseed.Batch) {
	for _, it := range b.Items {
		t.content.Put(it.Block)
	}
}

// count gives how many places are taken, and how many are waited for.
func (d *webPlaces) count() (held, waiting int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.p.Count()
}
