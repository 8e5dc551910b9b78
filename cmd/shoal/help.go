package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A newcomer is to see five flags first, and the rest by what it is about.

// groupedFrom is how many flags a command has that need a table of contents.
const groupedFrom = 10

// flagGroups say under which heading the help of a command with many flags has each flag;
// those of the first group stand in this order.
var flagGroups = []struct {
	title string
	flags []string
}{
	{"Used most", []string{"dir", "only", "seed", "limit-up", "limit-down", "http"}},
	{"Files", []string{"skip", "high", "low", "ignore-case", "allocate", "anew", "sequential", "rename", "incomplete-suffix", "incomplete-dir", "stream", "metadata-only", "output", "keep-cached"}},
	{"Finding peers", []string{"peer", "web-seed", "dht-node", "no-dht", "dht-read-only", "no-lsd", "lsd", "no-web-seeds"}},
	{"What is in it", []string{"exclude", "follow-links", "include-junk", "raw-names", "piece-length", "name", "comment", "source", "entropy", "no-date"}},
	{"Where peers are", []string{"tracker", "private", "node"}},
	{"Sharing enough", []string{"ratio", "seed-time", "seed-idle", "super-seed", "seed-slots"}},
	{"Waiting in line", []string{"downloads", "seeds", "at-once"}},
	{"Network", []string{"listen", "max-peers", "max-connections", "max-metadata", "alt-limit-at", "alt-limit-up", "alt-limit-down", "local-unlimited"}},
	{"Trusting", []string{"ca-file", "allow-lan-trackers", "allow-downgrade"}},
	{"This run", []string{"wait", "stop-after", "on-complete", "quiet", "verbose", "log", "log-level", "json", "trace", "state", "help"}},
}

// groupedFlags gives the flags of a command as its help has them.
func groupedFlags(cmd *cobra.Command) string {
	all := cmd.LocalFlags()
	n := 0
	all.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			n++
		}
	})
	if n < groupedFrom {
		return "Flags:\n" + strings.TrimRight(all.FlagUsages(), "\n")
	}
	var b strings.Builder
	for _, g := range flagGroups {
		set := pflag.NewFlagSet(g.title, pflag.ContinueOnError)
		set.SortFlags = false
		for _, name := range g.flags {
			if f := all.Lookup(name); f != nil {
				set.AddFlag(f)
			}
		}
		if text := set.FlagUsages(); text != "" {
			b.WriteString("\n" + g.title + ":\n" + text)
		}
	}
	// What no group has is shown all the same; a test finds it.
	rest := pflag.NewFlagSet("rest", pflag.ContinueOnError)
	all.VisitAll(func(f *pflag.Flag) {
		if !grouped(f.Name) {
			rest.AddFlag(f)
		}
	})
	if text := rest.FlagUsages(); text != "" {
		b.WriteString("\nOther flags:\n" + text)
	}
	return strings.Trim(b.String(), "\n")
}

func grouped(flag string) bool {
	for _, g := range flagGroups {
		if slices.Contains(g.flags, flag) {
			return true
		}
	}
	return false
}

// groupHelp has the help of all commands show flags in groups, and the commands too.
func groupHelp(root *cobra.Command) {
	cobra.AddTemplateFunc("groupedFlags", groupedFlags)
	t := root.UsageTemplate()
	t = strings.Replace(t, "Flags:\n{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}", "{{groupedFlags .}}", 1)
	root.SetUsageTemplate(t)

	for _, g := range commandGroups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title + ":"})
		for _, c := range root.Commands() {
			if slices.Contains(g.commands, c.Name()) {
				c.GroupID = g.id
			}
		}
	}
	root.SetHelpCommandGroupID("about")
	root.SetCompletionCommandGroupID("about")
}

// commandGroups are the headings under which shoal --help lists the commands.
var commandGroups = []struct {
	id, title string
	commands  []string
}{
	{"share", "Get and share", []string{"get", "seed", "serve", "run", "list", "forget"}},
	{"torrents", "Torrents and their files", []string{"create", "show", "verify", "move", "rename"}},
	{"look", "Look at the network", []string{"dht", "scrape", "announce", "tracker", "lab"}},
	{"about", "About shoal", []string{"config", "exit-codes", "version", "man"}},
}
