package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/metainfo"
)

// chooseFlags say which files of a torrent are wanted, and how much.
type chooseFlags struct {
	only, skip, low, high []string
	folded                bool
}

func (c *chooseFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&c.only, "only", nil, "get these `FILES` alone: a name, a number, 3,5-7 or a pattern like **/*.mkv (repeat for more)")
	f.StringArrayVar(&c.skip, "skip", nil, "leave these `FILES` out, named as with --only")
	f.StringArrayVar(&c.high, "high", nil, "get these `FILES` first, named as with --only")
	f.StringArrayVar(&c.low, "low", nil, "get these `FILES` last, named as with --only")
	c.addFold(cmd)
}

func (c *chooseFlags) addFold(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.folded, "ignore-case", false, "let upper and lower case be alike in names of files")
}

// a selection is what the flags come to for one torrent.
type selection struct {
	priority map[string]shoal.Priority // by path; nil: all files are alike
	files    int                       // that are wanted
	bytes    int64                     // in these
}

// selection resolves the flags. A word that fits no file is a mistake, reported before
// anything is made or fetched.
func (c *chooseFlags) selection(info *metainfo.Info) (selection, error) {
	all := chooserOf(info, c.folded)
	s := selection{files: len(all.files), bytes: info.Saved()}
	if len(c.only)+len(c.skip)+len(c.low)+len(c.high) == 0 {
		return s, nil
	}
	prio := make([]shoal.Priority, len(all.files))
	for i := range prio {
		prio[i] = shoal.PriorityNormal
		if len(c.only) > 0 {
			prio[i] = shoal.PrioritySkip
		}
	}
	// In this order: what is skipped stays so, and what comes first does where both are said.
	for _, step := range []struct {
		words []string
		to    shoal.Priority
	}{{c.only, shoal.PriorityNormal}, {c.low, shoal.PriorityLow}, {c.high, shoal.PriorityHigh}, {c.skip, shoal.PrioritySkip}} {
		for _, word := range step.words {
			found, err := all.find(word)
			if err != nil {
				return s, err
			}
			for _, i := range found {
				if step.to == shoal.PriorityNormal || prio[i] != shoal.PrioritySkip {
					prio[i] = step.to
				}
			}
		}
	}
	s = selection{priority: make(map[string]shoal.Priority, len(prio))}
	for i, p := range prio {
		s.priority[all.files[i].path] = p
		if p != shoal.PrioritySkip {
			s.files++
			s.bytes += all.files[i].size
		}
	}
	if s.files == 0 {
		return s, usageErr("leave some of it", "--only and --skip leave no file of %s", printable(info.Name))
	}
	return s, nil
}

// choice turns it into what AddOptions takes; nil when all files are alike.
func (s selection) choice() func(shoal.File) shoal.Priority {
	if s.priority == nil {
		return nil
	}
	return func(f shoal.File) shoal.Priority {
		if p, ok := s.priority[f.Path]; ok {
			return p
		}
		return shoal.PriorityNormal
	}
}

// text says what is wanted of a torrent: "3 of 12 files, 1.2 GiB of 8.0 GiB".
func (s selection) text(info *metainfo.Info) string {
	if all := saved(info.Files); s.files < all {
		return fmt.Sprintf("%s of %s, %s of %s", group(int64(s.files)), count(all, "file"), size(s.bytes), size(info.Saved()))
	}
	return fmt.Sprintf("%s in %s", size(info.Saved()), count(saved(info.Files), "file"))
}

// pickOne returns the one file that is meant: the one that fits the word, or the largest.
func (c *chooseFlags) pickOne(info *metainfo.Info, word string) (int, error) {
	all := chooserOf(info, c.folded)
	if word == "" {
		best := 0
		for i := range all.files {
			if all.files[i].size > all.files[best].size {
				best = i
			}
		}
		return best, nil
	}
	found, err := all.find(word)
	if err != nil {
		return 0, err
	}
	if len(found) > 1 {
		var names []string
		for _, i := range found[:min(len(found), 3)] {
			names = append(names, printable(all.files[i].path))
		}
		return 0, usageErr("name one of them, by its path or number", "%q fits %s of %s: %s", word, count(len(found), "file"), all.of, strings.Join(names, ", "))
	}
	return found[0], nil
}

// saved counts the files that will lie on disk: all but padding.
func saved(files []metainfo.File) int {
	n := 0
	for _, f := range files {
		if !f.Pad {
			n++
		}
	}
	return n
}
