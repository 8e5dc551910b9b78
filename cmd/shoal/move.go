package main

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/spf13/cobra"

	"shoal"
)

type movedEvent struct {
	InfoHash string  `json:"info_hash"`
	Name     string  `json:"name"`
	From     string  `json:"from"`
	To       string  `json:"to"`
	Size     int64   `json:"size"`
	Seconds  float64 `json:"seconds"`
}

func moveCommand(out *output) *cobra.Command {
	var n netFlags
	cmd := &cobra.Command{
		Use:   "move SOURCE TO [--dir FROM]",
		Short: "Move the files of a torrent to another folder or volume",
		Long: `Move the files of a torrent, and what is known of them, to the folder TO, which
must exist. On the same volume nothing is copied; on another one the copy is
verified before the old files go. Nothing there is written over. Broken off at
any moment, the files are whole in one of the two places.`,
		Example: `  shoal move photos.torrent /mnt/archive --dir ~/Downloads`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageErr("see: shoal move --help", "move takes a torrent and a folder, not %s", count(len(args), "word"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return move(cmd.Context(), out, args[0], args[1], n)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&n.dir, "dir", "d", ".", "the folder `DIR` that holds the torrent's file or folder now")
	f.StringVar(&n.state, "state", "", "the folder `DIR` for what must survive a restart; none: keep nothing (default the user's state folder)")
	cmd.MarkFlagDirname("dir")
	cmd.MarkFlagDirname("state")
	addJSON(cmd)
	return cmd
}

// move has the files moved by an engine that talks to nobody.
func move(ctx context.Context, out *output, name, to string, n netFlags) error {
	src, err := readSource(name)
	if err != nil {
		return err
	}
	what := "move " + src.name() + " to " + printable(to)
	start := out.now()
	t, closeEngine, err := alone(ctx, what, src, n)
	if err != nil {
		return err
	}
	defer closeEngine()
	s := t.Stats()
	m := newMeter(out, "moving")
	err = t.Move(ctx, to, func(done, total int64) {
		m.show(done, total, func() { out.event("progress", hashingEvent{done, total}) })
	})
	out.clear()
	if err != nil {
		return fail(what, err)
	}
	out.say("moved %s: %s in %s", src.name(), size(s.Verified), fmt.Sprint(printable(to)))
	out.event("complete", movedEvent{t.InfoHash(), t.Name(), n.dir, to, s.Verified, seconds(out.now().Sub(start))})
	return nil
}

// alone starts an engine that talks to nobody, with a torrent whose files are there, for a
// command that does something to them. closeEngine is to be called when it is done. what
// says in errors what the command attempts.
func alone(ctx context.Context, what string, src source, n netFlags) (t *shoal.Torrent, closeEngine func(), err error) {
	state, err := n.stateDir()
	if err != nil {
		return nil, nil, fail("find the folder of state", err)
	}
	e, err := shoal.New(shoal.Config{
		Listen: netip.MustParseAddrPort("127.0.0.1:0"), DHT: shoal.DHTConfig{Off: true}, StateDir: state,
	})
	if err != nil {
		return nil, nil, fail(what, err)
	}
	closeEngine = func() { e.Close(context.WithoutCancel(ctx)) }
	t, err = e.Add(shoal.AddOptions{Metainfo: src.raw, Dir: n.dir, SeedOnly: true})
	var s shoal.Stats
	if err == nil {
		s, err = t.Checked(ctx)
	}
	switch {
	case err != nil:
		err = fail(what, err)
	case s.Err != nil:
		err = fail(what, s.Err)
	case s.Have == 0:
		err = nothing(t)
	}
	if err != nil {
		closeEngine()
		return nil, nil, err
	}
	return t, closeEngine, nil
}
