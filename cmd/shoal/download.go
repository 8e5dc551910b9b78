package main

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
	"shoal/internal/files/storage"
	"shoal/metainfo"
)

// A download is one run of get.
type download struct {
	sequential bool
	*session
	src       source
	dir       string
	anew      bool
	allocate  bool
	overwrite bool
	noRoom    bool // it begins although there is too little room
	made      bool // the folder was made for it
	choose    chooseFlags
	chosen    selection // of the files, once they are known
	streamed  int       // index of the file that is streamed
	paths     pathFlags
	webSeeds  webSeedsFlag
	share     shareFlags
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
	return verb + " " + d.src.name()
}

// begin adds the torrent and says what it is.
func (d *download) begin(ctx context.Context, n netFlags) error {
	if d.waits {
		awaitFolder(ctx, d.out, d.dir, d.patience)
	}
	l, err := otherFolder(ctx, d.out, d.src, d.dir, n)
	if err == nil && l != nil && l.oldHas && !l.newHas && !d.anew {
		verb, _, _ := strings.Cut(d.patience.what, " ")
		err = l.elsewhere(verb)
	}
	if err != nil {
		return err
	}
	made, err := makeFolder(d.out, d.what(), d.dir)
	if err != nil {
		return err
	}
	t, err := d.add(ctx, n, shoal.AddOptions{
		Metainfo: d.src.raw, FileName: d.src.fileName(), Dir: d.dir, Peers: n.peers, WebSeeds: d.webSeeds, Redownload: d.anew, Allocate: d.allocate, Overwrite: d.overwrite, NeedRoom: !d.noRoom, Share: d.share.limits(), Sequential: d.sequential,
	})
	if err != nil {
		if made { // for nothing: it is removed if nothing is in it
			_ = os.Remove(d.dir)
		}
		return fail(d.what(), err)
	}
	d.torrent, d.made = t, made
	m, info := d.src.meta, d.src.meta.Info
	d.out.say("%s  %s, %s of %s", d.src.name(), d.chosen.text(info),
		count(int(info.NumPieces()), "piece"), size(info.PieceLength))
	d.out.event("torrent", torrentOf(t, info.Saved(), int(info.NumPieces()), info.PieceLength))
	webs := !n.noWeb && len(d.webSeeds)+len(m.URLList)+len(m.HTTPSeeds) > 0
	if d.src.link == nil && (info.Private || n.noDHT && !n.nearby()) && len(m.Trackers()) == 0 && len(n.peers) == 0 && !webs {
		d.out.warn("no way to find peers: the torrent names no tracker, the DHT is out, and no --peer was given; peers must come by themselves")
	}
	return nil
}

// add adds the torrent, once its metadata is there: its files are chosen and named by it.
func (d *download) add(ctx context.Context, n netFlags, opt shoal.AddOptions) (*shoal.Torrent, error) {
	known := func(meta *metainfo.Torrent, opt *shoal.AddOptions) (err error) {
		d.src.meta = meta
		if d.chosen, err = d.choose.selection(meta.Info); err != nil {
			return err
		}
		if d.data != nil {
			if d.streamed, err = d.choose.pickOne(meta.Info, d.pattern); err != nil {
				return err
			}
		}
		opt.Priority = d.chosen.choice()
		d.paths.folded = d.choose.folded
		return d.paths.fill(opt, meta.Info)
	}
	if d.src.link == nil {
		if err := known(d.src.meta, &opt); err != nil {
			return nil, err
		}
		return d.engine.Add(opt)
	}
	opt.OnMetadata = known
	m, err := d.engine.AddMagnet(d.src.link.String(), opt)
	if err != nil {
		return nil, err
	}
	if n.noDHT && !n.nearby() && len(d.src.link.Trackers)+len(d.src.link.Peers)+len(n.peers) == 0 {
		d.out.warn("no way to find peers: the link names no tracker, the DHT is out, and no --peer was given; peers must come by themselves")
	}
	p := d.patience
	p.held = max(p.held, p.stall)
	err = p.guard(ctx, func() (int64, error) { return m.Stats().Got, nil }, func(ctx context.Context) error { return learn(ctx, d.session, m) })
	if err != nil {
		return nil, unlearned(ctx, d.what(), err)
	}
	return m.Wait(ctx)
}

// run waits for the torrent, and goes on as a seed when asked to.
func (d *download) run(ctx context.Context, seed bool) error {
	w := watchAll(d.out, d.engine, watching{patience: d.patience.held}, []*shoal.Torrent{d.torrent})
	defer w.stop()
	checked, err := d.torrent.WaitChecked(ctx)
	if err == nil && checked.State == shoal.StateMissing {
		if !d.waits {
			w.stop()
			return d.missing(checked)
		}
		d.out.say("waiting up to %s for its files", shortTime(d.patience.held))
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
		w.stop()
		return d.failed(ctx, err)
	}
	d.hooks.complete(d.torrent)
	if !seed {
		d.tell(ctx)
		w.stop()
		d.hooks.wait()
		d.complete()
		return nil
	}
	d.complete()
	if d.share.any() {
		d.out.say("seeding until it is shared enough, or Ctrl-C")
	} else {
		d.out.say("seeding until Ctrl-C")
	}
	if err := ended(ctx, d.out, d.engine, d.torrent); err != nil {
		w.stop()
		return fail("seed "+d.src.name(), err)
	}
	w.stop()
	if stopSignal(ctx) != nil && !toldToEnd(ctx) {
		return &failure{exitInterrupted, context.Cause(ctx), "the files are complete; shoal seed goes on sharing them"}
	}
	d.out.say("stopped: %s sent", size(d.torrent.Stats().Uploaded))
	d.out.event("complete", d.sums()) // the last event: it ended as it should
	return nil
}

// missing is the failure of a torrent whose files were here and are not. Whoever
// starts a command can say at once what is to be done.
func (d *download) missing(s shoal.Stats) error {
	return &failure{
		exitFailed, fmt.Errorf("%s: %w", d.what(), s.Err),
		"if they are on a volume, attach that and run it again; to have them fetched anew, add --anew",
	}
}

// wait waits for the torrent. What its files can't take now they may take later, when there
// is room or a volume is back: that is waited for, too, but not forever. A missing right or a
// refused name does not come right by itself, so that ends at once.
func (d *download) wait(ctx context.Context) error {
	return d.patient(ctx, d.torrent.Wait)
}

func (d *download) checked(s shoal.Stats) {
	d.checkedAt = d.out.now()
	if s.Have > 0 {
		d.out.say("checked: %s of %s here already, %s of %s", group(int64(s.Have)), count(s.Pieces, "piece"), size(s.Verified), size(s.Size))
	}
	d.out.event("checked", checkedOf(s))
}

func (d *download) complete() {
	s := d.torrent.Stats()
	text := "complete: " + size(s.Wanted()) + ", all of it here already"
	if s.Downloaded > 0 {
		fetching := d.out.now().Sub(d.checkedAt)
		text = fmt.Sprintf("complete: %s, %s fetched in %s, %s on average", size(s.Wanted()), size(s.Downloaded),
			span(fetching), rate(float64(s.Downloaded)/max(fetching.Seconds(), 0.001)))
	}
	if s.Wasted > 0 {
		text += ", " + size(s.Wasted) + " of it wasted"
	}
	d.out.say("%s", text)
	d.out.say("saved as %s", printable(d.torrent.Path()))
	d.explainPart()
	d.out.event("complete", d.sums())
}

// sums are the counts of a download as they are now.
func (d *download) sums() completeEvent {
	s := d.torrent.Stats()
	return completeEvent{
		s.InfoHash, d.torrent.Name(), seconds(d.out.now().Sub(d.start)), s.Wanted(), s.Downloaded, s.Wasted, s.Uploaded, d.torrent.Dir(), d.torrent.Path(),
	}
}

// explainPart says what the part file is for, where there is one.
func (d *download) explainPart() {
	if d.chosen.priority == nil || d.src.meta == nil {
		return
	}
	name := filepath.Join(d.torrent.Dir(), storage.PartName(d.src.meta.Info))
	if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
		d.out.say("%s holds what came with the pieces at the edges of files that were left out:\nit is needed to share and check these pieces, and goes when the files are fetched, too", printable(name))
	}
}

// failed tells an interruption from a failure.
func (d *download) failed(ctx context.Context, err error) error {
	if stopSignal(ctx) == nil {
		if d.made && errors.As(err, new(*shoal.Shortage)) {
			_ = os.Remove(d.dir) // if nothing is in it
		}
		return fail(d.what(), err)
	}
	s := d.torrent.Stats()
	return &failure{
		exitInterrupted, fmt.Errorf("%s: %w", d.what(), context.Cause(ctx)),
		fmt.Sprintf("%s is verified and kept; the same command goes on from there", percent(s.WantedVerified(), s.Wanted())),
	}
}

// ended waits until ctx ends, which is the normal end of a seed and gives nil, or
// until no torrent is left that has not failed or been shared enough, which is a normal
// end, too, when one was. A torrent that fails on the way is told, the others go on.
func ended(ctx context.Context, out *output, engine *shoal.Engine, torrents ...*shoal.Torrent) error {
	tick := time.NewTicker(eventEvery)
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
			if !first && len(torrents) > 1 { // what failed before was told then
				out.warn("%s: %s", printable(t.Name()), printable(err.Error()))
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
