// Package announcer makes the announces of an engine, in the order that announcequeue decides. An
// Announcer is the one queue of an engine; each torrent has a Torrent, whose loop asks for
// announces and takes their results.
//
// An announce that waits has no goroutine: ten thousand torrents may wait. One that is under
// way has one, which the torrent waits for, and which makes the next announce when it is over. The Announcer has one mutex, held for a few lines.
package announcer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"shoal/internal/decide/announcequeue"
	"shoal/internal/mailbox"
	"shoal/internal/net/trackerclient"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// tellers is how many refusals reach their torrents at the same time: a tracker that goes away may refuse
// thousands of announces.
const tellers = 4

// Farewell bounds what a torrent that stops waits for trackers.
const Farewell = 5 * time.Second

// Config is what an Announcer is made with.
type Config struct {
	Client *trackerclient.Client
	Now    func() mono.Time
	Trace  trace.Func // nil: no trace
}

// Announcer makes the announces of all torrents of an engine.
type Announcer struct {
	client *trackerclient.Client
	now    func() mono.Time
	trace  trace.Func

	mu    sync.Mutex
	queue announcequeue.Queue
	last  announcequeue.ID // that was given out
	calls map[announcequeue.ID]*call

	untold atomic.Int64 // farewells for which the time was too short

	refusals *mailbox.Tasks
}

// New returns an announcer.
func New(cfg Config) *Announcer {
	return &Announcer{
		client: cfg.Client, now: cfg.Now, trace: cfg.Trace,
		calls: make(map[announcequeue.ID]*call), refusals: mailbox.NewTasks(tellers, nil),
	}
}

// Close waits until the last refusal has reached its torrent. No torrent is left.
func (a *Announcer) Close() { a.refusals.Wait() }

// Calls returns how many announces wait or are under way.
func (a *Announcer) Calls() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.calls)
}

// Untold returns how many announces that a torrent stopped or is complete were not made in
// time.
func (a *Announcer) Untold() int { return int(a.untold.Load()) }

// call is one announce that waits or is under way.
type call struct {
	id      announcequeue.ID
	group   *sync.WaitGroup // of its torrent
	make    func(more bool) (tell func(), a announcequeue.Answer)
	refuse  func(reason error)
	forget  func() bool // takes back that the end of its context ends it
	started bool        // guarded by Announcer.mu
}

// add brings an announce. Its make is called on a goroutine of its own when its turn has come,
// or its refuse with the reason why that never comes; group waits for either. When ctx ends
// before, it is refused.
func (a *Announcer) add(ctx context.Context, p announcequeue.Announce, w *call) {
	w.group.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	w.id = a.last
	a.calls[w.id] = w
	w.forget = mailbox.AfterFunc(ctx, func() { a.drop(w, ctx.Err()) })
	a.queue.Put(a.now(), w.id, p)
	a.take(nil)
}

// take does what the queue decided. a.mu is held. The first announce to make goes to next, if that is
// not nil, and each other one gets a goroutine.
func (a *Announcer) take(next *turn) {
	for _, d := range a.queue.Take(a.now()) {
		w := a.calls[d.ID]
		w.started = true
		switch {
		case d.Start && next != nil && next.call == nil:
			*next = turn{w, d.More}
			continue
		case d.Start:
			go a.run(turn{w, d.More})
			continue
		}
		delete(a.calls, d.ID)
		reason := errReplaced
		if !d.Replaced {
			reason = &refusedError{d.Why, d.Wait}
		}
		a.refusals.Add(func(func()) {
			defer w.group.Done()
			w.forget()
			w.refuse(reason)
		})
	}
}

// turn is an announce that is to be made now.
type turn struct {
	call *call
	more bool // others wait for the same tracker
}

// run makes an announce, and the ones whose turn comes when it is over: a goroutine for each would
// grow its stack every time.
func (a *Announcer) run(t turn) {
	for t.call != nil {
		t = a.runOne(t)
	}
}

// runOne makes one announce, and returns the next one; none if call is nil. The torrent has the result
// by then, which can take a moment: its loop waits for nobody.
func (a *Announcer) runOne(t turn) (next turn) {
	w := t.call
	defer w.group.Done()
	tell, answer := w.make(t.more)
	w.forget()
	a.mu.Lock()
	delete(a.calls, w.id)
	a.queue.Done(a.now(), w.id, answer)
	a.take(&next)
	a.mu.Unlock()
	tell()
	return next
}

// drop refuses an announce that waits and that nobody wants any more.
func (a *Announcer) drop(w *call, reason error) {
	a.mu.Lock()
	if w.started {
		a.mu.Unlock()
		return
	}
	w.started = true
	a.queue.Remove(a.now(), w.id)
	delete(a.calls, w.id)
	a.take(nil)
	a.mu.Unlock()
	defer w.group.Done()
	w.refuse(reason)
}

// errReplaced is what becomes of an announce that waited when the torrent had to say that it
// stops.
var errReplaced = errors.New("not asked: the torrent has stopped meanwhile")

// A refusedError is an announce that was not made.
type refusedError struct {
	why  why.Why
	wait time.Duration // until it may be; 0 when that is not known
}

func (e *refusedError) Error() string { return "not asked: " + e.why.Words() }
