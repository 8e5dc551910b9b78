package source

import (
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

// PathFlags say how files are called, and where they lie until they are complete.
type PathFlags struct {
	Rename []string
	suffix string
	dir    string
	Folded bool // upper and lower case are alike
}

func (p *PathFlags) Add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&p.Rename, "rename", nil, "rename a file or folder: `OLD=NEW`, as in shoal rename (repeat for more)")
	f.StringVar(&p.suffix, "incomplete-suffix", "", "call files NAME plus this `SUFFIX`, such as .part, until they are complete")
	f.StringVar(&p.dir, "incomplete-dir", "", "keep the files in this folder `DIR` until all are complete, then move them to --dir")
	cmd.MarkFlagDirname("incomplete-dir")
}

// Fill puts them into what a torrent is added with. A mistake shows before anything is done.
func (p *PathFlags) Fill(opt *shoal.AddOptions, info *metainfo.Info) error {
	opt.IncompleteSuffix, opt.IncompleteDir = p.suffix, p.dir
	if p.dir != "" {
		if s, err := os.Stat(p.dir); err != nil || !s.IsDir() {
			return ui.UsageError("make the folder, attach its volume, or name another", "--incomplete-dir %s: there is no such folder", ui.Printable(p.dir))
		}
	}
	if len(p.Rename) == 0 {
		return nil
	}
	files := ChooserOf(info, p.Folded)
	opt.Rename = map[string]string{}
	for _, r := range p.Rename {
		from, to, err := splitRename(files, r)
		if err != nil {
			return err
		}
		opt.Rename[from] = to
	}
	return nil
}

// splitRename takes OLD=NEW apart; either may have more of those signs in it.
func splitRename(files *Chooser, text string) (from, to string, err error) {
	for at, c := range text {
		if c != '=' {
			continue
		}
		if from, err = FindPath(files, text[:at]); err == nil {
			return from, NewPath(from, text[at+1:]), nil
		}
	}
	if err == nil {
		err = ui.UsageError("write it OLD=NEW, like 'film.mkv=My film.mkv'", "--rename %q: there is no = in it", ui.Printable(text))
	}
	return "", "", err
}

// FindPath finds the file or folder that is meant: by its path, its path below the
// torrent's folder, or its name where only one has it; or a file by its number or a pattern
// that fits it alone.
func FindPath(files *Chooser, text string) (string, error) {
	word := files.fold(strings.TrimSuffix(text, "/"))
	var all []string // and the folders
	seen := make(map[string]bool)
	for _, f := range files.Files {
		for p := f.Path; p != "." && !seen[p]; p = path.Dir(p) {
			seen[p] = true
			all = append(all, p)
		}
	}
	for _, fits := range []func(string) bool{
		func(p string) bool { return p == word },
		func(p string) bool { return BelowTop(p) == word && word != "" },
		func(p string) bool { return path.Base(p) == word },
	} {
		var found []string
		for _, p := range all {
			if fits(files.fold(p)) {
				found = append(found, p)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return "", ui.UsageError("name it by its path", "%q is %s", ui.Printable(text), fmt.Sprintf("the name of %d files and folders", len(found)))
		}
	}
	found, err := files.find(text)
	if err != nil && (isNumbers(text) || strings.ContainsAny(text, `*?[\`)) {
		return "", err
	}
	switch len(found) {
	case 0:
		if err := files.lookAlike(text); err != nil {
			return "", err
		}
		return "", ui.UsageError("shoal show lists the files", "there is no file or folder %q", ui.Printable(text))
	case 1:
		return files.Files[found[0]].Path, nil
	}
	return "", ui.UsageError("name one of them", "%q fits %s", ui.Printable(text), ui.Count(len(found), "file"))
}

// NewPath returns the path that a new name means: one without a slash is in the same folder.
func NewPath(from, name string) string {
	if strings.Contains(name, "/") {
		return strings.TrimSuffix(name, "/")
	}
	return strings.TrimPrefix(path.Dir(from)+"/"+name, "./")
}
