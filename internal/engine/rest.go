package engine

import (
	"shoal/internal/decide/filestate"
	"shoal/internal/decide/quota"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// A torrent rests while the user has paused it, and while it waits for its turn in the queue.
// It stays in the engine, checked and remembered, but has no peers, accepts no connections,
// has announced stopped to its trackers, and has no goroutine. Stop, in contrast, removes the
// torrent from the engine.

// Engine returns the engine of the torrent.
func (t *Torrent) Engine() *Engine { return t.e }

// Pause makes the torrent rest until Resume. Partly received pieces are fetched again. A magnet
// without metadata stops looking for it.
func (t *Torrent) Pause() {
	t.magnet.pauses()
	t.setPaused(true)
}

// Resume ends a Pause. The torrent waits in the queue if the queue is full. If it has
// reached a share limit already, it seeds without limits until they are changed.
func (t *Torrent) Resume() {
	t.run.resumed.Store(true)
	t.setPaused(false)
}

func (t *Torrent) setPaused(on bool) {
	if t.run.paused.Swap(on) != on || !t.metadata.Passed() {
		t.do(wake{})
		t.remember()
	}
}

// Paused reports whether the user has paused the torrent.
func (t *Torrent) Paused() bool { return t.run.paused.Load() }

// Force makes the torrent bypass the queue: it runs even when the queue is full, and does
// not count there. Force does not end a Pause.
func (t *Torrent) Force(on bool) {
	if t.run.force.Swap(on) != on {
		t.e.queue.force(t)
		t.remember()
	}
}

// forced reports whether the torrent bypasses the queue: the user forced it, or it has an
// open Reader.
func (t *Torrent) forced() bool { return t.run.force.Load() || t.readers.Load() > 0 }

// Forced reports whether the user made the torrent bypass the queue.
func (t *Torrent) Forced() bool { return t.run.force.Load() }

// remember stores the user's choices for the torrent in the catalogue, which is written soon.
func (t *Torrent) remember() {
	if err := t.e.library.librarian.changed(t, false); err != nil {
		t.e.log.Warn("cannot save the settings of a torrent; the next start may use the old ones", "torrent", t.Info().Name, "err", err)
	}
}

// pausedNow reports whether a pause holds.
func (t *Torrent) pausedNow() bool {
	return t.run.paused.Load() && (t.metadata.Passed() || t.magnet.rests.Load())
}

// noMetadata reports whether only the torrent's info-hash is known.
func (t *Torrent) noMetadata() bool { return t.swarm != nil && t.swarm.NoMetadata() }

// facts returns the facts that decide whether the torrent runs.
func (t *Torrent) facts() quota.Facts {
	f := quota.Facts{
		HashOnly: t.noMetadata(), Paused: t.pausedNow(), Waits: t.run.waits.Load(), Turn: why.Why(t.run.turnWhy.Load()),
		Ready: t.swarm != nil && t.content.State() == filestate.Ready, SeedOnly: t.spec.SeedOnly,
	}
	f.Complete = f.Ready && t.swarm.Complete()
	return f
}

// applyRunState sends changes: to the queue what the torrent wants, to the swarm whether it rests and
// what it may do with the files.
func (t *Torrent) applyRunState(now mono.Time) {
	facts := t.facts()
	if w := facts.Want(); t.sent.wants(w) {
		t.e.queue.want(t, w)
	}
	mode := t.content.Mode()
	if t.noMetadata() {
		mode = filestate.Run // without metadata there are no files that could fail
	}
	was := why.None
	if t.sent.resting {
		was = t.sent.restWhy
	}
	rest, reason := facts.Rests(was)
	if t.swarm == nil || mode == t.sent.mode && rest == t.sent.resting {
		return
	}
	out := mode == filestate.Out
	switch {
	case out:
		reason = why.FilesOut
	case t.sent.mode == filestate.Out && !rest:
		reason = why.FilesBack
	}
	t.swarm.SuspendFor(now, out || rest, reason)
	t.swarm.Hold(now, mode != filestate.Run)
	t.links.accepting.Store(!out && !rest)
	changed := rest != t.sent.resting
	t.sent.run(mode, rest, reason)
	if !changed {
		return
	}
	t.pub.publishNow(now) // a listener may look at the snapshot when the event arrives
	t.content.Nudge()     // open Readers must look: the torrent may have stopped fetching
	switch {
	case !rest:
		t.tell(Event{Kind: EventResumed})
	case t.pausedNow():
		t.tell(Event{Kind: EventPaused})
	default:
		t.tell(Event{Kind: EventQueued})
	}
}
