package main

import (
	"context"
	"sync"
	"time"

	"shoal"
)

// A watcher tells how torrents get on while a command waits for them. It reads
// the torrents' snapshots at its own pace, so however fast things happen, only so
// much is said about them.
type watcher struct {
	out      *output
	engine   *shoal.Engine
	torrents []*shoal.Torrent
	watching

	cancel context.CancelFunc
	wg     sync.WaitGroup
	ending sync.Once
	folds  folds

	// What has been said. Owned by the ticking goroutine.
	pace     pace
	checking bool
	speed    speed             // of the check
	last     []sight           // by torrent
	one      shoal.Stats       // of the only torrent
	changed  uint64            // of the engine, at the last look
	webSeeds map[string]string // how each is, by torrent and URL
	uploaded int64
	drawn    time.Time
}

// watching says what a watcher tells besides.
type watching struct {
	finished func(t *shoal.Torrent) // of those that were fetched; nil: the caller tells that itself
	patience time.Duration          // with files that fail, before the command gives up; 0: it does not
}

// watch starts telling.
func watch(out *output, engine *shoal.Engine, torrents ...*shoal.Torrent) *watcher {
	return watchAll(out, engine, watching{}, torrents)
}

// watchAll is watch, with more to say.
func watchAll(out *output, engine *shoal.Engine, what watching, torrents []*shoal.Torrent) *watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{
		out: out, engine: engine, torrents: torrents, watching: what, cancel: cancel, pace: pace{out: out},
		checking: true, last: make([]sight, len(torrents)), webSeeds: make(map[string]string),
	}
	w.folds.now, w.folds.say = out.now, func(line string) { out.say("%s", line) }
	events := engine.Events(ctx, torrents...) // from here on, not from when the goroutine runs
	w.wg.Go(func() {
		for t, e := range events {
			w.event(t, e)
		}
	})
	w.wg.Go(func() {
		every := eventEvery
		if !out.json {
			every = redrawEvery
		}
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			w.tick()
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return w
}

// stop tells what has changed since the last look, and ends the telling; nothing
// comes from it afterwards. It may be called again.
func (w *watcher) stop() {
	w.ending.Do(func() {
		w.cancel()
		w.wg.Wait()
		for i := range w.torrents {
			w.look(i)
		}
		w.folds.flush(true)
		w.out.clear()
	})
}

// A sight is what is kept of a torrent from one look to the next: little, since there may
// be thousands.
type sight struct {
	at       int64 // of the snapshot; 0 before the first
	trackers []uint32
	fetches  bool // it was seen to lack something in this run
	tally
}

func (w *watcher) tick() {
	w.folds.flush(false)
	// Of thousands hardly any has changed, and most of the time none.
	changed := w.engine.StatsVersion()
	news, checking := changed != w.changed, false
	w.changed = changed
	for i := range w.torrents {
		if !news && !w.checking {
			break
		}
		w.look(i)
		checking = checking || w.last[i].state == shoal.StateChecking
	}
	now := w.out.now()
	// Times run down also where nothing changes, but not many times a second.
	if !news && !w.checking && len(w.torrents) > 1 && now.Sub(w.drawn) < time.Second {
		return
	}
	if checking != w.checking {
		w.checking, w.pace, w.speed = checking, pace{out: w.out}, speed{} // another job, counted from its start
	}
	if w.out.json {
		return
	}
	w.drawn = now
	v := w.view(now)
	if !w.out.live() {
		w.line(v)
		return
	}
	w.out.draw(func(width, height int, g glyphs, c colours) []string { return lines(v, width, height, g, c) })
}

// look takes a torrent's latest snapshot and tells what is new in it, if it is.
func (w *watcher) look(i int) {
	t, was := w.torrents[i], &w.last[i]
	if t.StatsTime().UnixNano() == was.at && was.state != shoal.StateChecking {
		return
	}
	s := t.Stats()
	at := s.At.UnixNano()
	if at == was.at && int32(s.Checked) == was.checked {
		return
	}
	was.at, was.tally = at, tallyOf(s)
	was.fetches = was.fetches || was.lacks()
	if len(w.torrents) == 1 {
		w.one = s
	}
	trackers(w.out, &w.folds, s.InfoHash, s.Trackers, &was.trackers, len(w.torrents) == 1)
	w.webSeedChanges(s)
	if w.out.json {
		e := progressOf(s)
		if at, ok := w.givesUp(s); ok {
			e.GivesUp = stamp(at)
		}
		w.out.event("progress", e)
	}
}

// givesUp is when the command gives up a torrent whose files fail.
func (w *watching) givesUp(s shoal.Stats) (time.Time, bool) {
	if w.patience == 0 || len(s.Waiting) == 0 || s.State != shoal.StateStalled && s.State != shoal.StateMissing {
		return time.Time{}, false
	}
	return s.Waiting[0].Since.Add(w.patience), true
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}
