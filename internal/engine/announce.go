package engine

import (
	"context"
	"errors"

	"shoal/internal/decide/external"
	"shoal/internal/decide/swarm"
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/decide/swarm/peerbook"
	"shoal/internal/format/tracker"
	"shoal/internal/net/trackerclient"
	"shoal/internal/value/infohash"
	"shoal/internal/value/mono"
)

// saying is one announce on its way. A tracker that is told two things at the same time
// may take them in either order, and "stopped" before "completed" would leave us on its
// list: so what is said to a tracker waits for what was said to it before.
type saying struct {
	before *saying // nil when it is over
	ended  chan struct{}
	event  tracker.Event
	place  *asking // among the announces of the engine
	result announce.Result
}

// announce asks one tracker, in its turn among the announces of the engine. One that waits
// is given up when the torrent stops, but for "completed"; what is under way, and farewells,
// outlive it for a short while.
func (t *Torrent) announce(e swarm.Effect) {
	req := e.Request
	s := &saying{ended: make(chan struct{}), event: req.Event}
	if !req.Scrape { // which says nothing
		s.before = t.saying[req.URL]
		if t.saying == nil {
			t.saying = make(map[string]*saying)
		}
		t.saying[req.URL] = s
	}
	waits, cancel := context.Context(&t.life.ctx), func() {}
	switch req.Event {
	case tracker.Stopped:
		if s.before != nil && s.before.event != tracker.Completed {
			t.e.asks.withdraw(s.before.place)
		}
		waits, cancel = context.WithTimeout(&t.life.byes, farewell) // it is the end: no need to spare
	case tracker.Completed:
		waits = &t.life.asks
	}
	p := tracker.Params{
		InfoHash: t.infoHash, PeerID: t.peerID, Port: t.e.port(false), Port6: t.e.port(true),
		Uploaded: e.Uploaded, Downloaded: e.Downloaded, Left: e.Left,
		Event: req.Event, NumWant: req.NumWant, Key: t.key, TrackerID: req.TrackerID,
	}
	s.place = t.e.asks.ask(waits, &t.life.tasks, trackerclient.HostOf(req.URL), classOf(req), func(refused error) (silent bool) {
		defer cancel()
		ctx, done := waits, func() {}
		if req.Event != tracker.Stopped {
			ctx, done = t.life.asks.Child()
		}
		defer done()
		resp, err := tracker.Response{Seeders: -1, Leechers: -1}, refused
		if refused == nil {
			err = s.wait(ctx)
		}
		switch {
		case err != nil:
		case req.Scrape:
			resp.Seeders, resp.Leechers, err = t.counts(ctx, req.URL)
		default:
			resp, err = t.e.trackers.Announce(ctx, req.URL, p, t.heard)
		}
		close(s.ended)
		t.noteRefused(refused)
		s.result = announceResult(req, resp, err)
		t.post(event{kind: evAnnounced, with: s})
		return silence(err)
	})
}

// wait waits for what was said before.
func (s *saying) wait(ctx context.Context) error {
	if s.before == nil {
		return nil
	}
	select {
	case <-s.before.ended:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// announced takes the outcome of an announce.
func (t *Torrent) announced(now mono.Time, s *saying) {
	if t.saying[s.result.URL] == s {
		delete(t.saying, s.result.URL)
		if len(t.saying) == 0 {
			t.saying = nil
		}
	}
	s.before = nil
	t.swarm.Announced(now, s.result)
}

// counts asks a tracker how many peers there are.
func (t *Torrent) counts(ctx context.Context, url string) (seeders, leechers int64, err error) {
	h := t.infoHash
	all, err := t.e.trackers.Scrape(ctx, url, []infohash.Hash{h})
	if c, ok := all[h]; ok {
		return c.Seeders, c.Leechers, err
	}
	return -1, -1, err
}

// heard takes what a tracker said over one family.
func (t *Torrent) heard(resp tracker.Response) {
	t.e.seenAs(external.Tracker, resp.From, resp.ExternalIP)
	if f := trackerPeers(resp.Peers); len(f.addrs) > 0 {
		t.post(event{kind: evFound, with: f})
	}
}

// trackerPeers gives the addresses of a reply, each with the peer id that was
// promised, if one was.
func trackerPeers(peers []tracker.Peer) *found {
	f := &found{src: peerbook.Tracker}
	for _, p := range peers {
		var id []byte
		if p.HasID {
			id = p.ID[:]
		}
		f.addrs = append(f.addrs, p.Addr)
		f.ids = append(f.ids, id)
	}
	return f
}

// announceResult turns a tracker's reply into what the announce machine takes.
func announceResult(req announce.Request, resp tracker.Response, err error) announce.Result {
	r := announce.Result{
		URL: req.URL, Scrape: req.Scrape, Event: req.Event,
		Interval: resp.Interval, MinInterval: resp.MinInterval, TrackerID: resp.TrackerID, Warning: warning(resp),
		Peers: len(resp.Peers), Seeders: resp.Seeders, Leechers: resp.Leechers,
	}
	if err != nil {
		r.Err = announceError(req.URL, err).Error()
		r.RetryIn = retryIn(err)
		if no, ok := errors.AsType[*tracker.FailureError](err); ok {
			r.Refused, r.MinInterval = true, no.Soonest
		}
	}
	return r
}

// warning joins the tracker's words and ours about its reply.
func warning(r tracker.Response) string {
	switch {
	case r.Note == "":
		return r.Warning
	case r.Warning == "":
		return "damaged reply: " + r.Note
	}
	return r.Warning + " (damaged reply: " + r.Note + ")"
}
