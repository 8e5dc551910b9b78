package main

import (
	"os"

	"github.com/spf13/cobra"

	"shoal/internal/lab"
)

func labCommand(out *output, e env) *cobra.Command {
	o := lab.Options{Out: e.stdout}
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "Watch a whole swarm at work on this machine",
		Long: `Run a whole swarm on this machine, with the real engine, and print every message
with the reason it was sent: eight DHT nodes, a seed, a peer with two of three
pieces, and one with nothing that knows a single node. Nothing leaves the
loopback, and nothing is left behind unless --keep names a folder for it.`,
		Example: `  shoal lab
  shoal lab --json
  shoal lab --keep /tmp/lab`,
		Args: noWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if left, err := os.ReadDir(o.Keep); o.Keep != "" && err == nil && len(left) > 0 {
				return usageErr("name a new folder, or empty this one", "lab --keep %s: the folder is not empty", printable(o.Keep))
			}
			o.JSON = out.json
			o.Color = out.live() && out.screen.colour != colours{}
			begun := out.now()
			if err := lab.Run(cmd.Context(), o); err != nil {
				return fail("run the lab", err)
			}
			out.event("complete", secondsEvent{seconds(out.now().Sub(begun))})
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Keep, "keep", "", "keep the torrent, the files and the traces in this folder, `DIR`")
	cmd.MarkFlagDirname("keep")
	addJSON(cmd)
	return cmd
}
