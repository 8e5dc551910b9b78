package library

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
	"shoal/internal/value/redact"
	"shoal/magnet"
	"shoal/metainfo"
)

// Bounds of what show prints for people; --json has everything.
const (
	shownFiles    = 200
	shownURLs     = 50
	shownWarnings = 20
	shownLetters  = 2000 // of a comment
)

type showEvent struct {
	File         string      `json:"file"`
	Name         string      `json:"name"`
	InfoHash     string      `json:"info_hash"`
	Size         int64       `json:"size"`
	PieceLength  int64       `json:"piece_length"`
	Pieces       int         `json:"pieces"`
	Private      bool        `json:"private"`
	MultiFile    bool        `json:"multi_file"`
	Trackers     [][]string  `json:"trackers"`
	Nodes        []string    `json:"nodes"`
	WebSeeds     []string    `json:"web_seeds"`
	Comment      string      `json:"comment,omitempty"`
	CreatedBy    string      `json:"created_by,omitempty"`
	Source       string      `json:"source,omitempty"`
	CreationDate string      `json:"creation_date,omitempty"`
	Warnings     []string    `json:"warnings"`
	Files        []fileEntry `json:"files"`
	Magnet       string      `json:"magnet"`
}

type fileEntry struct {
	Number     int    `json:"number,omitempty"` // as --only takes it; pad files have none
	Path       string `json:"path"`
	Size       int64  `json:"size"`
	Offset     int64  `json:"offset"`
	Executable bool   `json:"executable,omitempty"`
	Pad        bool   `json:"pad,omitempty"`
}

func ShowCommand(out *ui.Output) *cobra.Command {
	var link, secrets bool
	var n session.Flags
	cmd := &cobra.Command{
		Use:   "show SOURCE",
		Short: "Print what a .torrent file or a magnet link says",
		Long: `Print what a .torrent file says: its name, info-hash, files, trackers and nodes.
SOURCE is a file, its URL, a magnet link, or an info-hash or name that shoal run
remembers. Of a link whose metadata was not received yet only what it says itself
is shown; shoal get --metadata-only writes its .torrent file.
Names are shown as the files will be called; they are made safe for the file
system and the terminal. Passkeys and passwords in URLs are hidden, with --json
too, since what is shown ends in screenshots and reports: --secrets shows them.
The link of --magnet goes without trackers that have one.`,
		Example: `  shoal show debian.torrent
  shoal show debian.torrent --magnet
  shoal show debian.torrent --json`,
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := source.Any(cmd.Context(), args[0], n)
			if err != nil {
				return err
			}
			out.Secrets = secrets
			if state, _ := n.StateDir(); src.Link != nil && state != "" && !link {
				if received, err := source.ReceivedBefore(src, state); err == nil {
					src = received
				}
			}
			switch {
			case link:
				sayLink(out, src)
				out.Event("complete", described(out, src))
			case src.Link != nil:
				showLink(out, src)
			default:
				show(out, src)
			}
			return nil
		},
	}
	n.AddState(cmd)
	n.Trust.AddFetch(cmd)
	cmd.Flags().BoolVar(&link, "magnet", false, "print the magnet link of it, and nothing else")
	cmd.Flags().BoolVar(&secrets, "secrets", false, "show passkeys and passwords in URLs")
	cmdline.Sources(cmd, 1)
	cmdline.AddJSON(cmd)
	return cmd
}

func show(out *ui.Output, src source.Source) {
	m, info := src.Meta, src.Meta.Info
	files := info.Files
	row := func(what, format string, a ...any) {
		out.Say("%s", strings.TrimRight(fmt.Sprintf("%-11s %s", what, fmt.Sprintf(format, a...)), " "))
	}
	row("name", "%s", src.Name())
	row("info-hash", "%s", m.InfoHash)
	exact := ""
	if info.Saved() >= 1024 {
		exact = " (" + ui.Grouped(info.Saved()) + " bytes)"
	}
	row("size", "%s%s in %s", ui.Size(info.Saved()), exact, ui.Count(source.CountSaved(files), "file"))
	row("pieces", "%s of %s", ui.Grouped(int64(info.NumPieces())), ui.Size(info.PieceLength))
	if info.Private {
		row("private", "yes: peers come from its trackers alone")
	}
	shown := 0
	for i, tier := range m.Trackers() {
		for _, u := range tier {
			if shown++; shown <= shownURLs {
				row("tracker", "%s (tier %d)", ui.Printable(u), i+1)
			}
		}
	}
	more(row, shown, shownURLs, "tracker")
	for _, n := range m.Nodes[:min(len(m.Nodes), shownURLs)] {
		row("node", "%s", ui.Printable(n))
	}
	more(row, len(m.Nodes), shownURLs, "node")
	seeds := webSeeds(m)
	for _, u := range seeds[:min(len(seeds), shownURLs)] {
		row("web seed", "%s", ui.Printable(u))
	}
	more(row, len(seeds), shownURLs, "web seed")
	if m.Comment != "" {
		row("comment", "%s", ui.Truncate(ui.Printable(m.Comment), shownLetters, out.Secrets))
	}
	if s := info.Source(); s != "" {
		row("source", "%s", ui.Truncate(ui.Printable(s), shownLetters, out.Secrets))
	}
	if m.CreatedBy != "" {
		row("created by", "%s", ui.Truncate(ui.Printable(m.CreatedBy), shownLetters, out.Secrets))
	}
	if !m.CreationDate.IsZero() {
		row("created", "%s", m.CreationDate.Format("2006-01-02 15:04:05 UTC"))
	}
	for _, w := range m.Warnings {
		row("warning", "%s", ui.Printable(w))
	}
	row("files", "")
	for _, line := range tree(files, shownFiles) {
		out.Say("%s", line)
	}
	out.Event("complete", described(out, src))
}

func more(row func(what, format string, a ...any), n, shown int, noun string) {
	if n > shown {
		row("", "and %s; --json lists all", ui.Count(n-shown, "more "+noun))
	}
}

func webSeeds(m *metainfo.Torrent) []string {
	return append(append([]string{}, m.URLList...), m.HTTPSeeds...)
}

// tree lays the files out with their numbers and sizes in front, where they align whatever
// script the names are in, and names indented below their folders.
func tree(files []metainfo.File, most int) []string {
	const blank = "                  "
	var lines []string
	var at []string // the folder that the last line was in
	shown := 0
	for _, f := range files {
		if f.Pad {
			continue
		}
		if shown++; shown > most {
			continue
		}
		folder := f.Path[:len(f.Path)-1]
		same := 0
		for same < len(at) && same < len(folder) && at[same] == folder[same] {
			same++
		}
		for i := same; i < len(folder); i++ {
			lines = append(lines, blank+strings.Repeat("  ", i)+ui.Printable(folder[i])+"/")
		}
		at = folder
		lines = append(lines, fmt.Sprintf("%4d  %10s  %s%s", shown, ui.Size(f.Length), strings.Repeat("  ", len(folder)), ui.Printable(f.Path[len(folder)])))
	}
	if shown > most {
		lines = append(lines, blank+"and "+ui.Count(shown-most, "more file")+"; --json lists all")
	}
	return lines
}

// wholeLink returns the link of a source, with all that it holds.
func wholeLink(s source.Source) *magnet.Link {
	if s.Link != nil {
		return s.Link
	}
	return shoal.LinkOf(s.Meta)
}

// sayLink prints the link of a source. A passkey in it would be given away with the link,
// and a link with a hole in it would be of no use: trackers and web seeds whose URLs have
// one are left out, with a word.
func sayLink(out *ui.Output, src source.Source) {
	l, left := wholeLink(src), 0
	if !out.Secrets {
		if l, left = publicLink(l); left > 0 && !out.JSON {
			out.Note("shoal: the link goes without " + ui.Count(left, "URL") + " with a passkey or a password; --secrets keeps them")
		}
	}
	out.Say("%s", l)
}

// publicLink returns a link without the URLs that have a secret, and the number of these.
func publicLink(l *magnet.Link) (*magnet.Link, int) {
	public := *l
	public.Trackers = slices.DeleteFunc(slices.Clone(l.Trackers), redact.HasSecret)
	public.WebSeeds = slices.DeleteFunc(slices.Clone(l.WebSeeds), redact.HasSecret)
	return &public, len(l.Trackers) + len(l.WebSeeds) - len(public.Trackers) - len(public.WebSeeds)
}

// described is describe with secrets only where a person asked for them: a program's output
// ends in logs and reports as a screen does.
func described(out *ui.Output, src source.Source) showEvent {
	e := describe(src)
	if out.Secrets {
		return e
	}
	for _, text := range []*string{&e.File, &e.Comment, &e.CreatedBy, &e.Source} {
		*text = shoal.Redact(*text)
	}
	for _, list := range append([][]string{e.WebSeeds, e.Nodes, e.Warnings}, e.Trackers...) {
		for i := range list {
			list[i] = shoal.Redact(list[i])
		}
	}
	l, _ := publicLink(wholeLink(src))
	e.Magnet = l.String()
	return e
}

// showLink prints what a magnet link says.
func showLink(out *ui.Output, src source.Source) {
	l := src.Link
	row := func(what, format string, a ...any) {
		out.Say("%s", strings.TrimRight(fmt.Sprintf("%-11s %s", what, fmt.Sprintf(format, a...)), " "))
	}
	if l.Name != "" {
		row("name", "%s", ui.Printable(l.Name))
	}
	row("info-hash", "%s", l.V1)
	if !l.V2.IsZero() {
		row("v2 hash", "%s", l.V2)
	}
	if l.Length > 0 {
		row("size", "%s", ui.Size(l.Length))
	}
	for _, list := range []struct {
		what  string
		lines []string
	}{{"tracker", l.Trackers}, {"web seed", l.WebSeeds}, {"peer", l.Peers}} {
		for _, line := range list.lines {
			row(list.what, "%s", ui.Printable(line))
		}
	}
	for _, r := range l.Select {
		row("files", "number %d to %d are chosen", r.First+1, r.Last+1)
	}
	row("link", "%s", l.String())
	out.Event("complete", described(out, src))
}

// describeLink is describe of a link, of which little is known.
func describeLink(src source.Source) showEvent {
	l := src.Link
	e := showEvent{
		File: src.Path, Name: l.Name, InfoHash: l.V1.String(), Size: l.Length, Magnet: l.String(),
		Trackers: [][]string{}, Nodes: []string{}, WebSeeds: append([]string{}, l.WebSeeds...), Warnings: []string{}, Files: []fileEntry{},
	}
	for _, t := range l.Trackers {
		e.Trackers = append(e.Trackers, []string{t})
	}
	return e
}

func describe(src source.Source) showEvent {
	if src.Link != nil {
		return describeLink(src)
	}
	m, info := src.Meta, src.Meta.Info
	e := showEvent{
		File: src.Path, Name: info.Name, InfoHash: m.InfoHash.String(), Size: info.Saved(),
		PieceLength: info.PieceLength, Pieces: int(info.NumPieces()),
		Private: info.Private, MultiFile: info.MultiFile,
		Trackers: [][]string{}, Nodes: append([]string{}, m.Nodes...), WebSeeds: webSeeds(m),
		Comment: m.Comment, CreatedBy: m.CreatedBy, Source: info.Source(),
		Warnings: append([]string{}, m.Warnings...), Magnet: wholeLink(src).String(),
	}
	for _, tier := range m.Trackers() {
		e.Trackers = append(e.Trackers, slices.Clone(tier))
	}
	if !m.CreationDate.IsZero() {
		e.CreationDate = m.CreationDate.Format("2006-01-02T15:04:05Z")
	}
	files := 0
	for _, f := range info.Files {
		number := 0
		if !f.Pad {
			files++
			number = files
		}
		e.Files = append(e.Files, fileEntry{number, strings.Join(f.Path, "/"), f.Length, f.Offset, f.Executable, f.Pad})
	}
	return e
}
