package network

import (
	"os"

	"github.com/spf13/cobra"

	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/ui"
	"shoal/internal/lab"
)

func LabCommand(out *ui.Output, e ui.Env) *cobra.Command {
	o := lab.Options{Out: e.Stdout}
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
		Args: cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if left, err := os.ReadDir(o.Keep); o.Keep != "" && err == nil && len(left) > 0 {
				return ui.UsageError("name a new folder, or empty this one", "lab --keep %s: the folder is not empty", ui.Printable(o.Keep))
			}
			o.JSON = out.JSON
			o.Color = out.Live() && out.Screen.Colour != ui.Colours{}
			begun := out.Now()
			if err := lab.Run(cmd.Context(), o); err != nil {
				return ui.Fail("run the lab", err)
			}
			out.Event("complete", ui.SecondsEvent{Seconds: ui.Seconds(out.Now().Sub(begun))})
			return nil
		},
	}
	cmd.Flags().StringVar(&o.Keep, "keep", "", "keep the torrent, the files and the traces in this folder, `DIR`")
	cmd.MarkFlagDirname("keep")
	cmdline.AddJSON(cmd)
	return cmd
}
