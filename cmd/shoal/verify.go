package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"shoal"
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

func verifyCommand(out *output) *cobra.Command {
	var n netFlags
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

After Ctrl-C the same command goes on where it was; --again begins anew.`,
		Example: `  shoal verify debian.torrent --dir ~/Downloads
  shoal verify b257af45fbc9f52d0e728490f2c2da9e4f66647e --dir ~/Downloads`,
		RunE: func(cmd *cobra.Command, args []string) error {
			n.dirNamed = cmd.Flags().Changed("dir")
			return verify(cmd.Context(), out, args[0], n, again)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&n.dir, "dir", "d", ".", "the folder `DIR` that holds the torrent's file or folder")
	f.StringVar(&n.state, "state", "", "the folder `DIR` for what must survive a restart; none: keep nothing (default the user's state folder)")
	f.BoolVar(&again, "again", false, "begin anew, whatever was checked before")
	cmd.MarkFlagDirname("dir")
	cmd.MarkFlagDirname("state")
	sources(cmd, 1)
	addJSON(cmd)
	return cmd
}

func verify(ctx context.Context, out *output, name string, n netFlags, again bool) error {
	src, err := readKnown(ctx, name, n)
	if err != nil {
		return err
	}
	var listed bool
	n.dir, listed = src.place(n.dir, n.dirNamed)
	what := fmt.Sprintf("verify %s in %s", src.name(), printable(n.dir))
	if !listed {
		if err := folderThere("verify "+src.name(), n.dir); err != nil {
			return err
		}
	}
	state := n.stateOrNone(out, "nothing is kept for the next check")
	start := out.now()
	m := newMeter(out, "checking")
	length := src.meta.Info.PieceLength
	r, err := shoal.VerifyFiles(ctx, shoal.VerifyOptions{
		Metainfo: src.raw, FileName: src.fileName(), Dir: n.dir, StateDir: state, Again: again,
		Progress: func(done, total int) {
			bytes := min(int64(done)*length, src.meta.Info.Saved())
			m.show(bytes, src.meta.Info.Saved(), func() {
				out.event("progress", m.fields(bytes, src.meta.Info.Saved()))
			})
		},
	})
	out.clear()
	if stopSignal(ctx) != nil && r.Pieces > 0 {
		hint := "the same command starts again"
		if state != "" {
			hint = fmt.Sprintf("%s of %s checked; the same command goes on from there, and with --again begins anew",
				group(int64(r.Looked)), count(r.Pieces, "piece"))
		}
		return &failure{exitInterrupted, fmt.Errorf("%s: %w", what, context.Cause(ctx)), hint}
	}
	if err != nil {
		return fail(what, err)
	}
	took := out.now().Sub(start)
	for i, note := range r.Notes {
		if i == shownWarnings {
			out.warn("and %s", count(len(r.Notes)-i, "more"))
			break
		}
		out.warn("%s", printable(note))
	}
	report(out, r, n.dir)
	if r.Hashed < r.Pieces {
		out.say("%s checked now, the others before, and unchanged since", count(r.Hashed, "piece"))
	}
	if r.Withdrawn > 0 {
		out.warn("%s taken for good until now and wrong: shoal get fetches them again", count(r.Withdrawn, "piece"))
	}
	if !r.Complete {
		err := &failure{
			exitFailed, fmt.Errorf("%s: %s", what, lack(r)),
			fmt.Sprintf("fetch what is missing with: shoal get %s --dir %s", quoted(name), quoted(n.dir)),
		}
		if r.Good > 0 {
			return err
		}
		l, lerr := otherFolder(ctx, out, src.source, n.dir, n)
		if lerr != nil {
			return err
		}
		return l.hint(err)
	}
	out.say("%s is complete: %s, %s, checked in %s", src.name(), size(r.Size), count(r.Pieces, "piece"), span(took))
	out.event("complete", secondsEvent{seconds(took)})
	return nil
}

// report tells the state of each file.
func report(out *output, r shoal.VerifyResult, dir string) {
	e := verifiedEvent{
		Name: r.Name, InfoHash: r.InfoHash, Dir: dir, Size: r.Size, VerifiedBytes: r.Verified,
		Pieces: r.Pieces, Have: r.Good, Hashed: r.Hashed, Complete: r.Complete, Files: []fileState{},
	}
	for i, f := range r.Files {
		e.Files = append(e.Files, fileState{f.Path, f.Size, f.Verified, f.Missing, f.Extra})
		if i == shownFiles {
			out.say("and %s; --json lists all", count(len(r.Files)-shownFiles, "more file"))
		}
		if i < shownFiles {
			out.say("%s  %10s  %s%s", verdict(f), size(f.Size), printable(filepath.ToSlash(f.Path)), extra(f))
		}
	}
	out.event("verified", e)
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
	return fmt.Sprintf("%6s ok", percent(f.Verified, f.Size))
}

// extra says that a file is longer than it should be.
func extra(f shoal.FileState) string {
	if f.Extra == 0 {
		return ""
	}
	return fmt.Sprintf("  (and %s behind its end, which are kept)", size(f.Extra))
}

// lack says what keeps a torrent from being complete.
func lack(r shoal.VerifyResult) error {
	missing := 0
	for _, f := range r.Files {
		if f.Missing {
			missing++
		}
	}
	s := fmt.Sprintf("%s of %s missing or bad", group(int64(r.Pieces-r.Good)), count(r.Pieces, "piece"))
	if missing > 0 {
		s += fmt.Sprintf(", %s not there", count(missing, "file"))
	}
	return errors.New(s)
}
