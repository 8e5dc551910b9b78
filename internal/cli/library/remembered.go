package library

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
)

type rememberedEvent struct {
	InfoHash   string    `json:"info_hash"`
	Name       string    `json:"name"`
	Size       int64     `json:"size"`
	Dir        string    `json:"dir"`
	Added      time.Time `json:"added"`
	Stopped    bool      `json:"stopped"`
	Paused     bool      `json:"paused"`
	Verified   int64     `json:"verified"`
	Wanted     int64     `json:"wanted"`
	WantedHad  int64     `json:"wanted_verified"`
	Downloaded int64     `json:"downloaded"`
	Uploaded   int64     `json:"uploaded"`
	Metadata   bool      `json:"has_metadata"` // false: a magnet whose metadata is missing
}

type listedEvent struct {
	Torrents int `json:"torrents"`
	Stopped  int `json:"stopped"`
}

type forgottenEvent struct {
	InfoHash string `json:"info_hash"`
	Name     string `json:"name"`
	Dir      string `json:"dir"`
	Removed  int    `json:"removed,omitempty"` // files
	Freed    int64  `json:"freed,omitempty"`   // bytes
}

// leftEvent is a file that --delete-files does not remove.
type leftEvent struct {
	InfoHash string `json:"info_hash"`
	Path     string `json:"path"`
	Why      string `json:"why"`
}

type forgotEvent struct {
	Torrents int `json:"torrents"`
}

func ListCommand(out *ui.Output) *cobra.Command {
	var n session.Flags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the torrents that shoal run resumes",
		Long: `List the torrents that shoal run resumes, in their order, one a line: how it
is, how much of it is there, its size, the ratio of all runs, its name and info-hash.
A magnet link whose metadata no peer has sent yet is there, too, in the state metadata.
It can be asked while shoal run is up; what was sent is up to a minute old then.
--json has the folders, too.`,
		Example: `  shoal list
  shoal list --json | jq -r 'select(.event=="remembered") | .name'`,
		Args: cmdline.NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return list(cmd.Context(), out, n)
		},
	}
	n.AddState(cmd)
	cmdline.AddJSON(cmd)
	return cmd
}

func ForgetCommand(out *ui.Output) *cobra.Command {
	var n session.Flags
	var deleteFiles bool
	cmd := &cobra.Command{
		Use:   "forget TORRENT...",
		Short: "Remove torrents from the list of shoal run, and keep their files",
		Long: `Take torrents off the list of shoal run. Their files stay as they are. A TORRENT is
its name, its info-hash, or the first digits of that, six at least. Either all are
found and forgotten, or none is. It is for when no shoal run is up.

--delete-files removes the files that are the torrent's own, and the folders that are
empty then. Other files stay, each with a line that says why: one that was changed or
replaced, that another torrent has, or that lies behind a symbolic link.`,
		Example: `  shoal forget debian-13.1.0-amd64-netinst.iso
  shoal forget 2b66980093bc
  shoal forget --delete-files 2b66980093bc`,
		Args: func(cmd *cobra.Command, args []string) error {
			if slices.Contains(args, "") {
				return cmdline.EmptyName(cmd)
			}
			if len(args) == 0 {
				return ui.UsageError("see: shoal list", "forget: no torrent; name one, or write the first digits of its info-hash")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return forget(cmd.Context(), out, args, n, shoal.RemoveOptions{DeleteFiles: deleteFiles})
		},
	}
	cmd.Flags().BoolVar(&deleteFiles, "delete-files", false, "remove the files of the torrent, too")
	n.AddState(cmd)
	cmdline.AddJSON(cmd)
	return cmd
}

// remembered reads what is remembered, and tells what is wrong with it.
func remembered(ctx context.Context, out *ui.Output, what string, n session.Flags) (all []shoal.Remembered, state string, err error) {
	if state, err = session.NeedState(n); err != nil {
		return nil, "", err
	}
	all, problems, err := shoal.ListRemembered(ctx, state)
	if session.Unusable(err) {
		_, err = n.OpenState()
	}
	session.TellProblems(out, problems)
	return all, state, ui.Fail(what, err)
}

func list(ctx context.Context, out *ui.Output, n session.Flags) error {
	all, _, err := remembered(ctx, out, "list", n)
	if err != nil {
		return err
	}
	var sum listedEvent
	for _, r := range all {
		sum.Torrents++
		if r.Stopped {
			sum.Stopped++
		}
		out.Event("remembered", rememberedEvent{
			r.InfoHash, r.Name, r.Size, r.Dir, r.Added, r.Stopped, r.Paused, r.Verified, r.Wanted, r.WantedVerified, r.Downloaded, r.Uploaded, r.HasMetadata,
		})
	}
	for _, line := range ui.Table(all, out.Cells()) {
		out.Say("%s", line)
	}
	if len(all) == 0 && !out.JSON {
		out.Note("no torrent is remembered; shoal run SOURCE adds some")
	}
	out.Event("complete", sum)
	return nil
}

func forget(ctx context.Context, out *ui.Output, names []string, n session.Flags, opt shoal.RemoveOptions) error {
	all, state, err := remembered(ctx, out, "forget", n)
	if err != nil {
		return err
	}
	var chosen []shoal.Remembered
	for _, name := range names {
		r, err := pick(all, name)
		if err != nil {
			return err
		}
		chosen = append(chosen, r)
	}
	for _, r := range chosen {
		gone, err := shoal.RemoveRemembered(ctx, state, r.InfoHash, opt)
		sayLeft(out, r.InfoHash, gone)
		if err != nil && !errors.Is(err, shoal.ErrUnknown) { // named twice
			return ui.Fail("forget "+ui.Printable(r.Name), err)
		}
		switch {
		case !r.HasMetadata:
			out.Say("forgot %s; it had no files yet", ui.Printable(r.Name))
		case opt.DeleteFiles:
			out.Say("forgot %s; removed %s, %s", ui.Printable(r.Name), ui.Count(len(gone.Removed), "file"), ui.Size(gone.Freed))
		default:
			out.Say("forgot %s; its files are in %s", ui.Printable(r.Name), ui.Printable(r.Dir))
		}
		out.Event("forgotten", forgottenEvent{r.InfoHash, r.Name, r.Dir, len(gone.Removed), gone.Freed})
	}
	out.Event("complete", forgotEvent{len(chosen)})
	return nil
}

// sayLeft says which files stay, and why.
func sayLeft(out *ui.Output, infoHash string, gone shoal.RemoveResult) {
	for _, l := range gone.Left {
		why := l.Why
		if l.Err != nil {
			why += ": " + l.Err.Error()
		}
		out.Say("left %s: %s", ui.Printable(l.Path), ui.Printable(why))
		out.Event("left", leftEvent{infoHash, l.Path, why})
	}
}

// pick finds the one torrent that a person means.
func pick(all []shoal.Remembered, name string) (shoal.Remembered, error) {
	found := source.Likely(all, name)
	switch len(found) {
	case 0:
		return shoal.Remembered{}, ui.SourceError("shoal list shows what there is", "forget %s: no such torrent is remembered", ui.Printable(name))
	case 1:
		return found[0], nil
	}
	return shoal.Remembered{}, ui.UsageError("write more digits of its info-hash: shoal list shows them", "forget %s: that is %s", ui.Printable(name), ui.Count(len(found), "torrent"))
}
