package transfer

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

type torrentEvent struct {
	InfoHash    string `json:"info_hash"`
	Name        string `json:"name"`
	Size        int64  `json:"size"`
	Files       int    `json:"files"`
	Pieces      int    `json:"pieces"`
	PieceLength int64  `json:"piece_length"`
	Private     bool   `json:"private"`
	Dir         string `json:"dir"`
	WantedFiles int    `json:"wanted_files"`
	Wanted      int64  `json:"wanted"`
}

// torrentOf tells what a torrent is, and what is wanted of it.
func torrentOf(t *shoal.Torrent, size int64, pieces int, pieceLength int64) torrentEvent {
	n := t.FileTotals()
	return torrentEvent{
		InfoHash: t.InfoHash(), Name: t.Name(), Size: size, Files: n.Files, Pieces: pieces, PieceLength: pieceLength,
		Private: t.Private(), Dir: t.Dir(), WantedFiles: n.Wanted, Wanted: n.Bytes,
	}
}

type checkedEvent struct {
	InfoHash      string `json:"info_hash"`
	Have          int    `json:"have"`
	Pieces        int    `json:"pieces"`
	VerifiedBytes int64  `json:"verified_bytes"`
	Size          int64  `json:"size"`
	Hashed        int    `json:"hashed"`
}

func checkedOf(s shoal.Stats) checkedEvent {
	return checkedEvent{s.InfoHash, s.Have, s.Pieces, s.Verified, s.Size, s.Hashed}
}

type completeEvent struct {
	InfoHash   string  `json:"info_hash"`
	Name       string  `json:"name"`
	Seconds    float64 `json:"seconds"`
	Bytes      int64   `json:"bytes"`
	Downloaded int64   `json:"downloaded"`
	Wasted     int64   `json:"wasted"`
	Uploaded   int64   `json:"uploaded"`
	Dir        string  `json:"dir"`
	Path       string  `json:"path"`
}

func GetCommand(out *ui.Output) *cobra.Command {
	var n session.Flags
	var o getFlags
	cmd := &cobra.Command{
		Use:   "get SOURCE... [--dir DIR]",
		Short: "Get the files of a torrent",
		Long: `Get the files of a torrent from other people's clients, and verify every piece.
SOURCE is a .torrent file, a magnet link, an info-hash, or the URL of a .torrent;
a folder means all .torrent files in it. Several come at the same time: one that
fails gets a warning, the others go on, and the exit code is that of the first that failed.
It ends when all files are complete, verified and safe on disk. What already
lies in the folder is checked and used, so after Ctrl-C or a crash the same
command goes on where it was.

What shoal run has in another folder is not fetched again unless --anew is given.

Peers are found through the torrent's trackers, through the DHT, and by --peer.
Without --dht-node, the way into the DHT is the torrent's own nodes, the nodes
known from earlier runs, and the well-known public ones. An address of the
loopback (--listen 127.0.0.1:0) keeps all traffic on this machine.`,
		Example: `  shoal get debian.torrent --dir ~/Downloads
  shoal get "magnet:?xt=urn:btih:b257af45fbc9f52d0e728490f2c2da9e4f66647e" --seed
  shoal get b257af45fbc9f52d0e728490f2c2da9e4f66647e --metadata-only -o debian.torrent
  shoal get debian.torrent --peer 192.0.2.7:6881 --no-dht
  shoal get series.torrent --only "season 1/**" --skip 3,5-7
  shoal get film.torrent --stream "*.mkv" | mpv -
  shoal get one.torrent two.torrent --on-complete "notify-send done" --stop-after 1h
  shoal get debian.torrent --json | jq 'select(.event=="complete")'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.waitNamed = cmd.Flags().Changed("wait")
			n.DirNamed = cmd.Flags().Changed("dir")
			if o.streams = cmd.Flags().Changed("stream"); o.streams {
				if out.JSON {
					return ui.UsageError("leave one of them away", "--stream and --json both write to standard output")
				}
				if out.Terminal {
					return ui.UsageError("pipe it into a program, such as: | mpv -, or write it to a file with > FILE; --dir keeps the file in any case", "--stream writes the bytes of a file to standard output, which is a terminal")
				}
				if o.stream == "*" {
					o.stream = ""
				}
			}
			return get(cmd.Context(), out, args, n, o)
		},
	}
	n.Add(cmd)
	cmd.Flags().BoolVar(&o.seed, "seed", false, "go on as a seed when complete, until Ctrl-C")
	o.share.Add(cmd)
	cmd.Flags().BoolVar(&o.again, "anew", false, source.AnewHelp)
	cmd.Flags().BoolVar(&o.overwrite, "overwrite", false, "write over files that are there and are not the torrent's")
	cmd.Flags().BoolVar(&o.noRoom, "ignore-free-space", false, "begin although the disk has too little room for all of it")
	cmd.Flags().BoolVar(&o.sequential, "sequential", false, "fetch from the beginning to the end, three pieces of four")
	cmd.Flags().Var(&o.allocate, "allocate", "full: reserve room for all files before the first byte; sparse: take what comes")
	o.choose.Add(cmd)
	o.paths.Add(cmd)
	cmd.Flags().Var(&o.webSeeds, "web-seed", "a web server that has the files, too: the URL of their folder with a slash at the end, or of the file (repeat for more)")
	cmd.Flags().StringVar(&o.stream, "stream", "", "write the file that fits `GLOB` to standard output as it comes; the largest one without a GLOB")
	cmd.Flags().Lookup("stream").NoOptDefVal = "*"
	o.wait = cmdline.TimeFlag(10 * time.Minute)
	cmd.Flags().Var(&o.wait, "wait", "how long to wait for a full disk or a missing volume; for one that is missing at the start only when given")
	cmd.Flags().Var(&o.stopAfter, "stop-after", "give up when nothing came for this long, such as 30m (exit code 4)")
	o.onComplete.add(cmd)
	cmd.Flags().BoolVar(&o.metadataOnly, "metadata-only", false, "write the .torrent file of SOURCE and get nothing else")
	cmd.Flags().StringVarP(&o.output, "output", "o", "", "with --metadata-only: the `FILE` to write (default the torrent's name)")
	cmdline.Sources(cmd, 0)
	cmdline.AddJSON(cmd)
	return cmd
}

// getFlags are the flags of get alone.
type getFlags struct {
	seed      bool
	share     session.ShareFlags
	again     bool
	allocate  cmdline.AllocateFlag
	overwrite bool
	noRoom    bool

	sequential bool
	wait       cmdline.TimeFlag
	waitNamed  bool
	stopAfter  cmdline.TimeFlag
	onComplete hookFlag
	choose     source.ChooseFlags
	paths      source.PathFlags
	webSeeds   cmdline.WebSeedsFlag
	stream     string
	streams    bool

	metadataOnly bool
	output       string
}

func get(ctx context.Context, out *ui.Output, names []string, n session.Flags, o getFlags) (err error) {
	if o.output != "" && !o.metadataOnly {
		return ui.UsageError("add --metadata-only, or name the folder for the files with --dir", "-o is for the .torrent file that --metadata-only writes")
	}
	if err := o.onComplete.check(); err != nil {
		return err
	}
	if moreThanOne(names) {
		return getMany(ctx, out, names, n, o)
	}
	src, err := source.Any(ctx, names[0], n)
	if err != nil {
		return err
	}
	if o.metadataOnly {
		return saveMetadata(ctx, out, src, n, o.output)
	}
	if src.Meta != nil { // a mistake shows before anything is created
		if err := o.check(src.Meta.Info); err != nil {
			return err
		}
	}
	source.KeepReceived(src, n)
	start := out.Now()
	var data io.Writer
	if o.streams {
		data = out.Divert()
	}
	s, err := session.Open(out, n)
	if err != nil {
		return err
	}
	d := newDownload(s, src, n, o, start)
	d.data, d.hooks = data, newHooks(ctx, out, o.onComplete)
	if err = d.begin(ctx, n); err == nil {
		err = d.run(ctx, o.seed || o.share.Any())
	}
	d.hooks.wait()
	// A stop that is not clean matters less than what went wrong before.
	if cerr := s.Close(); err == nil {
		err = cerr
	}
	return err
}

// newDownload makes ready to get one torrent as the flags say.
func newDownload(s *session.Session, src source.Source, n session.Flags, o getFlags, start time.Time) *download {
	return &download{
		Session: s, src: src, dir: n.Dir, start: start, pattern: o.stream, again: o.again, sequential: o.sequential,
		allocate: o.allocate == "full", overwrite: o.overwrite, noRoom: o.noRoom, choose: o.choose, paths: o.paths, webSeeds: o.webSeeds, share: o.share,
		patience: patience{"get " + src.Name(), s.Out.Now, time.Duration(o.wait), time.Duration(o.stopAfter), o.waitNamed}, waits: o.waitNamed,
	}
}

// check finds mistakes in the flags that name files of a torrent.
func (o *getFlags) check(info *metainfo.Info) error {
	_, err := o.choose.Selection(info)
	if err == nil && o.streams {
		_, err = o.choose.PickOne(info, o.stream)
	}
	if err == nil {
		paths := o.paths
		paths.Folded = o.choose.Folded
		err = paths.Fill(&shoal.AddOptions{}, info)
	}
	return err
}
