package progress

import (
	"context"
	"sync"
	"time"

	"shoal"
	"shoal/internal/cli/ui"
)

// A Watcher shows how torrents get on while a command waits for them. It reads the torrents'
// snapshots at its own pace: however fast things happen, what it prints is bounded.
type Watcher struct {
	out      *ui.Output
	engine   *shoal.Engine
	torrents []*shoal.Torrent
	Options

	cancel context.CancelFunc
	wg     sync.WaitGroup
	ending sync.Once
	folds  ui.Folds

	// What was last shown. Owned by the ticking goroutine.
	pace     ui.Pace
	checking bool
	speed    ui.Speed          // of the check
	last     []sight           // by torrent
	one      shoal.Stats       // of the only torrent
	changed  uint64            // of the engine, at the last look
	webSeeds map[string]string // how each is, by torrent and URL
	uploaded int64
	sends    shoal.Uplink // in the latest event
	sentAt   time.Time    // time of that
	drawn    time.Time
}

// Options says what a watcher tells besides.
type Options struct {
	Learned  func(t *shoal.Torrent) // of magnets whose metadata has come; nil: the caller does not want to know
	Finished func(t *shoal.Torrent) // of those that were fetched; nil: the caller tells that itself
	Patience time.Duration          // with files that fail, before the command gives up; 0: it does not
}

// Watch starts telling.
func Watch(out *ui.Output, engine *shoal.Engine, torrents ...*shoal.Torrent) *Watcher {
	return WatchAll(out, engine, Options{}, torrents)
}

// WatchAll is watch, with more to say.
func WatchAll(out *ui.Output, engine *shoal.Engine, what Options, torrents []*shoal.Torrent) *Watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &Watcher{
		out: out, engine: engine, torrents: torrents, Options: what, cancel: cancel, pace: ui.Pace{Out: out},
		checking: true, last: make([]sight, len(torrents)), webSeeds: make(map[string]string),
	}
	w.folds.Now, w.folds.Say = out.Now, func(line string) { out.Say("%s", line) }
	events := engine.Events(ctx, torrents...) // from here on, not from when the goroutine runs
	w.wg.Go(func() {
		for t, e := range events {
			w.event(t, e)
		}
	})
	w.wg.Go(func() {
		every := ui.EventEvery
		if out.Live() {
			every = ui.RedrawEvery
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

// Stop tells what has changed since the last look, and ends the telling; nothing
// comes from it afterwards. It may be called again.
func (w *Watcher) Stop() {
	w.ending.Do(func() {
		w.cancel()
		w.wg.Wait()
		for i := range w.torrents {
			w.look(i)
		}
		w.folds.Flush(true)
		w.out.Clear()
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

func (w *Watcher) tick() {
	w.folds.Flush(false)
	if w.out.JSON {
		w.uplink(w.out.Now())
	}
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
	now := w.out.Now()
	// Times run down also where nothing changes, but not many times a second.
	if !news && !w.checking && len(w.torrents) > 1 && now.Sub(w.drawn) < time.Second {
		return
	}
	if checking != w.checking {
		w.checking, w.pace, w.speed = checking, ui.Pace{Out: w.out}, ui.Speed{} // another job, counted from its start
	}
	if w.out.JSON {
		return
	}
	w.drawn = now
	v := w.view(now)
	if !w.out.Live() {
		w.line(v)
		return
	}
	w.out.Draw(func(width, height int, g ui.Glyphs, c ui.Colours) []string { return lines(v, width, height, g, c) })
}

// look takes a torrent's latest snapshot and tells what is new in it, if it is.
func (w *Watcher) look(i int) {
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
	switch {
	case w.out.JSON && s.State == shoal.StateMetadata:
		w.out.Event("looking", lookingOf(s.InfoHash, s.Name, s))
	case w.out.JSON:
		e := progressOf(s)
		if at, ok := w.givesUp(s); ok {
			e.GivesUp = ui.Stamp(at)
		}
		w.out.Event("progress", e)
	}
}

// givesUp is when the command gives up a torrent whose files fail.
func (w *Options) givesUp(s shoal.Stats) (time.Time, bool) {
	if w.Patience == 0 || len(s.Waiting) == 0 || s.State != shoal.StateStalled && s.State != shoal.StateMissing {
		return time.Time{}, false
	}
	return s.Waiting[0].Since.Add(w.Patience), true
}
