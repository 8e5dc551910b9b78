package main

import (
	"fmt"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/metainfo"
)

// chooseFlags say which files of a torrent are wanted, and how much.
type chooseFlags struct {
	only, skip, low, high []string
}

func (c *chooseFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&c.only, "only", nil, "get these files alone: a `GLOB` of a path in the torrent, or of a name (repeat for more)")
	f.StringArrayVar(&c.skip, "skip", nil, "leave these files out: a `GLOB`, as with --only")
	f.StringArrayVar(&c.high, "high", nil, "get these files first: a `GLOB`, as with --only")
	f.StringArrayVar(&c.low, "low", nil, "get these files last: a `GLOB`, as with --only")
}

// choice turns the flags into what AddOptions takes; nil when all files are alike. A
// pattern that fits no file is a mistake, which is told before anything is fetched.
func (c *chooseFlags) choice(info *metainfo.Info) (func(shoal.File) shoal.Priority, error) {
	if len(c.only)+len(c.skip)+len(c.low)+len(c.high) == 0 {
		return nil, nil
	}
	for _, patterns := range [][]string{c.only, c.skip, c.low, c.high} {
		for _, p := range patterns {
			if _, err := path.Match(p, ""); err != nil {
				return nil, usageErr("write it like *.mkv, extras/* or 'season 1/e0?.*'", "%q is no pattern", p)
			}
			fits := false
			for _, f := range info.Files {
				fits = fits || !f.Pad && matches(p, strings.Join(f.Path, "/"))
			}
			if !fits {
				return nil, usageErr("shoal show lists the files", "%q fits no file of %s", p, printable(info.Name))
			}
		}
	}
	wanted := 0
	choose := func(f shoal.File) shoal.Priority {
		switch {
		case anyMatches(c.skip, f.Path), len(c.only) > 0 && !anyMatches(c.only, f.Path):
			return shoal.PrioritySkip
		case anyMatches(c.high, f.Path):
			return shoal.PriorityHigh
		case anyMatches(c.low, f.Path):
			return shoal.PriorityLow
		}
		return shoal.PriorityNormal
	}
	for _, f := range info.Files {
		if !f.Pad && choose(shoal.File{Path: strings.Join(f.Path, "/")}) != shoal.PrioritySkip {
			wanted++
		}
	}
	if wanted == 0 {
		return nil, usageErr("leave some of it", "--only and --skip leave no file of %s", printable(info.Name))
	}
	return choose, nil
}

func anyMatches(patterns []string, file string) bool {
	for _, p := range patterns {
		if matches(p, file) {
			return true
		}
	}
	return false
}

// matches reports whether a pattern fits a file: its name, its path, or its path below
// the torrent's folder; or the folder it is in.
func matches(pattern, file string) bool {
	_, below, _ := strings.Cut(file, "/")
	for _, s := range []string{file, below, path.Base(file)} {
		if ok, _ := path.Match(pattern, s); ok {
			return true
		}
	}
	for dir := path.Dir(below); dir != "." && dir != "/"; dir = path.Dir(dir) {
		if ok, _ := path.Match(strings.TrimSuffix(pattern, "/"), dir); ok {
			return true
		}
	}
	return false
}

// pickOne gives the one file that is meant: the one that fits the pattern, or the
// largest.
func pickOne(t *shoal.Torrent, pattern string) (string, error) {
	best, size, fits := "", int64(-1), 0
	for _, f := range t.Files() {
		if pattern != "" && !matches(pattern, f.Path) {
			continue
		}
		fits++
		if f.Length > size {
			best, size = f.Path, f.Length
		}
	}
	switch {
	case fits == 0:
		return "", usageErr("shoal show lists the files", "%q fits no file of %s", pattern, printable(t.Name()))
	case fits > 1 && pattern != "":
		return "", usageErr("name one of them", "%q fits %s", pattern, fmt.Sprintf("%d files of %s", fits, printable(t.Name())))
	}
	return best, nil
}
