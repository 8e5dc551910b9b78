package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"shoal"
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

func seedCommand(out *output) *cobra.Command {
	var n netFlags
	var share shareFlags
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
			n.dirNamed = cmd.Flags().Changed("dir")
			return seed(cmd.Context(), out, args, n, share)
		},
	}
	n.add(cmd)
	share.add(cmd)
	sources(cmd, 0)
	addJSON(cmd)
	return cmd
}

func seed(ctx context.Context, out *output, names []string, n netFlags, share shareFlags) error {
	srcs, err := readSources(out, names, func(name string) (source, error) { return anySource(ctx, name, n) })
	if err != nil {
		return err
	}
	if err := folderThere("seed", n.dir); err != nil {
		return err
	}
	start := out.now()
	if len(srcs) > few {
		debug.SetGCPercent(manyGC) // what is between the torrents stays there
	}
	s, err := openSession(out, n)
	if err != nil {
		return err
	}
	sh := &sharing{session: s, share: share, others: make(map[string]*listing)}
	if err = sh.begin(ctx, srcs, n); err == nil {
		err = sh.run(ctx)
	}
	if cerr := s.close(); err == nil {
		err = cerr
	}
	if err == nil { // SIGTERM, by which services are ended
		sent := sh.sent()
		out.say("stopped: %s sent", size(sent))
		out.event("complete", seededEvent{len(sh.torrents), sent, seconds(out.now().Sub(start))})
	}
	return err
}

// A sharing is one run of seed.
type sharing struct {
	*session
	share    shareFlags
	torrents []*shoal.Torrent
	others   map[string]*listing // torrents that shoal run has in another folder, by info-hash
}

// begin adds the torrents. The same one twice is told and passed over.
func (sh *sharing) begin(ctx context.Context, srcs []source, n netFlags) error {
	for i, src := range srcs {
		srcs[i] = source{} // its memory is for the next ones
		dir, l, err := placed(ctx, sh.out, src, n)
		if err != nil {
			return err
		}
		if l != nil {
			sh.others[l.hash] = l
		}
		t, err := addTorrent(ctx, sh.session, "seed", &src, shoal.AddOptions{Metainfo: src.raw, FileName: src.fileName(), Dir: dir, Peers: n.peers, SeedOnly: true, Share: sh.share.limits()})
		if errors.Is(err, shoal.ErrDuplicate) {
			sh.out.warn("passed over: %s is the same torrent as one named before", printable(src.path))
			continue
		}
		if err != nil {
			return fail("seed "+src.name(), err)
		}
		sh.torrents = append(sh.torrents, t)
		info := src.meta.Info
		sh.out.event("torrent", torrentOf(t, info.Saved(), int(info.NumPieces()), info.PieceLength))
	}
	return nil
}

// addTorrent adds a torrent, once its metadata is there.
func addTorrent(ctx context.Context, s *session, what string, src *source, opt shoal.AddOptions) (*shoal.Torrent, error) {
	if src.link == nil {
		return s.engine.Add(opt)
	}
	opt.OnMetadata = func(meta *metainfo.Torrent, _ *shoal.AddOptions) error {
		src.meta = meta
		return nil
	}
	m, err := s.engine.AddMagnet(src.link.String(), opt)
	if err != nil {
		return nil, err
	}
	if err := learn(ctx, s, m); err != nil {
		return nil, unlearned(ctx, what+" "+m.Name(), err)
	}
	return m.Wait(ctx)
}

// run checks all torrents, says what they have, and shares them until the end.
func (sh *sharing) run(ctx context.Context) error {
	w := watch(sh.out, sh.engine, sh.torrents...)
	defer w.stop()
	up := upEvent{Addr: sh.engine.Addr().String(), Torrents: len(sh.torrents)}
	var lacking error // of the last torrent that has nothing
	lacks := func(err error) {
		if lacking = err; len(sh.torrents) > 1 { // the command ends with that of the only one
			sh.out.warn("%s", printable(err.Error()))
		}
	}
	for _, t := range sh.torrents {
		s, err := t.WaitChecked(ctx)
		if stopSignal(ctx) != nil {
			return sh.stopped(ctx, true)
		}
		if err == nil {
			sh.out.event("checked", checkedOf(s))
		}
		switch {
		case err != nil:
			lacks(fail("seed "+printable(t.Name()), err))
		case s.State == shoal.StateMissing || s.State == shoal.StateStalled && s.Have == 0:
			lacks(sh.others[t.InfoHash()].hint(fail("seed "+printable(t.Name()), s.Err)))
		case s.Have == s.Pieces:
			up.Complete++
			sh.out.say("seeding %s  %s", printable(t.Name()), size(s.Size))
		case s.Have > 0:
			up.Partial++
			sh.out.warn("%s lacks %s of %s and shares the others; shoal verify says which files, shoal get fetches them",
				printable(t.Name()), group(int64(s.Pieces-s.Have)), count(s.Pieces, "piece"))
		default:
			lacks(sh.others[t.InfoHash()].hint(nothing(t)))
		}
	}
	if up.Complete+up.Partial == 0 {
		return lacking
	}
	sh.out.say("%s at %s", count(up.Complete+up.Partial, "torrent"), up.Addr)
	sh.out.say("up") // alone on its line, so that it can be waited for
	sh.out.event("up", up)
	defer spare(ctx, sh.session, len(sh.torrents))()
	if err := ended(ctx, sh.out, sh.engine, sh.torrents...); err != nil {
		return fail("seed", err)
	}
	w.stop()
	return sh.stopped(ctx, false)
}

// stopped tells how a signal ended the sharing: SIGTERM is the normal end of a
// seed that is up, as is that all was shared enough.
func (sh *sharing) stopped(ctx context.Context, early bool) error {
	if toldToEnd(ctx) || !early && stopSignal(ctx) == nil {
		return nil
	}
	return &failure{
		exitInterrupted, fmt.Errorf("seed: %w", context.Cause(ctx)),
		fmt.Sprintf("%s sent; the same command seeds again", size(sh.sent())),
	}
}

func (sh *sharing) sent() (n int64) {
	for _, t := range sh.torrents {
		n += t.Stats().Uploaded
	}
	return n
}
