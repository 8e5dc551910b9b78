package library

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
	"shoal/metainfo"
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

func CreateCommand(out *ui.Output) *cobra.Command {
	var (
		o      shoal.CreateOptions
		c      createFlags
		length cmdline.PieceLengthFlag
		urls   cmdline.URLsFlag
		nodes  cmdline.HostsFlag
		webs   cmdline.WebSeedsFlag
	)
	cmd := &cobra.Command{
		Use:   "create PATH [-o FILE]",
		Short: "Make a .torrent file of a file or a folder",
		Long: `Make a .torrent file of a file or a folder: every byte is read and hashed. It is
written to NAME.torrent in the current folder, or where -o says. A file that
is there already is left alone, unless it is the very same torrent (but for
its date).

PATH may be a symbolic link; links in the folder are left out unless
--follow-links is given. What a system makes for itself (.DS_Store, Thumbs.db,
desktop.ini, $RECYCLE.BIN, ...) is left out, too. Every name that this system
takes can be in the torrent; a warning says which other systems can't have it.

With --node the torrent needs no tracker: the nodes are ways into the DHT,
where peers find each other. Without --tracker and --node, peers are found by
the DHT nodes that a client knows.`,
		Example: `  shoal create film.mkv
  shoal create photos/ -o photos.torrent --node 192.0.2.7:6881 --node [2001:db8::7]:6881
  shoal create album/ --tracker http://tracker.example/announce --private
  shoal create big.iso --piece-length 4MiB --comment "made in spring"
  shoal create album/ --tracker http://tracker.example/announce --private --source TRACKER --no-date`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return ui.UsageError("see: shoal create --help", "create takes one file or folder, not %d", len(args))
			}
			if args[0] == "" {
				return cmdline.EmptyName(cmd)
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Path, o.PieceLength, o.Trackers, o.Nodes, o.WebSeeds = args[0], int64(length.SizeFlag), urls, nodes, webs
			return create(cmd.Context(), out, o, c)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&c.file, "output", "o", "", "the .torrent `FILE` to write (default NAME.torrent)")
	f.Var(&length, "piece-length", "bytes in a piece, like 256KiB or 1M: 16KiB to 512MiB, a power of two (default by size)")
	f.Var(&urls, "tracker", "announce URL of a tracker (repeat for more)")
	f.Var(&nodes, "node", "a way into the DHT (repeat for more)")
	f.Var(&webs, "web-seed", "where a web server has the files: the folder above PATH with a slash at the end, or the file (repeat for more)")
	f.BoolVar(&o.Private, "private", false, "peers from the trackers alone, never from the DHT (BEP 27)")
	f.StringArrayVar(&o.Exclude, "exclude", nil, "leave out files and folders that fit this `GLOB`, by name or path (repeat for more)")
	f.BoolVar(&o.FollowLinks, "follow-links", false, "follow symbolic links")
	f.BoolVar(&o.IncludeJunk, "include-junk", false, "keep .DS_Store, Thumbs.db, desktop.ini and their like")
	f.BoolVar(&o.RawNames, "raw-names", false, "keep names that are not UTF-8 as they are")
	f.StringVar(&o.Name, "name", "", "the `NAME` of the torrent (default that of PATH)")
	f.StringVar(&o.Comment, "comment", "", "a `TEXT` for people")
	f.StringVar(&o.Source, "source", "", "the `TEXT` that a tracker wants as source; it changes the info-hash")
	f.BoolVar(&c.entropy, "entropy", false, "change the info-hash each time, for the same files")
	f.BoolVar(&c.noDate, "no-date", false, "omit the creation date (default: SOURCE_DATE_EPOCH, or now)")
	cmdline.AddJSON(cmd)
	cmd.RegisterFlagCompletionFunc("piece-length", cobra.FixedCompletions(
		[]string{"256KiB", "512KiB", "1MiB", "2MiB", "4MiB", "8MiB", "16MiB"}, cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// createFlags are what the command does besides what the library does.
type createFlags struct {
	file    string
	entropy bool
	noDate  bool
}

func create(ctx context.Context, out *ui.Output, o shoal.CreateOptions, c createFlags) error {
	what := "create a torrent of " + ui.Printable(o.Path)
	if o.Private && len(o.Trackers) == 0 {
		return ui.UsageError("name a tracker with --tracker, or leave --private away",
			"%s: a private torrent without a tracker has no way to find peers", what)
	}
	for _, p := range o.Exclude {
		if _, err := path.Match(p, ""); err != nil {
			return ui.UsageError("write it like *.tmp or cache/*", "%q is not a pattern", p)
		}
	}
	file, err := outputFile(&o, c.file)
	if err != nil {
		return err
	}
	o.Output = file
	if c.entropy {
		o.Entropy = shoal.NewEntropy()
	}
	if !c.noDate {
		if o.Date, err = dateOf(out.Now()); err != nil {
			return err
		}
	}
	m := ui.NewMeter(out, "hashing")
	o.Progress = func(done, total int64) {
		m.Show(done, total, func() { out.Event("progress", m.Fields(done, total)) })
	}
	start := out.Now()
	var problems *shoal.ProblemsError
	made, err := shoal.Create(ctx, o)
	out.Clear()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ui.SourceError("name a file or a folder that exists", "%s: there is no such file or folder", what)
	case errors.As(err, &problems):
		return createProblems(out, what, problems)
	case err != nil:
		return ui.Fail(what, err)
	}
	for i, w := range made.Warnings {
		if i == shownWarnings {
			out.Warn("and %s", ui.Count(len(made.Warnings)-i, "more warning"))
			break
		}
		out.Warn("%s", ui.Printable(w))
	}
	if err := source.WriteNew(file, made.Metainfo); err != nil {
		return err
	}
	out.Say("%s  %s in %s, %s of %s", ui.Printable(made.Name), ui.Size(made.Size), ui.Count(made.Files, "file"),
		ui.Count(made.Pieces, "piece"), ui.Size(made.PieceLength))
	out.Say("info-hash  %s", made.InfoHash)
	out.Say("written    %s  (%s of data hashed in %s)", ui.Printable(file), ui.Size(made.Size), ui.Span(out.Now().Sub(start)))
	out.Event("complete", createEvent{
		made.InfoHash, made.Name, file, made.Size, made.Files, made.PieceLength, made.Pieces,
	})
	return nil
}

// outputFile returns the path that the torrent is written to. It reports a mistake before an hour of hashing.
func outputFile(o *shoal.CreateOptions, file string) (string, error) {
	if file == "" {
		name := o.Name
		if name == "" {
			full, err := filepath.Abs(o.Path)
			if err != nil {
				return "", ui.Fail("create a torrent of "+ui.Printable(o.Path), err)
			}
			name = filepath.Base(full)
		}
		file = strings.TrimPrefix(name, string(filepath.Separator)) + ".torrent" // of / the library has more to say
		if strings.ContainsRune(name, filepath.Separator) && o.Name != "" {
			return "", ui.UsageError("a name is one element of a path", "--name %q: there is a slash in it", ui.Printable(name))
		}
	}
	what := "write " + ui.Printable(file)
	if st, err := os.Stat(filepath.Dir(file)); err != nil || !st.IsDir() {
		return "", &ui.Failure{Code: ui.ExitFailed, Err: fmt.Errorf("%s: there is no such folder", what), Hint: "name another file with -o, or make the folder"}
	}
	if st, err := os.Stat(file); err == nil && st.IsDir() || strings.HasSuffix(file, "/") {
		return "", &ui.Failure{Code: ui.ExitFailed, Err: fmt.Errorf("%s: it is a folder", what), Hint: "name a file in it with -o"}
	}
	if from, err := os.Stat(o.Path); err == nil {
		if to, err := os.Stat(file); err == nil && os.SameFile(from, to) {
			return "", ui.UsageError("name another file with -o", "%s: it is what the torrent is made of", what)
		}
	}
	if st, err := os.Stat(file); err == nil {
		// A pipe would be waited for, and a large file read: neither is a torrent.
		if !st.Mode().IsRegular() || st.Size() > metainfo.MaxSize {
			return "", source.OtherFile(file)
		}
		if old, err := os.ReadFile(file); err == nil {
			if _, err := metainfo.Parse(old); err != nil {
				return "", source.OtherFile(file)
			}
		}
	}
	return file, nil
}

// dateOf returns the date of a torrent. SOURCE_DATE_EPOCH is what builds use
// to get the same result each time.
func dateOf(now time.Time) (time.Time, error) {
	text, ok := os.LookupEnv("SOURCE_DATE_EPOCH")
	if !ok || text == "" {
		return now, nil
	}
	sec, err := strconv.ParseInt(text, 10, 64)
	if err != nil || sec < 1 {
		return now, ui.UsageError("it is a number of seconds since 1970; --no-date leaves the date out", "SOURCE_DATE_EPOCH is %q", ui.Printable(text))
	}
	return time.Unix(sec, 0), nil
}

// createProblems names everything that is in the way, one line each.
func createProblems(out *ui.Output, what string, p *shoal.ProblemsError) error {
	if len(p.Problems) == 1 {
		return ui.Fail(what, p)
	}
	for _, line := range p.Problems {
		out.Warn("%s", ui.Printable(line))
	}
	if p.More > 0 {
		out.Warn("and %s", ui.Count(p.More, "more"))
	}
	return &ui.Failure{
		Code: ui.ExitFailed, Err: fmt.Errorf("%s: %s", what, ui.Count(len(p.Problems)+p.More, "problem")),
		Hint: "each has a line above, with what to do; nothing was written",
	}
}
