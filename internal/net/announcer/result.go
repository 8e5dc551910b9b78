package announcer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"shoal/internal/decide/announcequeue"
	"shoal/internal/decide/swarm/announce"
	"shoal/internal/format/tracker"
	"shoal/internal/net/trackerclient"
	"shoal/internal/value/trace"
	"shoal/internal/value/why"
)

// classOf returns how soon somebody feels the wait for an announce.
func classOf(r announce.Request) announcequeue.Class {
	switch {
	case r.Event == tracker.Stopped, r.Event == tracker.Completed:
		return announcequeue.Farewell
	case r.Need && r.Event == tracker.Started && r.Why != why.Retried:
		return announcequeue.New
	case r.Need:
		return announcequeue.Active
	}
	return announcequeue.Idle
}

// answer returns what the queue learns from how an announce, or a scrape, ended.
func answer(scrape bool, resp tracker.Response, err error) announcequeue.Answer {
	how := announcequeue.Failed
	switch _, refused := errors.AsType[*tracker.FailureError](err); {
	case err == nil:
		how = announcequeue.Good
	case errors.Is(err, context.Canceled):
		how = announcequeue.GivenUp
	case silence(err):
		how = announcequeue.Silent
	case trackerclient.IsBusy(err):
		how = announcequeue.Busy
	case refused:
		how = announcequeue.Refused
	case scrape: // many trackers do not know scrapes
		how = announcequeue.Good
	}
	return announcequeue.Answer{How: how, Took: resp.Took}
}

// worth returns which announces of a class go first.
func (t *Torrent) worth(r announce.Request, p *tracker.Params) announcequeue.Worth {
	switch {
	case r.Scrape:
		return announcequeue.Curious
	case r.Event == tracker.Completed:
		return announcequeue.Completes
	case r.Event == tracker.Stopped && p.Uploaded+p.Downloaded > t.told:
		return announcequeue.Counted
	}
	return announcequeue.Plain
}

// silence reports whether an announce ended without a sign of life from the tracker.
func silence(err error) bool {
	var late net.Error
	return errors.Is(err, trackerclient.ErrSilent) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &late) && late.Timeout()
}

// tooLate reports whether an announce ended because the time for it was over.
func tooLate(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled)
}

// retryIn returns how long to leave a tracker alone that did not do what was asked.
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

// noteRefused leaves a record of an announce that was not made.
func (t *Torrent) noteRefused(err error) {
	var refused *refusedError
	if t.a.trace != nil && errors.As(err, &refused) {
		t.a.trace(trace.Record{
			At: t.a.now(), Proto: trace.Tracker, What: "not asked", InfoHash: t.info,
			Piece: trace.No, Block: trace.No, Why: refused.why,
		})
	}
}

// resultOf turns a tracker's reply into what the announce machine takes.
func resultOf(req announce.Request, resp tracker.Response, err error) announce.Result {
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
