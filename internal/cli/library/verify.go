package library

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
)

type verifiedEvent struct {
	Name          string      `json:"name"`
	InfoHash      string      `json:"info_hash"`
	Dir           string      `json:"dir"`
	Size          int64       `json:"size"`
	VerifiedBytes int64       `json:"verified_bytes"`
	Pieces        int         `json:"pieces"`
	Have          int         `json:"have"`
	Hashed        int         `json:"hashed"`
	Complete      bool        `json:"complete"`
	Files         []fileState `json:"files"`
}

type fileState struct {
	Path          string `json:"path"`
	Size          int64  `json:"size"`
	VerifiedBytes int64  `json:"verified_bytes"`
	Missing       bool   `json:"missing"`
	ExtraBytes    int64  `json:"extra_bytes"`
}

func VerifyCommand(out *ui.Output) *cobra.Command {
	var n session.Flags
	again := false
	cmd := &cobra.Command{
		Use:   "verify SOURCE [--dir DIR]",
		Short: "Check the files on disk against a torrent",
		Long: `Read the files of a torrent, on all cores, and check every piece against its
hash. The exit code is 0 when all of them are complete and good, else 1, with
what is missing or does not match. No file is changed; where a piece is wrong
that was taken for good until now, that is put right in the folder of state, so
that get fetches it.

SOURCE is a .torrent file, or a magnet link, info-hash or name of a torrent that
shoal run remembers or whose metadata was received before.

After Ctrl-C the same command goes on where it was; --again starts over.`,
		Example: `  shoal verify debian.torrent --dir ~/Downloads
  shoal verify b257af45fbc9f52d0e728490f2c2da9e4f66647e --dir ~/Downloads`,
		RunE: func(cmd *cobra.Command, args []string) error {
			n.DirNamed = cmd.Flags().Changed("dir")
			return verify(cmd.Context(), out, args[0], n, again)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&n.Dir, "dir", "d", ".", "the folder `DIR` that holds the torrent's file or folder")
	f.StringVar(&n.State, "state", "", "the folder `DIR` for what must survive a restart; none: keep nothing (default the user's state folder)")
	f.BoolVar(&again, "again", false, "start over, whatever was checked before")
	cmd.MarkFlagDirname("dir")
	cmd.MarkFlagDirname("state")
	cmdline.Sources(cmd, 1)
	cmdline.AddJSON(cmd)
	return cmd
}

func verify(ctx context.Context, out *ui.Output, name string, n session.Flags, again bool) error {
	src, err := source.FindKnown(ctx, name, n)
	if err != nil {
		return err
	}
	var listed bool
	n.Dir, listed = src.Place(n.Dir, n.DirNamed)
	what := fmt.Sprintf("verify %s in %s", src.Name(), ui.Printable(n.Dir))
	if !listed {
		if err := session.CheckFolder("verify "+src.Name(), n.Dir); err != nil {
			return err
		}
	}
	state := n.StateOrNone(out, "nothing is kept for the next check")
	start := out.Now()
	m := ui.NewMeter(out, "checking")
	length, size := src.Meta.Info.PieceLength, src.Meta.Info.Saved()
	r, err := shoal.Verify(ctx, shoal.VerifyOptions{
		Metainfo: src.Raw, Parsed: src.Meta, FileName: src.FileName(), Dir: n.Dir, StateDir: state, Again: again,
		Progress: func(done, total int) {
			bytes := min(int64(done)*length, size)
			m.Show(bytes, size, func() { out.Event("progress", m.Fields(bytes, size)) })
		},
	})
	out.Clear()
	if ui.StopSignal(ctx) != nil && r.Pieces > 0 {
		hint := "the same command starts again"
		if state != "" {
			hint = fmt.Sprintf("%s of %s checked; the same command goes on from there, or with --again from the start",
				ui.Grouped(int64(r.Looked)), ui.Count(r.Pieces, "piece"))
		}
		return &ui.Failure{Code: ui.ExitInterrupted, Err: fmt.Errorf("%s: %w", what, context.Cause(ctx)), Hint: hint}
	}
	if err != nil {
		return ui.Fail(what, err)
	}
	took := out.Now().Sub(start)
	for i, note := range r.Notes {
		if i == shownWarnings {
			out.Warn("and %s", ui.Count(len(r.Notes)-i, "more"))
			break
		}
		out.Warn("%s", ui.Printable(note))
	}
	report(out, r, n.Dir)
	if r.Hashed < r.Pieces {
		out.Say("%s checked now, the others before, and unchanged since", ui.Count(r.Hashed, "piece"))
	}
	if r.Withdrawn > 0 {
		out.Warn("%s taken for good until now and wrong: shoal get fetches them again", ui.Count(r.Withdrawn, "piece"))
	}
	if !r.Complete {
		err := &ui.Failure{
			Code: ui.ExitFailed, Err: fmt.Errorf("%s: %s", what, lack(r)),
			Hint: fmt.Sprintf("fetch what is missing with: shoal get %s --dir %s", ui.Quoted(name), ui.Quoted(n.Dir)),
		}
		if r.Good > 0 {
			return err
		}
		l, lerr := source.LookElsewhere(ctx, out, src.Source, n.Dir, n)
		if lerr != nil {
			return err
		}
		return l.Hint(err)
	}
	out.Say("%s is complete: %s, %s, checked in %s", src.Name(), ui.Size(r.Size), ui.Count(r.Pieces, "piece"), ui.Span(took))
	out.Event("complete", ui.SecondsEvent{Seconds: ui.Seconds(took)})
	return nil
}

// report tells the state of each file.
func report(out *ui.Output, r shoal.VerifyResult, dir string) {
	e := verifiedEvent{
		Name: r.Name, InfoHash: r.InfoHash, Dir: dir, Size: r.Size, VerifiedBytes: r.Verified,
		Pieces: r.Pieces, Have: r.Good, Hashed: r.Hashed, Complete: r.Complete, Files: []fileState{},
	}
	for i, f := range r.Files[:min(len(r.Files), shownFiles+1)] {
		if i == shownFiles {
			out.Say("and %s; --json lists all", ui.Count(len(r.Files)-shownFiles, "more file"))
			break
		}
		out.Say("%s  %10s  %s%s", verdict(f), ui.Size(f.Size), ui.Printable(filepath.ToSlash(f.Path)), extra(f))
	}
	if !out.JSON {
		return
	}
	for _, f := range r.Files {
		e.Files = append(e.Files, fileState{f.Path, f.Size, f.Verified, f.Missing, f.Extra})
	}
	out.Event("verified", e)
}

func verdict(f shoal.FileState) string {
	switch {
	case f.Missing:
		return "missing  "
	case f.Verified == f.Size:
		return "good     "
	case f.Verified == 0:
		return "bad      "
	}
	return fmt.Sprintf("%6s ok", ui.Percent(f.Verified, f.Size))
}

// extra says that a file is longer than it should be.
func extra(f shoal.FileState) string {
	if f.Extra == 0 {
		return ""
	}
	return fmt.Sprintf("  (and %s behind its end, which are kept)", ui.Size(f.Extra))
}

// lack says what keeps a torrent from being complete.
func lack(r shoal.VerifyResult) error {
	missing := 0
	for _, f := range r.Files {
		if f.Missing {
			missing++
		}
	}
	s := fmt.Sprintf("%s of %s missing or bad", ui.Grouped(int64(r.Pieces-r.Good)), ui.Count(r.Pieces, "piece"))
	if missing > 0 {
		s += fmt.Sprintf(", %s not there", ui.Count(missing, "file"))
	}
	return errors.New(s)
}
