package library

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
)

type renamedEvent struct {
	InfoHash string `json:"info_hash"`
	Name     string `json:"name"`
	Dir      string `json:"dir"`
	From     string `json:"from"`
	To       string `json:"to"`
}

func RenameCommand(out *ui.Output) *cobra.Command {
	var n session.Flags
	var c source.ChooseFlags
	cmd := &cobra.Command{
		Use:   "rename SOURCE FILE NAME [--dir DIR]",
		Short: "Rename a file or folder of a torrent",
		Long: `Rename a file of a torrent, or a folder with all that is in it, and
remember that it is the same: get, seed and verify find it by that. A NAME
with a slash is a path below --dir; without, the folder stays. Nothing is
written over. Broken off at any moment, each file has the one name or the other.

FILE is a path or a name, the number that shoal show prints, or a pattern that
fits one file alone. SOURCE is a .torrent file, or a magnet link, info-hash or name of a torrent that
shoal run remembers or whose metadata was received before. The list of shoal run
changes with it, which needs a moment in which no shoal run is up.`,
		Example: `  shoal rename photos.torrent IMG_0001.JPG beach.jpg --dir ~/Pictures
  shoal rename photos.torrent 3 beach.jpg --dir ~/Pictures
  shoal rename photos.torrent photos "photos 2026" --dir ~/Pictures`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 3 {
				return ui.UsageError("see: shoal rename --help", "rename takes a torrent, a file or folder of it, and a name, not %s", ui.Count(len(args), "word"))
			}
			if slices.Contains(args, "") {
				return cmdline.EmptyName(cmd)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			n.DirNamed = cmd.Flags().Changed("dir")
			return rename(cmd.Context(), out, args[0], args[1], args[2], n, c.Folded)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&n.Dir, "dir", "d", ".", "the folder `DIR` that holds the torrent's file or folder")
	f.StringVar(&n.State, "state", "", "the folder `DIR` for what must survive a restart (default the user's state folder)")
	cmd.MarkFlagDirname("dir")
	cmd.MarkFlagDirname("state")
	c.AddFold(cmd)
	cmdline.AddJSON(cmd)
	return cmd
}

// rename renames a file with an engine that talks to nobody.
func rename(ctx context.Context, out *ui.Output, name, file, to string, n session.Flags, folded bool) error {
	k, err := source.FindKnown(ctx, name, n)
	if err != nil {
		return err
	}
	what := "rename " + ui.Printable(file) + " to " + ui.Printable(to)
	if n.State == "none" {
		return ui.UsageError("name the folder of state, or leave it away", "--state none: then nobody would know the file by its new name")
	}
	a, err := alone(ctx, what, k, n)
	if err != nil {
		return err
	}
	defer a.close()
	t := a.torrent
	if s := t.Stats(); s.State == shoal.StateMissing {
		return ui.Fail(what, s.Err)
	}
	files := &source.Chooser{Folded: folded, Of: ui.Printable(t.Name())}
	for _, f := range t.Files() {
		files.Files = append(files.Files, source.ChosenFile{Path: f.Path, Size: f.Length})
	}
	from, err := source.FindPath(files, file)
	if err != nil {
		return err
	}
	to = source.NewPath(from, to)
	if err := t.Rename(ctx, from, to); err != nil {
		f := ui.Fail(what, err)
		if errors.Is(err, fs.ErrExist) {
			f = &ui.Failure{Code: ui.ExitFailed, Err: err, Hint: "move what is there out of the way, or choose another name"}
		}
		return f
	}
	out.Say("renamed %s to %s", ui.Printable(from), ui.Printable(to))
	out.Event("complete", renamedEvent{t.InfoHash(), t.Name(), t.Dir(), from, to})
	return nil
}
