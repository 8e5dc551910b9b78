package main

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/metainfo"
)

// pathFlags say how files are called, and where they lie until they are complete.
type pathFlags struct {
	rename []string
	suffix string
	dir    string
	folded bool // upper and lower case are alike
}

func (p *pathFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&p.rename, "rename", nil, "call a file or folder otherwise: `OLD=NEW`, as with shoal rename (repeat for more)")
	f.StringVar(&p.suffix, "incomplete-suffix", "", "call files NAME plus this `SUFFIX`, such as .part, until they are complete")
	f.StringVar(&p.dir, "incomplete-dir", "", "keep the files in this folder `DIR` until all are complete, then move them to --dir")
	cmd.MarkFlagDirname("incomplete-dir")
}

// fill puts them into what a torrent is added with. A mistake is told before anything is done.
func (p *pathFlags) fill(opt *shoal.AddOptions, info *metainfo.Info) error {
	opt.IncompleteSuffix, opt.IncompleteDir = p.suffix, p.dir
	if p.dir != "" {
		if s, err := os.Stat(p.dir); err != nil || !s.IsDir() {
			return usageErr("make the folder, attach its volume, or name another", "--incomplete-dir %s: there is no such folder", printable(p.dir))
		}
	}
	if len(p.rename) == 0 {
		return nil
	}
	files := chooserOf(info, p.folded)
	opt.Rename = map[string]string{}
	for _, r := range p.rename {
		from, to, err := splitRename(files, r)
		if err != nil {
			return err
		}
		opt.Rename[from] = to
	}
	return nil
}

// splitRename takes OLD=NEW apart; either may have more of those signs in it.
func splitRename(files *chooser, text string) (from, to string, err error) {
	for at, c := range text {
		if c != '=' {
			continue
		}
		if from, err = findPath(files, text[:at]); err == nil {
			return from, newPath(from, text[at+1:]), nil
		}
	}
	if err == nil {
		err = usageErr("write it OLD=NEW, like 'film.mkv=My film.mkv'", "--rename %q: there is no = in it", printable(text))
	}
	return "", "", err
}

// findPath finds the file or folder that is meant: by its path, its path below the
// torrent's folder, or its name where only one has it; or a file by its number or a pattern
// that fits it alone.
func findPath(files *chooser, text string) (string, error) {
	word := files.fold(strings.TrimSuffix(text, "/"))
	var all []string // and the folders
	for _, f := range files.files {
		for p := f.path; p != "." && !slices.Contains(all, p); p = path.Dir(p) {
			all = append(all, p)
		}
	}
	for _, fits := range []func(string) bool{
		func(p string) bool { return p == word },
		func(p string) bool { return belowTop(p) == word && word != "" },
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
			return "", usageErr("name it by its path", "%q is %s", printable(text), fmt.Sprintf("the name of %d files and folders", len(found)))
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
		return "", usageErr("shoal show lists the files", "there is no file or folder %q", printable(text))
	case 1:
		return files.files[found[0]].path, nil
	}
	return "", usageErr("name one of them", "%q fits %s", printable(text), count(len(found), "file"))
}

// newPath gives the path that is meant by a new name: one without a slash is in the same
// folder.
func newPath(from, name string) string {
	if strings.Contains(name, "/") {
		return strings.TrimSuffix(name, "/")
	}
	return strings.TrimPrefix(path.Dir(from)+"/"+name, "./")
}
