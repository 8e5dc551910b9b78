package engine

import (
	"shoal/internal/decide/lineup"
	"shoal/internal/decide/upkeep"
	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// A torrent rests while the user has paused it, and while it waits for its turn in the line:
// it is there, checked and remembered, and has no peers, takes no connections, tells trackers
// that it is gone, and has no goroutine. Stop is the other thing: a stopped torrent is not
// in the engine any more.

// Engine gives the engine that the torrent is in.
func (t *Torrent) Engine() *Engine { return t.e }

// Pause has the torrent rest until Resume. What was begun of pieces is fetched again.
func (t *Torrent) Pause() { t.setPaused(true) }

// Resume ends a Pause. Where the torrents that may run do so already, it waits in line.
// One that has been shared enough already goes on without limits, until they are changed.
func (t *Torrent) Resume() {
	t.run.goesOn.Store(true)
	t.setPaused(false)
}

func (t *Torrent) setPaused(on bool) {
	if t.run.paused.Swap(on) != on {
		t.do(wake{})
		t.remember()
	}
}

// Paused reports whether the user has paused the torrent.
func (t *Torrent) Paused() bool { return t.run.paused.Load() }

// Force has the torrent run also where the others that may run do so already, without
// counting as one of them. It does not end a Pause.
func (t *Torrent) Force(on bool) {
	if t.run.force.Swap(on) != on {
		t.e.line.force(t)
		t.remember()
	}
}

// forced reports whether the torrent is not to wait in line: the user says so, or somebody
// reads it.
func (t *Torrent) forced() bool { return t.run.force.Load() || t.readers.Load() > 0 }

// Forced reports whether the torrent runs whatever the bounds.
func (t *Torrent) Forced() bool { return t.run.force.Load() }

// remember writes down, soon, what was chosen for the torrent.
func (t *Torrent) remember() {
	if err := t.e.library.memory.changed(t, false); err != nil {
		t.e.log.Warn("remember a choice", "torrent", t.info.Name, "err", err)
	}
}

// bare reports whether only the torrent's info-hash is known.
func (t *Torrent) bare() bool { return t.swarm != nil && t.swarm.Bare() }

// facts is what decides whether the torrent runs.
func (t *Torrent) facts() lineup.Facts {
	f := lineup.Facts{
		HashOnly: t.bare(), Paused: t.run.paused.Load(), Waits: t.run.waits.Load(), Turn: why.Why(t.run.turnWhy.Load()),
		Ready: t.swarm != nil && t.content.State() == upkeep.Ready, SeedOnly: t.spec.SeedOnly,
	}
	f.Complete = f.Ready && t.swarm.Complete()
	return f
}

// stand tells the line what the torrent wants, where that has changed, and the swarm whether
// it is to rest and what it may do with the files.
func (t *Torrent) stand(now mono.Time) {
	facts := t.facts()
	if w := facts.Want(); t.sent.wants(w) {
		t.e.line.want(t, w)
	}
	mode := t.content.Mode()
	if t.bare() {
		mode = upkeep.Run // whatever becomes of the files
	}
	was := why.None
	if t.sent.resting {
		was = t.sent.restWhy
	}
	rest, reason := facts.Rests(was)
	if t.swarm == nil || mode == t.sent.mode && rest == t.sent.resting {
		return
	}
	out := mode == upkeep.Out
	switch {
	case out:
		reason = why.FilesOut
	case t.sent.mode == upkeep.Out && !rest:
		reason = why.FilesBack
	}
	t.swarm.SuspendFor(now, out || rest, reason)
	t.swarm.Hold(now, mode != upkeep.Run)
	t.links.open.Store(!out && !rest)
	changed := rest != t.sent.resting
	t.sent.run(mode, rest, reason)
	if !changed {
		return
	}
	t.pub.publishNow(now) // whoever is told may look
	t.content.Nudge()     // and readers have to
	switch {
	case !rest:
		t.tell(Event{Kind: EventGoesOn})
	case t.run.paused.Load():
		t.tell(Event{Kind: EventPaused})
	default:
		t.tell(Event{Kind: EventQueued})
	}
}
