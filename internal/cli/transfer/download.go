package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/progress"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

// A download is one run of get.
type download struct {
	sequential bool
	*session.Session
	src       source.Source
	dir       string
	again     bool
	allocate  bool
	overwrite bool
	noRoom    bool // it begins although there is too little room
	made      bool // the folder was made for it
	choose    source.ChooseFlags
	chosen    source.Selection // of the files, once they are known
	streamed  int              // index of the file that is streamed
	paths     source.PathFlags
	webSeeds  cmdline.WebSeedsFlag
	share     session.ShareFlags
	data      io.Writer // for a stream; nil for none
	pattern   string    // of the file that is streamed
	patience  patience
	waits     bool // also for files that are not there at the start
	hooks     *hooks
	torrent   *shoal.Torrent

	start, checkedAt time.Time // of the command, and of fetching
}

// what is attempted: the name of a link's torrent is known later than the command.
func (d *download) what() string {
	verb, _, _ := strings.Cut(d.patience.what, " ")
	return verb + " " + d.src.Name()
}

// begin adds the torrent and says what it is.
func (d *download) begin(ctx context.Context, n session.Flags) error {
	if d.waits {
		awaitFolder(ctx, d.Out, d.dir, d.patience)
	}
	l, err := source.LookElsewhere(ctx, d.Out, d.src, d.dir, n)
	if err == nil && l != nil && l.OldHas && !l.NewHas && !d.again {
		verb, _, _ := strings.Cut(d.patience.what, " ")
		err = l.Elsewhere(verb)
	}
	if err != nil {
		return err
	}
	made, err := session.MakeFolder(d.Out, d.what(), d.dir)
	if err != nil {
		return err
	}
	t, err := d.add(ctx, n, shoal.AddOptions{
		Metainfo: d.src.Raw, Parsed: d.src.Meta, FileName: d.src.FileName(), Dir: d.dir, Peers: n.Peers, WebSeeds: d.webSeeds, Redownload: d.again, Allocate: d.allocate, Overwrite: d.overwrite, NeedRoom: !d.noRoom, Share: d.share.Limits(), Sequential: d.sequential,
	})
	if err != nil {
		if made { // for nothing: it is removed if nothing is in it
			_ = os.Remove(d.dir)
		}
		return ui.Fail(d.what(), err)
	}
	d.torrent, d.made = t, made
	m, info := d.src.Meta, d.src.Meta.Info
	d.Out.Say("%s  %s, %s of %s", d.src.Name(), d.chosen.Text(info),
		ui.Count(int(info.NumPieces()), "piece"), ui.Size(info.PieceLength))
	d.Out.Event("torrent", torrentOf(t, info.Saved(), int(info.NumPieces()), info.PieceLength))
	webs := !n.NoWeb && len(d.webSeeds)+len(m.URLList)+len(m.HTTPSeeds) > 0
	if d.src.Link == nil && (info.Private || n.NoDHT && !n.Nearby()) && len(m.Trackers()) == 0 && len(n.Peers) == 0 && !webs {
		d.Out.Warn("no way to find peers: the torrent names no tracker, the DHT is out, and no --peer was given; peers must come by themselves")
	}
	return nil
}

// add adds the torrent, once its metadata is there: its files are chosen and named by it.
func (d *download) add(ctx context.Context, n session.Flags, opt shoal.AddOptions) (*shoal.Torrent, error) {
	known := func(meta *metainfo.Torrent, opt *shoal.AddOptions) (err error) {
		d.src.Meta = meta
		if d.chosen, err = d.choose.Selection(meta.Info); err != nil {
			return err
		}
		if d.data != nil {
			if d.streamed, err = d.choose.PickOne(meta.Info, d.pattern); err != nil {
				return err
			}
		}
		opt.Priority = d.chosen.Choice()
		d.paths.Folded = d.choose.Folded
		return d.paths.Fill(opt, meta.Info)
	}
	if d.src.Link == nil {
		if err := known(d.src.Meta, &opt); err != nil {
			return nil, err
		}
		return d.Engine.Add(opt)
	}
	opt.OnMetadata = known
	t, err := d.Engine.AddMagnet(d.src.Link.String(), opt)
	if err != nil {
		return nil, err
	}
	if n.NoDHT && !n.Nearby() && len(d.src.Link.Trackers)+len(d.src.Link.Peers)+len(n.Peers) == 0 {
		d.Out.Warn("no way to find peers: the link names no tracker, the DHT is out, and no --peer was given; peers must come by themselves")
	}
	p := d.patience
	p.held = max(p.held, p.stall)
	err = p.guard(ctx, func() (int64, error) { return t.Stats().Metadata.Have, nil }, func(ctx context.Context) error { return progress.Learn(ctx, d.Session, t) })
	if err != nil {
		giveUp(ctx, t)
		return nil, unlearned(ctx, d.what(), err)
	}
	return t, nil
}

// giveUp stops a torrent that has failed, since get of several sources goes on with the others.
// After a signal the end of the session stops all of them together.
func giveUp(ctx context.Context, t *shoal.Torrent) {
	if ui.StopSignal(ctx) != nil {
		return
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), session.CloseWithin)
	defer cancel()
	t.Stop(own)
}

// run waits for the torrent, and goes on as a seed when asked to.
func (d *download) run(ctx context.Context, seed bool) error {
	w := progress.WatchAll(d.Out, d.Engine, progress.Options{Patience: d.patience.held}, []*shoal.Torrent{d.torrent})
	defer w.Stop()
	checked, err := d.torrent.WaitChecked(ctx)
	if err == nil && checked.State == shoal.StateMissing {
		if !d.waits {
			w.Stop()
			return d.missing(checked)
		}
		d.Out.Say("waiting up to %s for its files", ui.ShortTime(d.patience.held))
	}
	if err == nil {
		d.checked(checked)
		if d.data != nil {
			err = d.patient(ctx, func(ctx context.Context) error { return stream(ctx, d.torrent, d.streamed, d.data) })
		}
		if err == nil {
			err = d.wait(ctx)
		}
	}
	if err != nil {
		w.Stop()
		return d.failed(ctx, err)
	}
	d.hooks.complete(d.torrent)
	if !seed {
		d.tell(ctx)
		w.Stop()
		d.hooks.wait()
		d.complete()
		return nil
	}
	d.complete()
	if d.share.Any() {
		d.Out.Say("seeding until it is shared enough, or Ctrl-C")
	} else {
		d.Out.Say("seeding until Ctrl-C")
	}
	if err := ended(ctx, d.Out, d.Engine, d.torrent); err != nil {
		w.Stop()
		return ui.Fail("seed "+d.src.Name(), err)
	}
	w.Stop()
	if ui.StopSignal(ctx) != nil && !ui.Terminated(ctx) {
		return &ui.Failure{Code: ui.ExitInterrupted, Err: context.Cause(ctx), Hint: "the files are complete; shoal seed goes on sharing them"}
	}
	d.Out.Say("stopped: %s sent", ui.Size(d.torrent.Stats().Uploaded))
	d.Out.Event("complete", d.sums()) // the last event: it ended as it should
	return nil
}

// missing is the failure of a torrent whose files were here and are not. The user
// who starts the command can say at once what to do.
func (d *download) missing(s shoal.Stats) error {
	return &ui.Failure{
		Code: ui.ExitFailed, Err: fmt.Errorf("%s: %w", d.what(), s.Err),
		Hint: "if they are on a volume, attach that and run it again; to fetch them again, add --anew",
	}
}

// wait waits for the torrent. What its files can't take now they may take later, when there
// is room or a volume is back: that is waited for, too, but not forever. A missing right or a
// refused name does not come right by itself, so that ends at once.
func (d *download) wait(ctx context.Context) error {
	return d.patient(ctx, d.torrent.Wait)
}

func (d *download) checked(s shoal.Stats) {
	d.checkedAt = d.Out.Now()
	if s.Have > 0 {
		d.Out.Say("checked: %s of %s here already, %s of %s", ui.Grouped(int64(s.Have)), ui.Count(s.Pieces, "piece"), ui.Size(s.Verified), ui.Size(s.Size))
	}
	d.Out.Event("checked", checkedOf(s))
}

func (d *download) complete() {
	s := d.torrent.Stats()
	text := "complete: " + ui.Size(s.Wanted()) + ", all of it here already"
	if s.Downloaded > 0 {
		fetching := d.Out.Now().Sub(d.checkedAt)
		text = fmt.Sprintf("complete: %s, %s fetched in %s, %s on average", ui.Size(s.Wanted()), ui.Size(s.Downloaded),
			ui.Span(fetching), ui.Rate(float64(s.Downloaded)/max(fetching.Seconds(), 0.001)))
	}
	if s.Wasted > 0 {
		text += ", " + ui.Size(s.Wasted) + " of it wasted"
	}
	d.Out.Say("%s", text)
	d.Out.Say("saved as %s", ui.Printable(d.torrent.Path()))
	d.explainPart()
	d.Out.Event("complete", d.sums())
}

// sums are the counts of a download as they are now.
func (d *download) sums() completeEvent {
	s := d.torrent.Stats()
	return completeEvent{
		s.InfoHash, d.torrent.Name(), ui.Seconds(d.Out.Now().Sub(d.start)), s.Wanted(), s.Downloaded, s.Wasted, s.Uploaded, d.torrent.Dir(), d.torrent.Path(),
	}
}

// explainPart says what the part file is for, where there is one.
func (d *download) explainPart() {
	if d.chosen.Priority == nil || d.src.Meta == nil {
		return
	}
	name := filepath.Join(d.torrent.Dir(), shoal.PartName(d.src.Meta.Info))
	if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
		d.Out.Say("%s holds what came with the pieces at the edges of files that were left out:\nit is needed to share and check these pieces, and goes when the files are fetched, too", ui.Printable(name))
	}
}

// failed tells an interruption from a failure.
func (d *download) failed(ctx context.Context, err error) error {
	if ui.StopSignal(ctx) == nil {
		if d.made && errors.As(err, new(*shoal.Shortage)) {
			_ = os.Remove(d.dir) // if nothing is in it
		}
		return ui.Fail(d.what(), err)
	}
	s := d.torrent.Stats()
	return &ui.Failure{
		Code: ui.ExitInterrupted, Err: fmt.Errorf("%s: %w", d.what(), context.Cause(ctx)),
		Hint: fmt.Sprintf("%s is verified and kept; the same command goes on from there", ui.Percent(s.WantedVerified(), s.Wanted())),
	}
}

// ended waits until ctx ends, which is the normal end of a seed and returns nil, or
// until no torrent is left that has not failed or been shared enough, which is a normal
// end, too, when one was. A torrent that fails on the way gets a warning, the others go on.
func ended(ctx context.Context, out *ui.Output, engine *shoal.Engine, torrents ...*shoal.Torrent) error {
	tick := time.NewTicker(ui.EventEvery)
	defer tick.Stop()
	gone, enough := make(map[*shoal.Torrent]bool), false
	var changed uint64
	for first := true; ; first = false {
		err := shoal.ErrStopped
		now := engine.StatsVersion()
		for _, t := range torrents {
			if now == changed && !first {
				break
			}
			state := t.State()
			if gone[t] || state != shoal.StateFailed && state != shoal.StateStopped && state != shoal.StatePaused {
				continue
			}
			gone[t] = true
			if state == shoal.StatePaused {
				enough = true
				continue
			}
			s := t.Stats()
			if s.Err != nil {
				err = s.Err
			}
			if !first && len(torrents) > 1 { // an earlier failure had its warning then
				out.Warn("%s: %s", ui.Printable(t.Name()), ui.Printable(err.Error()))
			}
		}
		changed = now
		if len(gone) == len(torrents) {
			if enough {
				return nil
			}
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}
