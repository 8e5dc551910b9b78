package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"shoal/internal/decide/askqueue"
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/format/tracker"
	"shoal/internal/mailbox"
	"shoal/internal/net/trackerclient"
	"shoal/internal/value/mono"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// asks has announces made in the order that askqueue decides. What waits has no
// goroutine: ten thousand torrents may.
type asks struct {
	now func() mono.Time

	mu    sync.Mutex // held for a few lines
	queue askqueue.Queue
	next  askqueue.ID
	all   map[askqueue.ID]*asking

	refusals *mailbox.Tasks // told a few at a time: a tracker that goes away may refuse thousands
}

// tellers is how many refusals are told at the same time.
const tellers = 4

// asking is one announce that waits or is under way.
type asking struct {
	id      askqueue.ID
	group   *sync.WaitGroup
	do      func(refused error) (silent bool)
	forget  func() bool // of the context
	started bool
}

// ask has do called on a goroutine of its own when there is a place for it, or with the
// reason why there will be none; group waits for that. do reports whether the tracker
// gave no sign of life. What it gives may be withdrawn.
func (a *asks) ask(ctx context.Context, group *sync.WaitGroup, host string, class askqueue.Class, do func(refused error) (silent bool)) *asking {
	group.Add(1)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next++
	w := &asking{id: a.next, group: group, do: do}
	if a.all == nil {
		a.all = make(map[askqueue.ID]*asking)
	}
	a.all[w.id] = w
	w.forget = mailbox.AfterFunc(ctx, func() { a.drop(w, ctx.Err()) })
	a.queue.Add(a.now(), w.id, host, class)
	a.take()
	return w
}

// take does what the queue decided. a.mu is held.
func (a *asks) take() {
	for _, d := range a.queue.Take(a.now()) {
		w := a.all[d.ID]
		w.started = true
		if d.Start {
			go a.run(w)
			continue
		}
		delete(a.all, d.ID)
		a.refusals.Add(func(func()) {
			defer w.group.Done()
			w.forget()
			w.do(&refusedError{d.Why, d.Wait})
		})
	}
}

// run makes one announce.
func (a *asks) run(w *asking) {
	defer w.group.Done()
	silent := w.do(nil)
	w.forget()
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.all, w.id)
	a.queue.Done(a.now(), w.id, silent)
	a.take()
}

// withdraw ends one that waits; what is under way goes on. It does not wait for that.
func (a *asks) withdraw(w *asking) {
	a.refusals.Add(func(func()) { a.drop(w, errWithdrawn) })
}

// errWithdrawn is what becomes of an announce that waited when the torrent had to say that
// it stops.
var errWithdrawn = errors.New("not asked: the torrent has stopped meanwhile")

// drop ends one that waits and that nobody wants any more.
func (a *asks) drop(w *asking, reason error) {
	a.mu.Lock()
	if w.started {
		a.mu.Unlock()
		return
	}
	w.started = true
	a.queue.Remove(w.id)
	delete(a.all, w.id)
	a.take()
	a.mu.Unlock()
	defer w.group.Done()
	w.do(reason)
}

// A refusedError is an announce that was not made.
type refusedError struct {
	why  why.Why
	wait time.Duration // until it may be; 0 when that is not known
}

func (e *refusedError) Error() string { return "not asked: " + e.why.Words() }

// noteRefused leaves a record of an announce that was not made.
func (t *Torrent) noteRefused(err error) {
	var refused *refusedError
	if note := t.e.traceFunc(); note != nil && errors.As(err, &refused) {
		note(trace.Record{
			At: t.e.now(), Proto: trace.Tracker, What: "not asked", InfoHash: t.infoHash,
			Piece: trace.No, Block: trace.No, Why: refused.why,
		})
	}
}

// classOf gives how soon somebody feels the wait for an announce.
func classOf(r announce.Request) askqueue.Class {
	switch {
	case r.Event == tracker.Stopped, r.Event == tracker.Completed:
		return askqueue.Farewell
	case r.Need && r.Event == tracker.Started && r.Why != why.Retried:
		return askqueue.New
	case r.Need:
		return askqueue.Active
	}
	return askqueue.Idle
}

// silence reports whether an announce ended without a sign of life from the tracker.
func silence(err error) bool {
	var late net.Error
	return errors.Is(err, trackerclient.ErrSilent) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &late) && late.Timeout()
}

// retryIn gives how long to leave a tracker alone that did not do what was asked.
func retryIn(err error) time.Duration {
	var refused *refusedError
	if errors.As(err, &refused) {
		return refused.wait
	}
	return trackerclient.RetryIn(err)
}

// announceError names the tracker of an announce that was not made.
func announceError(url string, err error) error {
	var refused *refusedError
	if errors.As(err, &refused) {
		return fmt.Errorf("announce to %s: %w", trackerclient.HostOf(url), err)
	}
	return err
}
