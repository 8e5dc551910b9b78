package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/storage"
	"shoal/metainfo"
)

type torrentEvent struct {
	InfoHash    string `json:"info_hash"`
	Name        string `json:"name"`
	Size        int64  `json:"size"`
	Files       int    `json:"files"`
	Pieces      int    `json:"pieces"`
	PieceLength int64  `json:"piece_length"`
	Private     bool   `json:"private"`
	Dir         string `json:"dir"`
	WantedFiles int    `json:"wanted_files"`
	Wanted      int64  `json:"wanted"`
}

// torrentOf tells what a torrent is, and what is wanted of it.
func torrentOf(t *shoal.Torrent, size int64, pieces int, pieceLength int64) torrentEvent {
	files := t.Files()
	e := torrentEvent{
		InfoHash: t.InfoHash(), Name: t.Name(), Size: size, Files: len(files), Pieces: pieces, PieceLength: pieceLength,
		Private: t.Private(), Dir: t.Dir(),
	}
	for _, f := range files {
		if f.Priority != shoal.PrioritySkip {
			e.WantedFiles++
			e.Wanted += f.Length
		}
	}
	return e
}

type checkedEvent struct {
	InfoHash      string `json:"info_hash"`
	Have          int    `json:"have"`
	Pieces        int    `json:"pieces"`
	VerifiedBytes int64  `json:"verified_bytes"`
	Size          int64  `json:"size"`
	Hashed        int    `json:"hashed"`
}

func checkedOf(s shoal.Stats) checkedEvent {
	return checkedEvent{s.InfoHash, s.Have, s.Pieces, s.Verified, s.Size, s.Hashed}
}

type completeEvent struct {
	InfoHash   string  `json:"info_hash"`
	Name       string  `json:"name"`
	Seconds    float64 `json:"seconds"`
	Bytes      int64   `json:"bytes"`
	Downloaded int64   `json:"downloaded"`
	Wasted     int64   `json:"wasted"`
	Uploaded   int64   `json:"uploaded"`
	Dir        string  `json:"dir"`
	Path       string  `json:"path"`
}

func getCommand(out *output) *cobra.Command {
	var n netFlags
	var o getFlags
	cmd := &cobra.Command{
		Use:   "get SOURCE... [--dir DIR]",
		Short: "Get the files of a torrent",
		Long: `Get the files of a torrent from other people's clients, and verify every piece.
SOURCE is a .torrent file, a magnet link, an info-hash, or the URL of a .torrent;
a folder means all .torrent files in it. Several come at the same time: one that
fails is told, the others go on, and the exit code is that of the first that failed.
It ends when all files are complete, verified and safe on disk. What already
lies in the folder is checked and used, so after Ctrl-C or a crash the same
command goes on where it was.

Peers are found through the torrent's trackers, through the DHT, and by --peer.
Without --dht-node, the way into the DHT is the torrent's own nodes, the nodes
known from earlier runs, and the well-known public ones. An address of the
loopback (--listen 127.0.0.1:0) keeps all traffic on this machine.`,
		Example: `  shoal get debian.torrent --dir ~/Downloads
  shoal get "magnet:?xt=urn:btih:b257af45fbc9f52d0e728490f2c2da9e4f66647e" --seed
  shoal get b257af45fbc9f52d0e728490f2c2da9e4f66647e --metadata-only -o debian.torrent
  shoal get debian.torrent --peer 192.0.2.7:6881 --no-dht
  shoal get series.torrent --only "season 1/**" --skip 3,5-7
  shoal get film.torrent --stream "*.mkv" | mpv -
  shoal get one.torrent two.torrent --on-complete "notify-send done" --stop-after 1h
  shoal get debian.torrent --json | jq 'select(.event=="complete")'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.waitNamed = cmd.Flags().Changed("wait")
			if o.streams = cmd.Flags().Changed("stream"); o.streams {
				if out.json {
					return usageErr("leave one of them away", "--stream and --json both write to standard output")
				}
				if out.terminal {
					return usageErr("pipe it into a program, such as: | mpv -, or write it to a file with > FILE; --dir keeps the file in any case", "--stream writes the bytes of a file to standard output, which is a terminal")
				}
				if o.stream == "*" {
					o.stream = ""
				}
			}
			return get(cmd.Context(), out, args, n, o)
		},
	}
	n.add(cmd)
	cmd.Flags().BoolVar(&o.seed, "seed", false, "go on as a seed when complete, until Ctrl-C")
	o.share.add(cmd)
	cmd.Flags().BoolVar(&o.anew, "anew", false, "fetch files again that were here and are gone")
	cmd.Flags().BoolVar(&o.overwrite, "overwrite", false, "write over files that are there and are not the torrent's")
	cmd.Flags().BoolVar(&o.noRoom, "ignore-free-space", false, "begin although the disk has too little room for all of it")
	cmd.Flags().BoolVar(&o.sequential, "sequential", false, "fetch from the beginning to the end, three pieces of four")
	cmd.Flags().Var(&o.allocate, "allocate", "full: reserve room for all files before the first byte; sparse: take what comes")
	o.choose.add(cmd)
	o.paths.add(cmd)
	cmd.Flags().Var(&o.webSeeds, "web-seed", "a web server that has the files, too: the URL of their folder with a slash at the end, or of the file (repeat for more)")
	cmd.Flags().StringVar(&o.stream, "stream", "", "write the file that fits `GLOB` to standard output as it comes; the largest one without a GLOB")
	cmd.Flags().Lookup("stream").NoOptDefVal = "*"
	o.wait = timeFlag(10 * time.Minute)
	cmd.Flags().Var(&o.wait, "wait", "how long to wait for a full disk or a missing volume; for one that is missing at the start only when given")
	cmd.Flags().Var(&o.stopAfter, "stop-after", "give up when nothing came for this long, such as 30m (exit code 4)")
	o.onComplete.add(cmd)
	cmd.Flags().BoolVar(&o.metadataOnly, "metadata-only", false, "write the .torrent file of SOURCE and get nothing else")
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "with --metadata-only: the `FILE` to write (default the torrent's name)")
	sources(cmd, 0)
	addJSON(cmd)
	return cmd
}

// getFlags are the flags of get alone.
type getFlags struct {
	seed      bool
	share     shareFlags
	anew      bool
	allocate  allocateFlag
	overwrite bool
	noRoom    bool

	sequential bool
	wait       timeFlag
	waitNamed  bool
	stopAfter  timeFlag
	onComplete hookFlag
	choose     chooseFlags
	paths      pathFlags
	webSeeds   webSeedsFlag
	stream     string
	streams    bool

	metadataOnly bool
	output       string
}

func get(ctx context.Context, out *output, names []string, n netFlags, o getFlags) (err error) {
	if o.output != "" && !o.metadataOnly {
		return usageErr("add --metadata-only, or name the folder for the files with --dir", "-o is for the .torrent file that --metadata-only writes")
	}
	if err := o.onComplete.check(); err != nil {
		return err
	}
	if moreThanOne(names) {
		return getMany(ctx, out, names, n, o)
	}
	src, err := anySource(ctx, names[0], n)
	if err != nil {
		return err
	}
	if o.metadataOnly {
		return saveMetadata(ctx, out, src, n, o.output)
	}
	if src.meta != nil { // a mistake is told before anything is made
		if err := o.check(src.meta.Info); err != nil {
			return err
		}
	}
	keepReceived(src, n)
	start := out.now()
	var data io.Writer
	if o.streams {
		data = out.divert()
	}
	s, err := openSession(out, n)
	if err != nil {
		return err
	}
	d := newDownload(s, src, n, o, start)
	d.data, d.hooks = data, newHooks(ctx, out, o.onComplete)
	if err = d.begin(ctx, n); err == nil {
		err = d.run(ctx, o.seed || o.share.any())
	}
	d.hooks.wait()
	// A stop that is not clean matters less than what went wrong before.
	if cerr := s.close(); err == nil {
		err = cerr
	}
	return err
}

// newDownload makes ready to get one torrent as the flags say.
func newDownload(s *session, src source, n netFlags, o getFlags, start time.Time) *download {
	return &download{
		session: s, src: src, dir: n.dir, start: start, pattern: o.stream, anew: o.anew, sequential: o.sequential,
		allocate: o.allocate == "full", overwrite: o.overwrite, noRoom: o.noRoom, choose: o.choose, paths: o.paths, webSeeds: o.webSeeds, share: o.share,
		patience: patience{"get " + src.name(), s.out.now, time.Duration(o.wait), time.Duration(o.stopAfter), o.waitNamed}, waits: o.waitNamed,
	}
}

// check finds mistakes in what is said of the files of a torrent.
func (o *getFlags) check(info *metainfo.Info) error {
	_, err := o.choose.selection(info)
	if err == nil && o.streams {
		_, err = o.choose.pickOne(info, o.stream)
	}
	if err == nil {
		paths := o.paths
		paths.folded = o.choose.folded
		err = paths.fill(&shoal.AddOptions{}, info)
	}
	return err
}

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

func (d *download) what() string { return "get " + d.src.name() }

// makeFolder makes the download folder when only its last part is missing. More
// is not made: where the folder above is missing too, a volume may not be there.
func makeFolder(out *output, what, dir string) (made bool, err error) {
	err = os.Mkdir(dir, 0o777)
	switch {
	case err == nil:
		out.say("made the folder %s", metainfo.Printable(dir))
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, &failure{
			exitFailed, fmt.Errorf("%s: make the folder %s: the folder above it does not exist", what, dir),
			"if it is on a volume, attach that; else make the folder, or name another with --dir",
		}
	}
	return false, nil // it is there, or using it will say what is wrong
}

// begin adds the torrent and says what it is.
func (d *download) begin(ctx context.Context, n netFlags) error {
	if d.waits {
		awaitFolder(ctx, d.out, d.dir, d.patience)
	}
	made, err := makeFolder(d.out, d.what(), d.dir)
	if err != nil {
		return err
	}
	t, err := d.add(ctx, n, shoal.AddOptions{
		Metainfo: d.src.raw, FileName: d.src.fileName(), Dir: d.dir, Peers: n.peers, WebSeeds: d.webSeeds, Anew: d.anew, Allocate: d.allocate, Overwrite: d.overwrite, NeedRoom: !d.noRoom, Share: d.share.limits(), Sequential: d.sequential,
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
	opt.Known = known
	m, err := d.engine.AddMagnet(d.src.link.String(), opt)
	if err != nil {
		return nil, err
	}
	if n.noDHT && !n.nearby() && len(d.src.link.Trackers)+len(d.src.link.Peers)+len(n.peers) == 0 {
		d.out.warn("no way to find peers: the link names no tracker, the DHT is out, and no --peer was given; peers must come by themselves")
	}
	p := d.patience
	p.held = max(p.held, p.stall)
	err = p.guard(ctx, func() (int64, error) { return m.Stats().Got, nil }, func(ctx context.Context) error { return d.learn(ctx, m) })
	if err != nil {
		return nil, unlearned(ctx, d.what(), err)
	}
	return m.Wait(ctx)
}

// run waits for the torrent, and goes on as a seed when asked to.
func (d *download) run(ctx context.Context, seed bool) error {
	w := watchAll(d.out, d.engine, watching{patience: d.patience.held}, []*shoal.Torrent{d.torrent})
	defer w.stop()
	checked, err := d.torrent.Checked(ctx)
	if err == nil && checked.State == shoal.Missing {
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
	d.complete() // the last event: it ended as it should
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
	s, took := d.torrent.Stats(), d.out.now().Sub(d.start)
	path := d.torrent.Path()
	text := "complete: " + size(s.Wanted()) + ", all of it here already"
	if s.Downloaded > 0 {
		fetching := d.out.now().Sub(d.checkedAt)
		text = fmt.Sprintf("complete: %s, %s fetched in %s, %s on average", size(s.Wanted()), size(s.Downloaded),
			span(fetching), rate(float64(s.Downloaded)/max(fetching.Seconds(), 0.001)))
	}
	if s.Wasted > 0 {
		text += ", " + size(s.Wasted) + " of it in vain"
	}
	d.out.say("%s", text)
	d.out.say("saved as %s", printable(path))
	d.explainPart()
	d.out.event("complete", completeEvent{
		s.InfoHash, d.torrent.Name(), seconds(took), s.Wanted(), s.Downloaded, s.Wasted, s.Uploaded, d.torrent.Dir(), path,
	})
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
		now := engine.Changes()
		for _, t := range torrents {
			if now == changed && !first {
				break
			}
			state := t.State()
			if gone[t] || state != shoal.Failed && state != shoal.Stopped && state != shoal.Paused {
				continue
			}
			gone[t] = true
			if state == shoal.Paused {
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

func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
