package cmdline

import (
	"fmt"
	"slices"
	"strings"
	"text/template"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A newcomer is to see five flags first, and the rest by what it is about.

// helpWidth is that of the terminals that everybody has.
const helpWidth = 80

// WrapLong fits the paragraphs of the long texts of all commands to helpWidth. Lines that
// begin with a blank are as they are.
func WrapLong(cmd *cobra.Command) {
	cmd.Long = wrapText(cmd.Long)
	cmd.Example = wrapExamples(cmd.Example)
	for _, c := range cmd.Commands() {
		WrapLong(c)
	}
}

// wrapExamples continues command lines that are too long on the next line, as a shell takes
// them.
func wrapExamples(text string) string {
	var out []string
	for line := range strings.SplitSeq(text, "\n") {
		for len(line) > helpWidth {
			at := strings.LastIndex(line[:helpWidth-2], " --")
			if at < 0 {
				at = strings.LastIndex(line[:helpWidth-2], " -")
			}
			if strings.TrimSpace(line[:max(at, 0)]) == "" {
				break
			}
			out = append(out, line[:at]+" \\")
			line = "     " + line[at:]
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

func wrapText(text string) string {
	var out, words []string
	flush := func() {
		line := ""
		for _, w := range words {
			if line != "" && len(line)+1+len(w) > helpWidth {
				out = append(out, line)
				line = ""
			}
			line = strings.TrimLeft(line+" "+w, " ")
		}
		if line != "" {
			out = append(out, line)
		}
		words = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || line[0] == ' ' {
			flush()
			out = append(out, line)
			continue
		}
		words = append(words, strings.Fields(line)...)
	}
	flush()
	return strings.Join(out, "\n")
}

// groupedFrom is how many flags a command has that need a table of contents.
const groupedFrom = 10

// flagGroups say under which heading the help of a command with many flags has each flag;
// those of the first group stand in this order.
var flagGroups = []struct {
	title string
	flags []string
}{
	{"Used most", []string{"dir", "only", "seed", "limit-up", "limit-down", "http", "http-name", "http-wait"}},
	{"Files", []string{"skip", "high", "low", "ignore-case", "allocate", "anew", "overwrite", "ignore-free-space", "sequential", "rename", "incomplete-suffix", "incomplete-dir", "stream", "metadata-only", "output", "keep-cached"}},
	{"Finding peers", []string{"peer", "web-seed", "dht-node", "no-dht", "dht-read-only", "no-lsd", "lsd", "no-web-seeds"}},
	{"What is in it", []string{"exclude", "follow-links", "include-junk", "raw-names", "piece-length", "name", "comment", "source", "entropy", "no-date"}},
	{"Where peers are", []string{"tracker", "private", "node"}},
	{"Sharing enough", []string{"ratio", "seed-time", "seed-idle", "super-seed", "seed-slots"}},
	{"Waiting in line", []string{"downloads", "seeds", "at-once"}},
	{"Network", []string{"listen", "max-peers", "max-connections", "max-metadata", "alt-limit-at", "alt-limit-up", "alt-limit-down", "local-unlimited"}},
	{"Trusting", []string{"ca-file", "allow-lan-trackers", "allow-downgrade"}},
	{"This run", []string{"wait", "stop-after", "watch", "on-complete", "quiet", "verbose", "log", "log-level", "json", "trace", "state", "help"}},
}

// groupedFlags returns the flags of a command as its help shows them.
func groupedFlags(cmd *cobra.Command) string {
	all := cmd.LocalFlags()
	n := 0
	all.VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			n++
		}
	})
	if n < groupedFrom {
		return "Flags:\n" + strings.TrimRight(all.FlagUsagesWrapped(helpWidth), "\n")
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
		if text := set.FlagUsagesWrapped(helpWidth); text != "" {
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
	if text := rest.FlagUsagesWrapped(helpWidth); text != "" {
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

// usageFuncs are what the template of the help calls. They are not added to those of package
// cobra: these are in one map for all commands of a program, which commands that are made at
// the same time would write to.
var usageFuncs = template.FuncMap{
	"groupedFlags": groupedFlags,
	"globalFlags": func(c *cobra.Command) string {
		return strings.TrimRight(c.InheritedFlags().FlagUsagesWrapped(helpWidth), "\n")
	},
	"rpad": func(s string, width int) string { return fmt.Sprintf("%-*s", width, s) },
}

// GroupHelp has the help of all commands show flags in groups, and the commands too.
func GroupHelp(root *cobra.Command) {
	t := root.UsageTemplate()
	t = strings.Replace(t, "Flags:\n{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}", "{{groupedFlags .}}", 1)
	t = strings.Replace(t, "{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}", "{{globalFlags .}}", 1)
	usage := template.Must(template.New("usage").Funcs(usageFuncs).Parse(t))
	root.SetUsageFunc(func(c *cobra.Command) error { return usage.Execute(c.OutOrStderr(), c) })
	WrapLong(root)

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

// HelpCommand prints the help of a command, and says what was meant by a word that is none.
func HelpCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Help about any command",
		Long:  `Print the help of a command, as --help does: shoal help get.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			of, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = UnknownCommand(of, rest)
			}
			if err != nil {
				return err
			}
			of.InitDefaultHelpFlag() // as --help has it
			return of.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) (names []string, _ cobra.ShellCompDirective) {
			if of, rest, err := cmd.Root().Find(args); err == nil && len(rest) == 0 {
				for _, c := range of.Commands() {
					if c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
						names = append(names, c.Name())
					}
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}
