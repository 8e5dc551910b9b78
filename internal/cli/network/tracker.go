package network

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
	"shoal/magnet"
	"shoal/metainfo"
	"shoal/tracker"
)

type trackerUpEvent struct {
	URLs []string `json:"urls"`
	Only int      `json:"only"`
}

type trackerStatsEvent struct {
	Torrents  int    `json:"torrents"`
	Peers     int    `json:"peers"`
	Announces uint64 `json:"announces"`
	Scrapes   uint64 `json:"scrapes"`
	Refused   uint64 `json:"refused"`
	Dropped   uint64 `json:"dropped"`
}

// trackerEvery is how often a tracker tells what it has done, where that has changed.
const trackerEvery = 10 * time.Second

type trackerFlags struct {
	listen   cmdline.ListensFlag
	interval cmdline.TimeFlag
	torrents int
	peers    int
}

func TrackerCommand(out *ui.Output) *cobra.Command {
	var f trackerFlags
	cmd := &cobra.Command{
		Use:   "tracker [SOURCE...]",
		Short: "Be a tracker, over HTTP and UDP",
		Long: `Be a tracker over HTTP and UDP: peers announce themselves to it and learn of each
other, IPv4 and IPv6 alike. With SOURCEs it serves these torrents alone: .torrent files, folders
of them, magnet links or info-hashes; without, every torrent that is announced.

A line "up" says that it answers, below its announce URLs. It keeps nothing on disk, and
forgets a peer that is silent for two intervals. It runs until Ctrl-C or SIGTERM.`,
		Example: `  shoal tracker
  shoal tracker photos.torrent --listen 192.0.2.7:6969
  shoal tracker --listen 127.0.0.1:0 --interval 1m --json`,
		RunE: func(cmd *cobra.Command, args []string) error { return runTracker(cmd.Context(), out, args, f) },
	}
	flags := cmd.Flags()
	flags.VarP(&f.listen, "listen", "l", "address for TCP and UDP; port 0 picks one (repeat for more; default port 6969 of all addresses)")
	f.interval = cmdline.TimeFlag(tracker.DefaultInterval)
	flags.Var(&f.interval, "interval", "how often peers are to announce themselves, such as 30m")
	flags.IntVar(&f.torrents, "max-torrents", tracker.DefaultTorrents, "how many torrents there may be at a time")
	flags.IntVar(&f.peers, "max-peers", tracker.DefaultPeers, "how many peers of all torrents together")
	cmd.PreRunE = func(*cobra.Command, []string) error {
		switch {
		case f.interval < cmdline.TimeFlag(10*time.Second) || f.interval > cmdline.TimeFlag(24*time.Hour):
			return ui.UsageError("write it like 30m", "--interval is from 10s to 24h, not %v", f.interval.String())
		case f.torrents < 1 || f.peers < 1:
			return ui.UsageError("leave them away for the default", "--max-torrents and --max-peers are at least 1")
		}
		return nil
	}
	cmdline.AddJSON(cmd)
	return cmd
}

func runTracker(ctx context.Context, out *ui.Output, names []string, f trackerFlags) error {
	only, err := hashesOf(out, names)
	if err != nil {
		return err
	}
	s, err := tracker.NewServer(tracker.ServerConfig{
		Listen: f.listen, Interval: time.Duration(f.interval), Torrents: f.torrents, Peers: f.peers, Only: only,
	})
	if err != nil {
		return ui.Fail("start the tracker", err)
	}
	up := trackerUpEvent{Only: len(only)}
	for _, a := range s.Addrs() {
		up.URLs = append(up.URLs, "http://"+a.String()+"/announce", "udp://"+a.String()+"/announce")
	}
	out.Say("%s", strings.Join(up.URLs, "\n"))
	if len(only) > 0 {
		out.Say("for %s alone", ui.Count(len(only), "torrent"))
	}
	out.Say("up") // alone on its line, so that it can be waited for
	out.Event("up", up)

	tick := time.NewTicker(trackerEvery)
	defer tick.Stop()
	var told tracker.ServerStats
	for ctx.Err() == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if st := s.Stats(); st != told {
			told = st
			out.Event("progress", trackerStats(st))
			out.Draw(func(int, int, ui.Glyphs, ui.Colours) []string { return []string{trackerLine(st)} })
		}
	}
	if err := s.Close(); err != nil {
		return ui.Fail("stop the tracker", err)
	}
	if !ui.Terminated(ctx) {
		return &ui.Failure{Code: ui.ExitInterrupted, Err: fmt.Errorf("tracker: %w", context.Cause(ctx)), Hint: trackerLine(told)}
	}
	out.Say("stopped: %s", trackerLine(told))
	out.Event("complete", trackerStats(told))
	return nil
}

func trackerStats(st tracker.ServerStats) trackerStatsEvent {
	return trackerStatsEvent{st.Torrents, st.Peers, st.Announces, st.Scrapes, st.Refused, st.Dropped}
}

func trackerLine(st tracker.ServerStats) string {
	return fmt.Sprintf("%s of %s; %s, %s, %s refused", ui.Count(st.Peers, "peer"), ui.Count(st.Torrents, "torrent"),
		ui.Count(int64(st.Announces), "announce"), ui.Count(int64(st.Scrapes), "scrape"), ui.Grouped(int64(st.Refused)))
}

// hashesOf returns the info-hashes of sources: .torrent files, folders of them, magnet links
// and info-hashes. It is nil for none.
func hashesOf(out *ui.Output, names []string) ([]metainfo.Hash, error) {
	var all []metainfo.Hash
	var files []string
	for _, name := range names {
		h, _, ok, err := namedHash(name)
		switch {
		case err != nil:
			return nil, err
		case ok:
			all = append(all, h)
		default:
			files = append(files, name)
		}
	}
	srcs, err := source.ReadAll(out, files, source.ReadFile)
	for _, src := range srcs {
		all = append(all, src.Meta.InfoHash)
	}
	return all, err
}

// namedHash reads an info-hash or a magnet link, with its trackers; false for anything
// else.
func namedHash(name string) (h metainfo.Hash, trackers []string, ok bool, err error) {
	if k := cmdline.KindOf(name); k != cmdline.KindMagnet && k != cmdline.KindHash {
		return h, nil, false, nil
	}
	link, err := magnet.Parse(name)
	if err == nil && link.V1 == (metainfo.Hash{}) {
		err = fmt.Errorf("it is of a v2 torrent, which trackers know by another name")
	}
	if err != nil {
		return h, nil, false, ui.SourceError("copy the whole link", "read the magnet link: %w", err)
	}
	return link.V1, link.Trackers, true, nil
}
