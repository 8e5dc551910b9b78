package transfer

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/progress"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

type upEvent struct {
	Addr     string `json:"addr"`
	Torrents int    `json:"torrents"`
	Complete int    `json:"complete"`
	Partial  int    `json:"partial"`
}

type seededEvent struct {
	Torrents int     `json:"torrents"`
	Uploaded int64   `json:"uploaded"`
	Seconds  float64 `json:"seconds"`
}

func SeedCommand(out *ui.Output) *cobra.Command {
	var n session.Flags
	var share session.ShareFlags
	cmd := &cobra.Command{
		Use:   "seed SOURCE... [--dir DIR]",
		Short: "Share the files of torrents that are on disk",
		Long: `Share the files of torrents that are on disk already. They are checked first;
then a line "up" says that all are being shared. A SOURCE is a .torrent file, its URL,
a magnet link or an info-hash; a folder means all .torrent files in it. --dir is where the files of the torrents are.

Nothing is downloaded: a torrent that lacks pieces shares those it has. It
fails when there is nothing at all to share. It runs until Ctrl-C or SIGTERM, or
until all have been shared enough: see --ratio, --seed-time and --seed-idle.`,
		Example: `  shoal seed photos.torrent --dir ~/Pictures
  shoal seed ~/torrents/ --dir ~/Downloads
  shoal seed "magnet:?xt=urn:btih:b257af45fbc9f52d0e728490f2c2da9e4f66647e" --dir ~/Downloads
  shoal seed photos.torrent --listen 0.0.0.0:7000 --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			n.DirNamed = cmd.Flags().Changed("dir")
			return seed(cmd.Context(), out, args, n, share)
		},
	}
	n.Add(cmd)
	share.Add(cmd)
	cmdline.Sources(cmd, 0)
	cmdline.AddJSON(cmd)
	return cmd
}

func seed(ctx context.Context, out *ui.Output, names []string, n session.Flags, share session.ShareFlags) error {
	srcs, err := source.ReadAll(out, names, func(name string) (source.Source, error) { return source.Any(ctx, name, n) })
	if err != nil {
		return err
	}
	if err := session.CheckFolder("seed", n.Dir); err != nil {
		return err
	}
	start := out.Now()
	if len(srcs) > few {
		debug.SetGCPercent(startGC) // what is between the torrents stays there
	}
	s, err := session.Open(out, n)
	if err != nil {
		return err
	}
	sh := &sharing{Session: s, share: share, others: make(map[string]*source.Listing)}
	if err = sh.begin(ctx, srcs, n); err == nil {
		err = sh.run(ctx)
	}
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	if err == nil { // SIGTERM, by which services are ended
		sent := sh.sent()
		out.Say("stopped: %s sent", ui.Size(sent))
		out.Event("complete", seededEvent{len(sh.torrents), sent, ui.Seconds(out.Now().Sub(start))})
	}
	return err
}

// A sharing is one run of seed.
type sharing struct {
	*session.Session
	share    session.ShareFlags
	torrents []*shoal.Torrent
	others   map[string]*source.Listing // torrents that shoal run has in another folder, by info-hash
}

// begin adds the torrents. A second copy of one is passed over with a warning.
func (sh *sharing) begin(ctx context.Context, srcs []source.Source, n session.Flags) error {
	for i, src := range srcs {
		srcs[i] = source.Source{} // its memory is for the next ones
		dir, l, err := source.Placed(ctx, sh.Out, src, n)
		if err != nil {
			return err
		}
		if l != nil {
			sh.others[l.Hash] = l
		}
		t, err := addKnown(ctx, sh.Session, "seed", &src, shoal.AddOptions{Metainfo: src.Raw, Parsed: src.Meta, FileName: src.FileName(), Dir: dir, Peers: n.Peers, SeedOnly: true, Share: sh.share.Limits()})
		if errors.Is(err, shoal.ErrDuplicate) {
			sh.Out.Warn("passed over: %s is the same torrent as one named before", ui.Printable(src.Path))
			continue
		}
		if err != nil {
			return ui.Fail("seed "+src.Name(), err)
		}
		sh.torrents = append(sh.torrents, t)
		info := src.Meta.Info
		sh.Out.Event("torrent", torrentOf(t, info.Saved(), int(info.NumPieces()), info.PieceLength))
	}
	return nil
}

// addKnown adds a torrent, and returns when its metadata is there.
func addKnown(ctx context.Context, s *session.Session, what string, src *source.Source, opt shoal.AddOptions) (*shoal.Torrent, error) {
	if src.Link == nil {
		return s.Engine.Add(opt)
	}
	opt.OnMetadata = func(meta *metainfo.Torrent, _ *shoal.AddOptions) error {
		src.Meta = meta
		return nil
	}
	t, err := s.Engine.AddMagnet(src.Link.String(), opt)
	if err != nil {
		return nil, err
	}
	if err := progress.Learn(ctx, s, t); err != nil {
		return nil, unlearned(ctx, what+" "+t.Name(), err)
	}
	return t, nil
}

// run checks all torrents, says what they have, and shares them until the end.
func (sh *sharing) run(ctx context.Context) error {
	w := progress.Watch(sh.Out, sh.Engine, sh.torrents...)
	defer w.Stop()
	up := upEvent{Addr: sh.Engine.Addr().String(), Torrents: len(sh.torrents)}
	var lacking error // of the last torrent that has nothing
	lacks := func(err error) {
		if lacking = err; len(sh.torrents) > 1 { // the command ends with that of the only one
			sh.Out.Warn("%s", ui.Printable(err.Error()))
		}
	}
	for _, t := range sh.torrents {
		s, err := t.WaitChecked(ctx)
		if ui.StopSignal(ctx) != nil {
			return sh.stopped(ctx, true)
		}
		if err == nil {
			sh.Out.Event("checked", checkedOf(s))
		}
		switch {
		case err != nil:
			lacks(ui.Fail("seed "+ui.Printable(t.Name()), err))
		case s.State == shoal.StateMissing || s.State == shoal.StateStalled && s.Have == 0:
			lacks(sh.others[t.InfoHash()].Hint(ui.Fail("seed "+ui.Printable(t.Name()), s.Err)))
		case s.Have == s.Pieces:
			up.Complete++
			sh.Out.Say("seeding %s  %s", ui.Printable(t.Name()), ui.Size(s.Size))
		case s.Have > 0:
			up.Partial++
			sh.Out.Warn("%s lacks %s of %s and shares the others; shoal verify says which files, shoal get fetches them",
				ui.Printable(t.Name()), ui.Grouped(int64(s.Pieces-s.Have)), ui.Count(s.Pieces, "piece"))
		default:
			lacks(sh.others[t.InfoHash()].Hint(session.NoPieces(t)))
		}
	}
	if up.Complete+up.Partial == 0 {
		return lacking
	}
	sh.Out.Say("%s at %s", ui.Count(up.Complete+up.Partial, "torrent"), up.Addr)
	sh.Out.Say("up") // alone on its line, so that it can be waited for
	sh.Out.Event("up", up)
	defer spare(ctx, sh.Session, len(sh.torrents))()
	if err := ended(ctx, sh.Out, sh.Engine, sh.torrents...); err != nil {
		return ui.Fail("seed", err)
	}
	w.Stop()
	return sh.stopped(ctx, false)
}

// stopped tells how a signal ended the sharing: SIGTERM is the normal end of a
// seed that is up, as is that all was shared enough.
func (sh *sharing) stopped(ctx context.Context, early bool) error {
	if ui.Terminated(ctx) || !early && ui.StopSignal(ctx) == nil {
		return nil
	}
	return &ui.Failure{
		Code: ui.ExitInterrupted, Err: fmt.Errorf("seed: %w", context.Cause(ctx)),
		Hint: fmt.Sprintf("%s sent; the same command seeds again", ui.Size(sh.sent())),
	}
}

func (sh *sharing) sent() (n int64) {
	for _, t := range sh.torrents {
		n += t.Stats().Uploaded
	}
	return n
}
