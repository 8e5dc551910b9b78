package library

import (
	"context"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
)

type movedEvent struct {
	InfoHash string  `json:"info_hash"`
	Name     string  `json:"name"`
	From     string  `json:"from"`
	To       string  `json:"to"`
	Size     int64   `json:"size"`
	Seconds  float64 `json:"seconds"`
}

func MoveCommand(out *ui.Output) *cobra.Command {
	var n session.Flags
	cmd := &cobra.Command{
		Use:   "move SOURCE TO [--dir FROM]",
		Short: "Move the files of a torrent to another folder or volume",
		Long: `Move the files of a torrent, and what is known of them, to the folder TO, which
must exist. On the same volume nothing is copied; on another one the copy is
verified before the old files go. Nothing there is written over. Broken off at
any moment, the files are whole in one of the two places.

SOURCE is a .torrent file, or a magnet link, info-hash or name of a torrent that
shoal run remembers or whose metadata was received before. One that shoal run
remembers is moved from where the list has it, and the list changes with it, so
that the next run goes on in the new place. That needs a moment in which no
shoal run is up.`,
		Example: `  shoal move photos.torrent /mnt/archive --dir ~/Downloads
  shoal move debian-13.1.0-amd64-netinst.iso /mnt/archive`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return ui.UsageError("see: shoal move --help", "move takes a torrent and a folder, not %s", ui.Count(len(args), "word"))
			}
			if args[0] == "" || args[1] == "" {
				return cmdline.EmptyName(cmd)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			n.DirNamed = cmd.Flags().Changed("dir")
			return move(cmd.Context(), out, args[0], args[1], n)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&n.Dir, "dir", "d", ".", "the folder `DIR` that holds the torrent's file or folder now")
	f.StringVar(&n.State, "state", "", "the folder `DIR` for what must survive a restart; none: keep nothing (default the user's state folder)")
	cmd.MarkFlagDirname("dir")
	cmd.MarkFlagDirname("state")
	cmdline.AddJSON(cmd)
	return cmd
}

// move moves the files with an engine that talks to nobody.
func move(ctx context.Context, out *ui.Output, name, to string, n session.Flags) error {
	k, err := source.FindKnown(ctx, name, n)
	if err != nil {
		return err
	}
	what := "move " + k.Name() + " to " + ui.Printable(to)
	if err := session.CheckFolder("move "+k.Name(), to); err != nil {
		return err
	}
	start := out.Now()
	a, err := alone(ctx, what, k, n)
	if err != nil {
		return err
	}
	defer a.close()
	from := a.dir
	if gone := a.torrent.Stats(); gone.State == shoal.StateMissing {
		if err := a.relist(ctx, what, to, gone.Err); err != nil {
			return err
		}
		out.Say("the files of %s are in %s already: the list says so now", k.Name(), ui.Printable(to))
		out.Event("complete", movedEvent{a.torrent.InfoHash(), a.torrent.Name(), from, to, 0, ui.Seconds(out.Now().Sub(start))})
		return nil
	}
	t := a.torrent
	s := t.Stats()
	m := ui.NewMeter(out, "moving")
	err = t.Move(ctx, to, func(done, total int64) {
		m.Show(done, total, func() { out.Event("progress", m.Fields(done, total)) })
	})
	out.Clear()
	if err != nil {
		return ui.Fail(what, err)
	}
	out.Say("moved %s: %s from %s to %s", k.Name(), ui.Size(s.Verified), ui.Printable(from), ui.Printable(to))
	if a.listed {
		out.Say("shoal run goes on with it there")
	}
	out.Event("complete", movedEvent{t.InfoHash(), t.Name(), from, to, s.Verified, ui.Seconds(out.Now().Sub(start))})
	return nil
}
