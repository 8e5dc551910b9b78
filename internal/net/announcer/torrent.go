package announcer

import (
	"context"
	"sync"

	"shoal/internal/decide/announcequeue"
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/format/tracker"
	"shoal/internal/mailbox"
	"shoal/internal/net/trackerclient"
	"shoal/internal/value/infohash"
)

// Host is the torrent whose announces are made.
type Host interface {
	// Announced brings a result to the loop, which hands it to Torrent.Done. It may wait.
	Announced(*Outcome)
	// Heard brings what a tracker said over one family. It may wait.
	Heard(tracker.Response)
}

// Torrent is the announces of one torrent. Its loop owns it, but for Cut.
type Torrent struct {
	a    *Announcer
	host Host
	info infohash.Hash
	life *mailbox.Life // ends when the torrent stops
	byes *mailbox.Life // ends when farewells are cut short

	cut   mailbox.Life        // ends when announces under way have to
	told  int64               // bytes that we have reported to some tracker
	said  map[string]*Outcome // the last announce to each tracker, while it is not over; nil for none
	group sync.WaitGroup      // announces that wait or are under way
}

// Init makes the announces of a torrent ready. life ends when the torrent stops, byes when its
// farewells are cut short.
func (t *Torrent) Init(a *Announcer, host Host, h infohash.Hash, life, byes *mailbox.Life) {
	t.a, t.host, t.info, t.life, t.byes = a, host, h, life, byes
}

// Cut ends what is under way. Any goroutine may call it.
func (t *Torrent) Cut() { t.cut.End() }

// Wait waits until no announce waits or is under way.
func (t *Torrent) Wait() { t.group.Wait() }

// Outcome is how an announce ended.
type Outcome struct {
	id     announcequeue.ID
	event  tracker.Event
	bytes  int64 // that the announce reported
	result announce.Result
}

// Announce announces one tracker, in its turn among the announces of the engine, and after what the
// torrent has said to this tracker before. One that waits is given up when the torrent stops,
// but for "completed"; what is under way, and farewells, outlive it for a short while.
func (t *Torrent) Announce(req announce.Request, p tracker.Params) {
	at := announcequeue.Announce{Host: trackerclient.HostOf(req.URL), Class: classOf(req), Worth: t.worth(req, &p)}
	o := &Outcome{event: req.Event, bytes: p.Uploaded + p.Downloaded}
	if !req.Scrape { // which says nothing
		if before := t.said[req.URL]; before != nil {
			at.After = before.id
			at.Replaces = req.Event == tracker.Stopped && before.event != tracker.Completed
		}
		if t.said == nil {
			t.said = make(map[string]*Outcome)
		}
		t.said[req.URL] = o
	}
	waits, cancel := context.Context(t.life), func() {}
	switch req.Event {
	case tracker.Stopped: // it is the end: no need to spare
		waits, cancel = context.WithTimeout(t.byes, Farewell)
	case tracker.Completed:
		waits = &t.cut
	}
	over := func(resp tracker.Response, err error) {
		if classOf(req) == announcequeue.Farewell && tooLate(err) {
			t.a.untold.Add(1)
		}
		o.result = resultOf(req, resp, err)
		t.host.Announced(o)
	}
	w := &call{
		group: &t.group,
		refuse: func(reason error) {
			cancel()
			t.noteRefused(reason)
			over(tracker.Response{Seeders: -1, Leechers: -1}, reason)
		},
		make: func(more bool) (tell func(), a announcequeue.Answer) {
			defer cancel()
			ctx, done := waits, func() {}
			if req.Event != tracker.Stopped {
				ctx, done = t.cut.Child()
			}
			defer done()
			resp, err := t.ask(ctx, req, p, more)
			a = answer(req.Scrape, resp, err)
			if err != nil && ctx.Err() != nil {
				// The tracker had less time than it may take. Were it held to be away, the queue
				// would refuse the farewells of others, and nothing would count them.
				a.How = announcequeue.GivenUp
			}
			return func() { over(resp, err) }, a
		},
	}
	t.a.add(waits, at, w)
	o.id = w.id
}

// ask talks to the tracker. more says that others wait for the same one.
func (t *Torrent) ask(ctx context.Context, req announce.Request, p tracker.Params, more bool) (tracker.Response, error) {
	if !req.Scrape {
		return t.a.client.AnnounceAmong(ctx, req.URL, p, t.host.Heard, more)
	}
	resp := tracker.Response{Seeders: -1, Leechers: -1}
	all, err := t.a.client.Scrape(ctx, req.URL, []infohash.Hash{t.info})
	if c, ok := all[t.info]; ok {
		resp.Seeders, resp.Leechers = c.Seeders, c.Leechers
	}
	return resp, err
}

// Done takes the outcome of an announce, and returns what the announce machine takes.
func (t *Torrent) Done(o *Outcome) announce.Result {
	if o.result.Err == "" && !o.result.Scrape {
		t.told = max(t.told, o.bytes)
	}
	if t.said[o.result.URL] == o {
		delete(t.said, o.result.URL)
		if len(t.said) == 0 {
			t.said = nil
		}
	}
	return o.result
}
