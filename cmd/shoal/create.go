package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/spf13/cobra"

	"shoal"
)

type createEvent struct {
	InfoHash    string `json:"info_hash"`
	Name        string `json:"name"`
	File        string `json:"file"`
	Size        int64  `json:"size"`
	Files       int    `json:"files"`
	PieceLength int64  `json:"piece_length"`
	Pieces      int    `json:"pieces"`
}

type hashingEvent struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

func createCommand(out *output) *cobra.Command {
	var (
		o      shoal.CreateOptions
		file   string
		length pieceLengthFlag
		urls   urlsFlag
		nodes  hostsFlag
		webs   webSeedsFlag
	)
	cmd := &cobra.Command{
		Use:   "create PATH [-o FILE]",
		Short: "Make a .torrent file of a file or a folder",
		Long: `Make a .torrent file of a file or a folder: every byte is read and hashed. It is
written to NAME.torrent in the current folder, or where -o says. A file that
is there already is left alone, unless it is the very same torrent.

With --node the torrent needs no tracker: the nodes are ways into the DHT,
where peers find each other. Without --tracker and --node, peers are found by
the DHT nodes that a client knows.`,
		Example: `  shoal create film.mkv
  shoal create photos/ -o photos.torrent --node 192.0.2.7:6881 --node [2001:db8::7]:6881
  shoal create album/ --tracker http://tracker.example/announce --private
  shoal create big.iso --piece-length 4MiB --comment "made in spring"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageErr("see: shoal create --help", "create takes one file or folder, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Path, o.PieceLength, o.Trackers, o.Nodes, o.WebSeeds = args[0], int64(length.sizeFlag), urls, nodes, webs
			return create(cmd.Context(), out, o, file)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&file, "output", "o", "", "the .torrent `FILE` to write (default NAME.torrent)")
	f.Var(&length, "piece-length", "bytes in a piece, like 256KiB or 1M: 16KiB to 512MiB, a power of two (default by size)")
	f.Var(&urls, "tracker", "announce URL of a tracker (repeat for more)")
	f.Var(&nodes, "node", "a way into the DHT (repeat for more)")
	f.Var(&webs, "web-seed", "where a web server has the files: the folder above PATH with a slash at the end, or the file (repeat for more)")
	f.BoolVar(&o.Private, "private", false, "peers from the trackers alone, never from the DHT (BEP 27)")
	f.StringArrayVar(&o.Exclude, "exclude", nil, "leave out files and folders that fit this `GLOB`, by name or path (repeat for more)")
	f.StringVar(&o.Comment, "comment", "", "a `TEXT` for people")
	addJSON(cmd)
	cmd.RegisterFlagCompletionFunc("piece-length", cobra.FixedCompletions(
		[]string{"256KiB", "512KiB", "1MiB", "2MiB", "4MiB", "8MiB", "16MiB"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func create(ctx context.Context, out *output, o shoal.CreateOptions, file string) error {
	what := "create a torrent of " + printable(o.Path)
	if o.Private && len(o.Trackers) == 0 {
		return usageErr("name a tracker with --tracker, or leave --private away",
			"%s: a private torrent without a tracker has no way to find peers", what)
	}
	for _, p := range o.Exclude {
		if _, err := path.Match(p, ""); err != nil {
			return usageErr("write it like *.tmp or cache/*", "%q is no pattern", p)
		}
	}
	if st, err := os.Stat(filepath.Dir(file)); err != nil || !st.IsDir() { // known before an hour of hashing
		return &failure{exitFailed, fmt.Errorf("write %s: there is no such folder", printable(file)), "name another file with -o, or make the folder"}
	}
	m := newMeter(out, "hashing")
	o.Progress = func(done, total int64) {
		m.show(done, total, func() { out.event("progress", hashingEvent{done, total}) })
	}
	start := out.now()
	made, err := shoal.Create(ctx, o)
	out.clear()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sourceErr("name a file or a folder that exists", "%s: there is no such file or folder", what)
	case err != nil:
		return fail(what, err)
	}
	for i, w := range made.Warnings {
		if i == shownWarnings {
			out.warn("and %s", count(len(made.Warnings)-i, "more warning"))
			break
		}
		out.warn("%s", printable(w))
	}
	if file == "" {
		file = made.Name + ".torrent"
	}
	if err := writeNew(file, made.Metainfo); err != nil {
		return err
	}
	out.say("%s  %s in %s, %s of %s", printable(made.Name), size(made.Size), count(made.Files, "file"),
		count(made.Pieces, "piece"), size(made.PieceLength))
	out.say("info-hash  %s", made.InfoHash)
	out.say("written    %s  (%s of data hashed in %s)", printable(file), size(made.Size), span(out.now().Sub(start)))
	out.event("complete", createEvent{
		made.InfoHash, made.Name, file, made.Size, made.Files, made.PieceLength, made.Pieces,
	})
	return nil
}

// writeNew writes a file that must not exist yet, or must already have this content.
func writeNew(name string, content []byte) error {
	what := "write " + printable(name)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		if same(name, content) {
			return nil
		}
		return &failure{
			exitFailed, fmt.Errorf("%s: there is another file of that name", what),
			"name another file with -o, or move " + printable(filepath.Base(name)) + " away",
		}
	}
	if err != nil {
		return fail(what, err)
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(name) // half a torrent is none
		return fail(what, err)
	}
	return nil
}

// same reports whether the file has this content.
func same(name string, content []byte) bool {
	st, err := os.Stat(name)
	if err != nil || !st.Mode().IsRegular() || st.Size() != int64(len(content)) {
		return false
	}
	old, err := os.ReadFile(name)
	return err == nil && bytes.Equal(old, content)
}
