package transfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"shoal"
	"shoal/internal/cli/progress"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
)

// get of several sources: they share one engine and come at the same time. One that fails
// gets a warning, and the others go on; the exit code is that of the first that failed, in the
// order of the command line.

// wanted is one of several sources.
type wanted struct {
	name string
	*download
	there *shoal.Torrent // once it is added
	err   error
}

// moreThanOne reports whether what is named is more than one torrent.
func moreThanOne(names []string) bool {
	if len(names) != 1 {
		return true
	}
	st, err := os.Stat(names[0])
	return err == nil && st.IsDir()
}

func getMany(ctx context.Context, out *ui.Output, names []string, n session.Flags, o getFlags) error {
	switch {
	case o.output != "":
		return ui.UsageError("leave -o away: each is named after its torrent", "-o is for one source, not for %d", len(names))
	case o.streams:
		return ui.UsageError("name one source", "--stream is for one source, not for %d", len(names))
	case len(o.paths.Rename) > 0:
		return ui.UsageError("shoal rename does it later", "--rename is for one source, not for %d", len(names))
	}
	g := &gathering{out: out, named: make(map[string]bool)}
	for _, name := range names {
		g.read(ctx, name, n, o)
		if ui.StopSignal(ctx) != nil {
			return context.Cause(ctx)
		}
	}
	for _, w := range g.failed() {
		g.note(w, w.err)
	}
	if len(g.all) == len(g.failed()) {
		return g.outcome()
	}
	if o.metadataOnly {
		for _, w := range g.all {
			if w.err == nil {
				g.note(w, saveMetadata(ctx, out, w.src, n, ""))
			}
		}
		return g.outcome()
	}
	return g.get(ctx, n, o)
}

// gathering is one run of get with several sources.
type gathering struct {
	out   *ui.Output
	all   []*wanted
	named map[string]bool // info-hashes of all
	hooks *hooks

	mu   sync.Mutex
	view *progress.Watcher // of those that are there
}

// read reads one source, or those in a folder.
func (g *gathering) read(ctx context.Context, name string, n session.Flags, o getFlags) {
	srcs, err := source.ReadAll(g.out, []string{name}, func(name string) (source.Source, error) { return source.Any(ctx, name, n) })
	if err != nil {
		g.all = append(g.all, &wanted{name: name, err: err})
		return
	}
	for _, src := range srcs {
		hash := source.InfoHash(src)
		if g.named[hash] {
			g.out.Warn("passed over: %s is the same torrent as one named before", source.Brief(src.Path))
			continue
		}
		g.named[hash] = true
		w := &wanted{name: src.Path, download: &download{src: src}}
		if src.Meta != nil {
			w.err = o.check(src.Meta.Info)
		}
		g.all = append(g.all, w)
	}
}

// note takes how a source ended, and tells it when it failed; of the only one the command's
// own failure tells it.
func (g *gathering) note(w *wanted, err error) {
	if err == nil {
		return
	}
	g.mu.Lock()
	w.err = err
	g.mu.Unlock()
	if len(g.all) > 1 {
		g.out.Warn("%s", ui.Printable(err.Error()))
	}
}

func (g *gathering) failed() (all []*wanted) {
	for _, w := range g.all {
		if w.err != nil {
			all = append(all, w)
		}
	}
	return all
}

// outcome is the failure of the command; nil when all are complete.
func (g *gathering) outcome() error {
	failed := g.failed()
	if len(failed) == 0 {
		return nil
	}
	f := &ui.Failure{Code: ui.ExitFailed}
	errors.As(ui.Fail("get "+source.Brief(failed[0].name), failed[0].err), &f)
	if len(g.all) == 1 {
		return f
	}
	hint := "the others are complete; the same command goes on with what is missing"
	if len(failed) == len(g.all) {
		hint = "the lines above say why"
	}
	return &ui.Failure{Code: f.Code, Err: fmt.Errorf("get: %d of %s failed: %w", len(failed), ui.Count(len(g.all), "source"), failed[0].err), Hint: hint}
}

// get gets them all.
func (g *gathering) get(ctx context.Context, n session.Flags, o getFlags) error {
	start := g.out.Now()
	s, err := session.Open(g.out, n)
	if err != nil {
		return err
	}
	g.hooks = newHooks(ctx, g.out, o.onComplete)
	var wg sync.WaitGroup
	for _, w := range g.all {
		if w.err != nil {
			continue
		}
		source.KeepReceived(w.src, n)
		w.download = newDownload(s, w.src, n, o, start)
		w.hooks = g.hooks
		if w.src.Link != nil { // its metadata may take long
			wg.Go(func() { g.one(ctx, w, n) })
			continue
		}
		if err := w.begin(ctx, n); err != nil {
			g.note(w, err)
			continue
		}
		g.mu.Lock() // another, that began with a link, may be there already, and look at all
		w.there = w.torrent
		g.mu.Unlock()
		wg.Go(func() { g.await(ctx, w) })
	}
	g.watch()
	wg.Wait()
	err = g.outcome()
	if err == nil && (o.seed || o.share.Any()) && ctx.Err() == nil {
		g.out.Say("seeding until Ctrl-C")
		var torrents []*shoal.Torrent
		for _, w := range g.all {
			torrents = append(torrents, w.torrent)
		}
		err = ended(ctx, g.out, s.Engine, torrents...)
	}
	g.unwatch()
	g.hooks.wait()
	if ui.StopSignal(ctx) != nil && !(err == nil && ui.Terminated(ctx)) {
		err = &ui.Failure{Code: ui.ExitInterrupted, Err: fmt.Errorf("get: %w", context.Cause(ctx)), Hint: "what is verified is kept; the same command goes on from there"}
	}
	sum := completeEvent{Name: ui.Count(len(g.all), "torrent"), Seconds: ui.Seconds(g.out.Now().Sub(start)), Dir: n.Dir, Path: n.Dir}
	for _, w := range g.all {
		if w.download != nil && w.torrent != nil {
			st := w.torrent.Stats()
			sum.Bytes += st.WantedVerified()
			sum.Downloaded += st.Downloaded
			sum.Wasted += st.Wasted
			sum.Uploaded += st.Uploaded
		}
	}
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		g.out.Say("all complete: %s, %s", ui.Count(len(g.all), "torrent"), ui.Size(sum.Bytes))
		g.out.Event("complete", sum)
	}
	return err
}

// one gets one that begins with a link.
func (g *gathering) one(ctx context.Context, w *wanted, n session.Flags) {
	if err := w.begin(ctx, n); err != nil {
		g.note(w, err)
		return
	}
	g.mu.Lock()
	w.there = w.torrent
	g.mu.Unlock()
	g.watch()
	g.await(ctx, w)
}

// await waits until one is complete.
func (g *gathering) await(ctx context.Context, w *wanted) {
	checked, err := w.torrent.WaitChecked(ctx)
	if err == nil && checked.State == shoal.StateMissing && !w.waits {
		err = w.missing(checked)
	}
	if err == nil {
		w.checked(checked)
		err = w.wait(ctx)
	}
	if err != nil {
		if ui.StopSignal(ctx) == nil {
			g.note(w, w.failed(ctx, err))
			giveUp(ctx, w.torrent)
		} else {
			g.mu.Lock()
			w.err = err
			g.mu.Unlock()
		}
		return
	}
	t := w.torrent
	g.out.Say("complete: %s, saved as %s", ui.Printable(t.Name()), ui.Printable(t.Path()))
	w.explainPart()
	g.out.Event("finished", finishedEvent{t.InfoHash(), t.Name(), t.Stats().Wanted(), t.Path()})
	g.hooks.complete(t)
}

// watch tells how those that are there get on.
func (g *gathering) watch() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.view != nil {
		g.view.Stop()
	}
	var torrents []*shoal.Torrent
	var d *download
	for _, w := range g.all {
		if w.err == nil && w.there != nil {
			d, torrents = w.download, append(torrents, w.there)
		}
	}
	if len(torrents) > 0 {
		g.view = progress.WatchAll(g.out, d.Engine, progress.Options{Patience: d.patience.held}, torrents)
	}
}

func (g *gathering) unwatch() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.view != nil {
		g.view.Stop()
	}
}
