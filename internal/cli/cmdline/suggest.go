package cmdline

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/internal/cli/ui"
)

// What a person may have meant by a word that is not known.

// nearest returns the words that are most like a word, the best first, three at most; none
// when nothing is like it.
func nearest(word string, known []string) []string {
	word = strings.ToLower(word)
	type near struct {
		word string
		far  int
	}
	var all []near
	for _, k := range known {
		far := distance(word, strings.ToLower(k))
		if len(word) > 2 && strings.HasPrefix(strings.ToLower(k), word) {
			far = min(far, 1)
		}
		if far <= max(1, min(len(word), len(k))/3) && far < len(k) {
			all = append(all, near{k, far})
		}
	}
	slices.SortStableFunc(all, func(a, b near) int { return a.far - b.far })
	var out []string
	for _, n := range all[:min(len(all), 3)] {
		if n.far <= all[0].far+1 {
			out = append(out, n.word)
		}
	}
	return out
}

// distance is how many letters have to be put in, left out, changed or swapped with their
// neighbour to make one word of the other. Long words are not looked at.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row := rows[0], rows[1], rows[2]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		rows = [3][]int{last, row, before}
	}
	return rows[1][len(b)]
}

// didYouMean is a hint with the words that were probably meant, before what to do else.
func didYouMean(near []string, otherwise string) string {
	if len(near) == 0 {
		return otherwise
	}
	return fmt.Sprintf("did you mean %s? %s", strings.Join(near, " or "), otherwise)
}

// NoWords refuses words behind a command that takes none.
func NoWords(cmd *cobra.Command, args []string) error {
	if len(args) == 0 || cmd.HasSubCommands() {
		return UnknownCommand(cmd, args)
	}
	return ui.UsageError("see: "+cmd.CommandPath()+" --help", "%s takes nothing but flags, not %q", strings.TrimPrefix(cmd.CommandPath(), "shoal "), ui.Printable(args[0]))
}

// UnknownCommand says what may have been meant by a first word behind parent that is not a
// command of it.
func UnknownCommand(parent *cobra.Command, args []string) error {
	if len(args) == 0 || strings.HasPrefix(args[0], "-") || strings.HasPrefix(args[0], "__") {
		return nil
	}
	word := args[0]
	see := "see: " + parent.CommandPath() + " --help"
	var names []string
	for _, c := range parent.Commands() {
		if c.Name() == word || c.HasAlias(word) {
			return nil
		}
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	if !parent.HasSubCommands() {
		return ui.UsageError(see, "there is no %q below shoal %s", ui.Printable(word), parent.Name())
	}
	if parent.HasParent() {
		if near := nearest(word, names); len(near) > 0 {
			see = didYouMean(near, see)
		} else {
			see = "there are " + strings.Join(names, ", ") + "; " + see
		}
		return ui.UsageError(see, "unknown command %q for %q", ui.Printable(word), parent.CommandPath())
	}
	if word == "help" {
		return nil
	}
	hint := didYouMean(nearest(word, append(names, "help")), see)
	if _, err := os.Lstat(word); KindOf(word) != KindFile || err == nil && strings.EqualFold(filepath.Ext(word), ".torrent") {
		hint = "to get its files: shoal get " + ui.Quoted(word)
	}
	return ui.UsageError(hint, "unknown command %q", ui.Printable(word))
}

// FlagHint says what may have been meant by a flag that is not known.
func FlagHint(cmd *cobra.Command, err error) string {
	see := "see: " + cmd.CommandPath() + " --help"
	said := err.Error()
	name, ok := strings.CutPrefix(said, "unknown flag: --")
	if !ok {
		return see
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	near := nearest(name, names)
	for i := range near {
		near[i] = "--" + near[i]
	}
	if len(near) > 0 {
		return didYouMean(near, see)
	}
	var others []string
	for _, c := range cmd.Root().Commands() {
		if f := c.Flags().Lookup(name); f != nil && !f.Hidden && c != cmd {
			others = append(others, "shoal "+c.Name())
		}
	}
	if len(others) > 0 {
		return fmt.Sprintf("--%s is a flag of %s; %s", name, strings.Join(others[:min(len(others), 4)], ", "), see)
	}
	return see
}
