package source

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

// ChooseFlags say which files of a torrent are wanted, and how much.
type ChooseFlags struct {
	only, skip, low, high []string
	Folded                bool
}

func (c *ChooseFlags) Add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&c.only, "only", nil, "get these `FILES` alone: a name, a number, 3,5-7 or a pattern like **/*.mkv (repeat for more)")
	f.StringArrayVar(&c.skip, "skip", nil, "leave these `FILES` out, named as with --only")
	f.StringArrayVar(&c.high, "high", nil, "get these `FILES` first, named as with --only")
	f.StringArrayVar(&c.low, "low", nil, "get these `FILES` last, named as with --only")
	c.AddFold(cmd)
}

func (c *ChooseFlags) AddFold(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.Folded, "ignore-case", false, "let upper and lower case be alike in names of files")
}

// a selection is what the flags come to for one torrent.
type Selection struct {
	Priority map[string]shoal.Priority // by path; nil: all files are alike
	files    int                       // that are wanted
	bytes    int64                     // in these
}

// Selection resolves the flags. A word that fits no file is a mistake, reported before
// anything is made or fetched.
func (c *ChooseFlags) Selection(info *metainfo.Info) (Selection, error) {
	all := ChooserOf(info, c.Folded)
	s := Selection{files: len(all.Files), bytes: info.Saved()}
	if len(c.only)+len(c.skip)+len(c.low)+len(c.high) == 0 {
		return s, nil
	}
	prio := make([]shoal.Priority, len(all.Files))
	for i := range prio {
		prio[i] = shoal.PriorityNormal
		if len(c.only) > 0 {
			prio[i] = shoal.PrioritySkip
		}
	}
	// In this order: what is skipped stays so, and high comes before low where a file has both.
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
	s = Selection{Priority: make(map[string]shoal.Priority, len(prio))}
	for i, p := range prio {
		s.Priority[all.Files[i].Path] = p
		if p != shoal.PrioritySkip {
			s.files++
			s.bytes += all.Files[i].Size
		}
	}
	if s.files == 0 {
		return s, ui.UsageError("leave some of it", "--only and --skip leave no file of %s", ui.Printable(info.Name))
	}
	return s, nil
}

// Choice turns it into what AddOptions takes; nil when all files are alike.
func (s Selection) Choice() func(shoal.File) shoal.Priority {
	if s.Priority == nil {
		return nil
	}
	return func(f shoal.File) shoal.Priority {
		if p, ok := s.Priority[f.Path]; ok {
			return p
		}
		return shoal.PriorityNormal
	}
}

// Text says what is wanted of a torrent: "3 of 12 files, 1.2 GiB of 8.0 GiB".
func (s Selection) Text(info *metainfo.Info) string {
	if all := CountSaved(info.Files); s.files < all {
		return fmt.Sprintf("%s of %s, %s of %s", ui.Grouped(int64(s.files)), ui.Count(all, "file"), ui.Size(s.bytes), ui.Size(info.Saved()))
	}
	return fmt.Sprintf("%s in %s", ui.Size(info.Saved()), ui.Count(CountSaved(info.Files), "file"))
}

// PickOne returns the one file that is meant: the one that fits the word, or the largest.
func (c *ChooseFlags) PickOne(info *metainfo.Info, word string) (int, error) {
	all := ChooserOf(info, c.Folded)
	if word == "" {
		best := 0
		for i := range all.Files {
			if all.Files[i].Size > all.Files[best].Size {
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
			names = append(names, ui.Printable(all.Files[i].Path))
		}
		return 0, ui.UsageError("name one of them, by its path or number", "%q fits %s of %s: %s", word, ui.Count(len(found), "file"), all.Of, strings.Join(names, ", "))
	}
	return found[0], nil
}

// CountSaved counts the files that will lie on disk: all but padding.
func CountSaved(files []metainfo.File) int {
	n := 0
	for _, f := range files {
		if !f.Pad {
			n++
		}
	}
	return n
}
