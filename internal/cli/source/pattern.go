package source

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"shoal/internal/cli/ui"
	"shoal/internal/value/pathglob"
	"shoal/metainfo"
)

// How files of a torrent are named on the command line. A name is taken literally first:
// torrents have files called "a[1].mkv" and "what?.txt". Then it may be numbers, as shoal
// show prints them, and then a pattern.

// Chooser finds files by what a person writes.
type Chooser struct {
	Files  []ChosenFile
	Folded bool // case does not matter
	Of     string
}

// ChosenFile is a file that can be chosen, with its number from 1.
type ChosenFile struct {
	Path string   // slash-separated, as the file will be called
	also []string // other forms of it: as the torrent writes it
	Size int64
}

// ChooserOf is for the files of a torrent, without padding.
func ChooserOf(info *metainfo.Info, folded bool) *Chooser {
	c := &Chooser{Folded: folded, Of: ui.Printable(info.Name)}
	for i := range info.Files {
		f := &info.Files[i]
		if f.Pad {
			continue
		}
		cf := ChosenFile{Path: strings.Join(f.Path, "/"), Size: f.Length}
		if raw := strings.Join(f.RawPath, "/"); raw != "" && raw != cf.Path {
			cf.also = append(cf.also, raw)
		}
		c.Files = append(c.Files, cf)
	}
	return c
}

// fold returns the form in which names are compared: with the same letters composed the same
// way, since no keyboard tells them apart.
func (c *Chooser) fold(s string) string {
	s = norm.NFC.String(s)
	if c.Folded {
		s = strings.ToLower(s)
	}
	return s
}

// find returns the indexes of the files that a word means, in order. There is one at least.
func (c *Chooser) find(word string) ([]int, error) {
	if strings.TrimSpace(word) == "" {
		return nil, ui.UsageError("write a name, a number or a pattern like *.mkv; shoal show lists the files", "an empty name fits no file of %s", c.Of)
	}
	if found := c.literal(word); len(found) > 0 {
		return found, nil
	}
	if isNumbers(word) {
		return c.numbers(word)
	}
	found, err := c.globbed(word)
	if err != nil {
		return nil, ui.UsageError("write it like *.mkv, extras/**, 'season 1/e0?.*' or 3,5-7", "%q is not a pattern, and no file of %s has that name: a bracket is open, or a \\ stands at its end", word, c.Of)
	}
	if len(found) > 0 {
		return found, nil
	}
	if err := c.lookAlike(word); err != nil {
		return nil, err
	}
	hint := "shoal show lists the files"
	if !c.Folded {
		other := *c
		other.Folded = true
		if found, err := other.find(word); err == nil {
			hint = fmt.Sprintf("with --ignore-case it fits %s; %s", ui.Count(len(found), "file"), hint)
		}
	}
	return nil, ui.UsageError(hint, "%q fits no file of %s", word, c.Of)
}

// lookAlike explains why a word fits no file although a name of the torrent looks the same on
// a screen: a blank of another kind, a letter of another alphabet. It returns nil where none
// does.
func (c *Chooser) lookAlike(word string) error {
	word = strings.TrimSuffix(word, "/")
	for i := range c.Files {
		for _, p := range append([]string{c.Files[i].Path}, c.Files[i].also...) {
			hint := fmt.Sprintf("name it by its number, %d", i+1)
			for at := p; at != "." && at != "/"; at = path.Dir(at) {
				for _, name := range []string{at, BelowTop(at), path.Base(at)} {
					if metainfo.LookAlike(word, name) {
						typed, has := metainfo.Distinct(word, name)
						return ui.UsageError(hint, "%s fits no file of %s; it has %s, which looks the same", typed, c.Of, has)
					}
				}
				hint = "name its files by their numbers, as shoal show prints them"
			}
		}
	}
	return nil
}

// literal returns the files whose path, path below the torrent's folder, or name is the
// word, or that lie in a folder of which that is so.
func (c *Chooser) literal(word string) (found []int) {
	word = c.fold(strings.TrimSuffix(word, "/"))
	for _, fits := range []func(p, below string) bool{
		func(p, below string) bool { return p == word || below == word && below != "" },
		func(p, below string) bool {
			return strings.HasPrefix(p, word+"/") || strings.HasPrefix(below, word+"/")
		},
		func(p, _ string) bool { return path.Base(p) == word },
		func(_, below string) bool { return strings.Contains("/"+path.Dir(below)+"/", "/"+word+"/") },
	} {
		for i := range c.Files {
			if slices.ContainsFunc(c.forms(i), func(p string) bool { return fits(p, BelowTop(p)) }) {
				found = append(found, i)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return nil
}

// forms returns the paths of a file in the form in which they are compared.
func (c *Chooser) forms(i int) []string {
	all := []string{c.fold(c.Files[i].Path)}
	for _, p := range c.Files[i].also {
		all = append(all, c.fold(p))
	}
	return all
}

// BelowTop returns a path below the torrent's folder; empty for a single file.
func BelowTop(p string) string { return pathglob.Below(p) }

// isNumbers reports whether a word is a list of numbers and ranges: 3,5-7,9-
func isNumbers(word string) bool {
	return word != "" && strings.Trim(word, "0123456789,- ") == "" && strings.ContainsAny(word, "0123456789")
}

func (c *Chooser) numbers(word string) (found []int, err error) {
	for part := range strings.SplitSeq(word, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "-")
		first, ferr := strconv.Atoi(strings.TrimSpace(from))
		last := first
		var lerr error
		if isRange {
			if to = strings.TrimSpace(to); to == "" {
				last = len(c.Files)
			} else {
				last, lerr = strconv.Atoi(to)
			}
		}
		if errors.Join(ferr, lerr) != nil || first > last && first <= len(c.Files) {
			return nil, ui.UsageError("write numbers like 3,5-7 or 9-, as shoal show prints them", "%q is not a list of numbers", word)
		}
		if first < 1 || last > len(c.Files) || first > last {
			return nil, ui.UsageError("shoal show prints the numbers", "%q: %s has %s, numbered from 1", word, c.Of, ui.Count(len(c.Files), "file"))
		}
		for n := first; n <= last; n++ {
			found = append(found, n-1)
		}
	}
	slices.Sort(found)
	return slices.Compact(found), nil
}

// globbed returns the files that a pattern fits: their path, their path below the torrent's
// folder, their name, or a folder that they are in.
func (c *Chooser) globbed(pattern string) (found []int, err error) {
	pattern = c.fold(strings.TrimSuffix(pattern, "/"))
	if err := pathglob.Check(pattern); err != nil {
		return nil, err
	}
	for i := range c.Files {
		if slices.ContainsFunc(c.forms(i), func(p string) bool { return pathglob.Fits(pattern, p) }) {
			found = append(found, i)
		}
	}
	return found, nil
}
