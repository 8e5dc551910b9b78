package transfer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/progress"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
)

type runningEvent struct {
	Addr     string `json:"addr"`
	Torrents int    `json:"torrents"`
	Complete int    `json:"complete"`
	Stopped  int    `json:"stopped"`
	Metadata int    `json:"metadata"` // magnets whose metadata is missing
}

type finishedEvent struct {
	InfoHash string `json:"info_hash"`
	Name     string `json:"name"`
	Size     int64  `json:"size"`
	Path     string `json:"path"`
}

type ranEvent struct {
	Torrents   int     `json:"torrents"`
	Downloaded int64   `json:"downloaded"`
	Uploaded   int64   `json:"uploaded"`
	Seconds    float64 `json:"seconds"`
}

func RunCommand(out *ui.Output) *cobra.Command {
	var n session.Flags
	var o runFlags
	cmd := &cobra.Command{
		Use:   "run [SOURCE...] [--dir DIR]",
		Short: "Get and share many torrents, and resume them at the next run",
		Long: `Get the files of torrents, and share them, until Ctrl-C or SIGTERM. A folder as a
SOURCE means all .torrent files in it. --dir is where the files of these go.

What was added is remembered with all that was chosen for it: the next shoal run
goes on with it, from wherever it starts, with or without more torrents. Only
what is in doubt is checked. shoal list shows what is remembered; shoal forget
takes a torrent off the list and leaves its files. A magnet link is on the list from
the start, also while no peer has its metadata. One shoal run at a time
remembers in a folder of state (--state). A torrent that was shared enough
(--ratio) stays on the list, paused; named again, it goes on.

A torrent that is remembered in another folder than --dir names goes on in --dir
when its files are there, or nowhere. When only the old folder has them it stays
there: shoal move moves it, and --anew fetches it again.

With --watch, .torrent files that are put into a folder are added, and .magnet
files with links, one a line. A file that was taken is renamed to NAME.added.

A line "up" says that all torrents have been looked at, and are shared or fetched.`,
		Example: `  shoal run debian.torrent ~/torrents/ --dir ~/Downloads
  shoal run
  shoal run --watch ~/torrents --dir ~/Downloads --on-complete "notify-send done"
  shoal run --state /var/lib/shoal --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			n.DirNamed = cmd.Flags().Changed("dir")
			return runMany(cmd.Context(), out, args, n, o)
		},
	}
	n.Add(cmd)
	o.share.Add(cmd)
	n.Queue.Add(cmd)
	cmd.Flags().Var(&o.allocate, "allocate", "full: reserve room for all files before the first byte; sparse: take what comes")
	o.watch.add(cmd)
	o.onComplete.add(cmd)
	cmd.Flags().BoolVar(&o.again, "anew", false, source.AnewHelp)
	cmd.Flags().BoolVar(&o.overwrite, "overwrite", false, "write over files that are there and are not the torrent's")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if slices.Contains(args, "") {
			return cmdline.EmptyName(cmd)
		}
		return nil
	}
	cmdline.CompleteTorrents(cmd)
	cmdline.AddJSON(cmd)
	return cmd
}

// runFlags are those of run alone, for the torrents that are named.
type runFlags struct {
	share     session.ShareFlags
	allocate  cmdline.AllocateFlag
	overwrite bool
	again     bool

	watch      foldersFlag
	watchEvery time.Duration // 0: as usual; not a flag
	onComplete hookFlag
}

func runMany(ctx context.Context, out *ui.Output, names []string, n session.Flags, o runFlags) error {
	var srcs []source.Source
	var err error
	if err := errors.Join(o.watch.check(), o.onComplete.check()); err != nil {
		return err
	}
	if len(names) > 0 || len(o.watch) > 0 {
		if srcs, err = source.ReadAll(out, names, func(name string) (source.Source, error) { return source.Any(ctx, name, n) }); err != nil {
			return err
		}
		made, err := session.MakeFolder(out, "run", n.Dir)
		if err != nil {
			return err
		}
		unused, err := source.RelistAll(ctx, out, srcs, n, o.again)
		if err != nil {
			return err
		}
		if made && unused && len(o.watch) == 0 {
			_ = os.Remove(n.Dir)
		}
	}
	start := out.Now()
	debug.SetGCPercent(startGC) // nobody knows yet how many are remembered
	n.Remember = true
	s, err := session.Open(out, n)
	if err != nil {
		return err
	}
	out.Stamps = true // what happens stays as a line with its time
	m := &lasting{Session: s, again: make(map[string]bool), known: make(map[*shoal.Torrent]bool), hooks: newHooks(ctx, out, o.onComplete)}
	if err = m.begin(ctx, srcs, n, o); err == nil {
		err = m.run(ctx, &arrivals{m, n, o, make(chan *shoal.Torrent)})
	}
	m.hooks.wait()
	down, up := m.moved()
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	if err == nil { // SIGTERM, by which services are ended
		out.Say("stopped: %s received, %s sent; shoal run goes on", ui.Size(down), ui.Size(up))
		out.Event("complete", ranEvent{len(m.torrents), down, up, ui.Seconds(out.Now().Sub(start))})
	}
	return err
}

// A lasting is one run of run.
type lasting struct {
	*session.Session
	torrents []*shoal.Torrent
	stopped  int             // remembered, and not to be run
	again    map[string]bool // info-hashes of torrents that were named, and remembered before
	hooks    *hooks

	mu    sync.Mutex
	known map[*shoal.Torrent]bool // those of which an event has told what they are
}

// learned tells what a torrent is, once.
func (m *lasting) learned(t *shoal.Torrent) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !t.HasMetadata() || m.known[t] {
		return
	}
	m.known[t] = true
	if m.Out.JSON { // of thousands this is work
		s := t.Stats()
		m.Out.Event("torrent", torrentOf(t, s.Size, s.Pieces, s.PieceLength))
	}
}

// added says that a torrent was added.
func (m *lasting) added(t *shoal.Torrent, src source.Source) {
	if src.Meta != nil {
		m.Out.Say("added %s  %s", src.Name(), ui.Size(src.Meta.Info.Saved()))
		return
	}
	m.Out.Say("added %s; its metadata is looked for", ui.Printable(t.Name()))
}

// begin adds what was named to what is remembered.
func (m *lasting) begin(ctx context.Context, srcs []source.Source, n session.Flags, o runFlags) error {
	session.TellProblems(m.Out, m.Engine.Problems())
	was, away := len(m.Engine.Torrents()), m.away()
	for i, src := range srcs {
		srcs[i] = source.Source{} // its memory is for the next ones
		t, err := m.take(&src, n, o, away)
		if err != nil {
			return ui.Fail("run "+src.Name(), err)
		}
		if t == nil {
			m.again[source.InfoHash(src)] = true
			continue
		}
		m.added(t, src)
	}
	for _, r := range m.Engine.Remembered() {
		t := r.Torrent
		if t == nil {
			m.stopped++
			continue
		}
		m.torrents = append(m.torrents, t)
		m.learned(t)
	}
	if was > 0 {
		m.Out.Say("going on with %s", ui.Count(was, "torrent"))
	}
	if len(m.torrents) == 0 && len(o.watch) == 0 {
		return &ui.Failure{Code: ui.ExitFailed, Err: errors.New("run: there is nothing to run"), Hint: "name a .torrent file, a folder of them, a magnet link, an info-hash or a URL"}
	}
	return nil
}

// take adds a torrent that is named. One that is remembered goes on instead, with what was
// chosen for it; t is nil then. away is m.away.
func (m *lasting) take(src *source.Source, n session.Flags, o runFlags, away map[string]string) (t *shoal.Torrent, err error) {
	if err = m.wake(source.InfoHash(*src), n.Dir, away); err == nil {
		t, err = m.addNew(src, shoal.AddOptions{
			Metainfo: src.Raw, Parsed: src.Meta, FileName: src.FileName(), Dir: n.Dir, Peers: n.Peers, Share: o.share.Limits(), Allocate: o.allocate == "full", Overwrite: o.overwrite, Redownload: o.again,
		})
	}
	switch {
	case errors.Is(err, shoal.ErrDuplicate):
		m.Out.Say("%s is here already", src.Name())
		return nil, m.goOn(src, n, o)
	case err != nil:
		return nil, err
	}
	return t, nil
}

// addNew adds a torrent, and does not wait for the metadata of a magnet.
func (m *lasting) addNew(src *source.Source, opt shoal.AddOptions) (*shoal.Torrent, error) {
	if src.Link == nil {
		return m.Engine.Add(opt)
	}
	return m.Engine.AddMagnet(src.Link.String(), opt)
}

// away returns the folders of the torrents that are remembered and do not run, by info-hash. A
// folder that is not known is empty.
func (m *lasting) away() map[string]string {
	dirs := make(map[string]string)
	for _, r := range m.Engine.Remembered() {
		if r.Torrent == nil {
			dirs[r.InfoHash] = r.Dir
		}
	}
	return dirs
}

// wake starts a torrent that is remembered and does not run yet, in the folder that the list
// has, or in dir when that is not known. ErrDuplicate says that there is nothing to add.
func (m *lasting) wake(hash, dir string, away map[string]string) error {
	if _, runs := m.Engine.Torrent(hash); runs {
		return shoal.ErrDuplicate
	}
	at, known := away[hash]
	if !known {
		return nil
	}
	if at != "" {
		dir = ""
	}
	if _, err := m.Engine.StartTorrent(hash, dir); err != nil {
		return err
	}
	return shoal.ErrDuplicate
}

// goOn resumes a torrent that is named again, should it be paused, and shares it as the
// flags of this run say. A magnet takes its metadata from a file that is named.
func (m *lasting) goOn(src *source.Source, n session.Flags, o runFlags) error {
	t, ok := m.Engine.Torrent(source.InfoHash(*src))
	if !ok {
		return nil // it has ended since
	}
	if src.Raw != nil && !t.HasMetadata() {
		if _, err := m.Engine.Add(shoal.AddOptions{Metainfo: src.Raw, Dir: n.Dir}); err != nil && !errors.Is(err, shoal.ErrDuplicate) {
			return err
		}
	}
	t.AddPeers(n.Peers...) // of one that comes later; at the start they are not checked yet
	if o.again {
		t.RedownloadMissing()
	}
	if o.share.Any() {
		if err := t.SetShareLimits(o.share.Limits()); err != nil {
			return err
		}
	}
	t.Resume()
	return nil
}

// run looks at all torrents, says what they have, and gets and shares them until the end.
func (m *lasting) run(ctx context.Context, later *arrivals) error {
	what := progress.Options{Learned: func(t *shoal.Torrent) {
		m.Out.Say("the metadata of %s is here: %s in %s", ui.Printable(t.Name()), ui.Size(t.Stats().Size), ui.Count(len(t.Files()), "file"))
		m.learned(t)
	}, Finished: func(t *shoal.Torrent) {
		m.Out.Say("complete: %s, saved as %s", ui.Printable(t.Name()), ui.Printable(t.Path()))
		m.Out.Event("finished", finishedEvent{t.InfoHash(), t.Name(), t.Stats().Wanted(), t.Path()})
		m.hooks.complete(t)
	}}
	w := progress.WatchAll(m.Out, m.Engine, what, m.torrents)
	defer func() { w.Stop() }()
	up := runningEvent{Addr: m.Engine.Addr().String(), Torrents: len(m.torrents), Stopped: m.stopped}
	for _, t := range m.torrents {
		if m.learned(t); !t.HasMetadata() {
			up.Metadata++
			continue // peers may send it in a minute, or never
		}
		s, err := t.WaitChecked(ctx)
		if ui.StopSignal(ctx) != nil {
			if ui.Terminated(ctx) {
				return nil
			}
			return m.interrupted(ctx)
		}
		if err != nil {
			m.Out.Warn("%s", ui.Printable(ui.Fail("run "+t.Name(), err).Error()))
			continue
		}
		if m.again[t.InfoHash()] {
			t.AddPeers(later.n.Peers...)
		}
		m.Out.Event("checked", checkedOf(s))
		if s.Have == s.Pieces {
			up.Complete++
		}
	}
	// What was named is safe before anybody relies on it.
	if err := m.Engine.Save(ctx); err != nil && ctx.Err() == nil {
		m.Out.Warn("%s", ui.Printable(ui.Fail("remember the torrents", err).Error()))
	}
	m.Out.Say("%s at %s, %s of them complete", ui.Count(up.Torrents, "torrent"), up.Addr, ui.Grouped(int64(up.Complete)))
	if up.Metadata > 0 {
		m.Out.Say("%s without metadata", ui.Count(up.Metadata, "torrent"))
	}
	if m.stopped > 0 {
		m.Out.Say("%s stopped", ui.Count(m.stopped, "torrent"))
	}
	m.Out.Mark("up") // alone on its line, so that it can be waited for
	m.Out.Event("up", up)
	defer spare(ctx, m.Session, len(m.torrents))()
	again := func() {
		w.Stop()
		w = progress.WatchAll(m.Out, m.Engine, what, m.torrents)
	}
	if err := later.untilEnd(ctx, again); err != nil {
		return ui.Fail("run", err)
	}
	w.Stop()
	if ui.StopSignal(ctx) != nil && !ui.Terminated(ctx) {
		return m.interrupted(ctx)
	}
	return nil
}

// interrupted is the failure of a run that a person ended.
func (m *lasting) interrupted(ctx context.Context) error {
	_, up := m.moved()
	return &ui.Failure{
		Code: ui.ExitInterrupted, Err: fmt.Errorf("run: %w", context.Cause(ctx)),
		Hint: fmt.Sprintf("%s sent; shoal run goes on", ui.Size(up)),
	}
}

// moved returns the payload of this run.
func (m *lasting) moved() (down, up int64) {
	for _, t := range m.torrents {
		s := t.Stats()
		down += s.Downloaded
		up += s.Uploaded
	}
	return down, up
}
