package cmdline

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal"
	"shoal/internal/cli/ui"
)

type settingEvent struct {
	Command string `json:"command"`
	Name    string `json:"name"`
	Value   string `json:"value"`
	From    string `json:"from"`
}

type configEvent struct {
	File     string `json:"file"`
	Found    bool   `json:"found"`
	Settings int    `json:"settings"`
}

func ConfigCommand(out *ui.Output, e ui.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show the settings and where they come from",
		Long: `Flags that you always use can stand in a settings file, or in the environment.
The command line counts before the environment, and that before the file. In the
file, names are those of the flags:

  limit-up = "2MiB"            for every command that has --limit-up
  [get]
  dir = "~/Downloads"          for shoal get alone
  peer = ["192.0.2.7:6881"]    a flag that can be repeated takes a list

In the environment limit-up is SHOAL_LIMIT_UP; lists have commas. The file is
config.toml in the folder shoal of the user's configuration ($XDG_CONFIG_HOME
or ~/.config), unless --config or SHOAL_CONFIG names another.`,
		Args: NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	show := &cobra.Command{
		Use:   "show [COMMAND]",
		Short: "Print the settings that are in effect, and where each comes from",
		Long: `Print the settings that are in effect, and where each comes from: those that are
set somewhere; with a COMMAND all of its settings, also those that are as shoal has them.`,
		Example: `  shoal config show
  shoal config show get
  shoal config show get --json`,
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range configurable(cmd.Root()) {
				names = append(names, commandName(c))
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error { return configShow(cmd, out, e, strings.Join(args, " ")) },
	}
	AddJSON(show)
	example := &cobra.Command{
		Use:     "example",
		Short:   "Print a settings file with every setting",
		Long:    `Print a settings file with every setting, each line with what it does, and none in effect.`,
		Example: `  shoal config example`,
		Args:    NoWords,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprint(e.Stdout, exampleSettings(cmd.Root()))
			return err
		},
	}
	cmd.AddCommand(show, example)
	return cmd
}

// configurable returns the commands that have settings, as the help lists them.
func configurable(root *cobra.Command) (all []*cobra.Command) {
	for _, c := range root.Commands() {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			continue
		}
		n := 0
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if isSetting(f) {
				n++
			}
		})
		if n > 0 {
			all = append(all, c)
		}
		all = append(all, configurable(c)...)
	}
	return all
}

func commandName(c *cobra.Command) string {
	return strings.TrimPrefix(c.CommandPath(), c.Root().Name()+" ")
}

func configShow(cmd *cobra.Command, out *ui.Output, e ui.Env, only string) error {
	flag, _ := cmd.Flags().GetString("config")
	path, named := settingsPath(flag, e.Getenv)
	s, err := readSettings(cmd.Root(), path, named)
	if err != nil {
		return err
	}
	commands := configurable(cmd.Root())
	if only != "" {
		i := slices.IndexFunc(commands, func(c *cobra.Command) bool { return commandName(c) == only })
		if i < 0 {
			return ui.UsageError("see: shoal --help", "config show: no command %q has settings", only)
		}
		commands = commands[i : i+1]
	}
	switch {
	case s.read:
		out.Say("settings file  %s", ui.Printable(path))
	case path != "":
		out.Say("settings file  %s (there is none)", ui.Printable(path))
	}
	n := 0
	for _, c := range commands {
		from, err := s.apply(c, e.Getenv)
		if err != nil {
			return err
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			at, ok := from[f.Name]
			if !ok || only == "" && at == fromDefault {
				return
			}
			n++
			out.Event("setting", settingEvent{commandName(c), f.Name, shoal.Redact(f.Value.String()), string(at)})
			out.Say("%-8s  %-18s  %-24s  %s", commandName(c), f.Name, ui.Printable(f.Value.String()), ui.Printable(string(at)))
		})
	}
	if n == 0 {
		out.Say("nothing is set; shoal config example prints what may be")
	}
	out.Event("complete", configEvent{path, s.read, n})
	return nil
}

// exampleSettings is a settings file with every setting, commented out. What several commands
// have stands above the tables.
func exampleSettings(root *cobra.Command) string {
	commands := configurable(root)
	having := make(map[string]int)
	for _, c := range commands {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if isSetting(f) {
				having[f.Name]++
			}
		})
	}
	var b strings.Builder
	b.WriteString("# Settings of shoal. A line without its # is in effect; the command line and the\n# environment (SHOAL_...) count before it.\n\n# For all commands that have such a flag:\n")
	done := make(map[string]bool)
	line := func(f *pflag.Flag) {
		_, usage := pflag.UnquoteUsage(f)
		fmt.Fprintf(&b, "\n# %s\n#%s = %s\n", usage, f.Name, exampleValue(f))
	}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if isSetting(f) {
			done[f.Name] = true
			line(f)
		}
	})
	for _, c := range commands {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if isSetting(f) && having[f.Name] > 1 && !done[f.Name] {
				done[f.Name] = true
				line(f)
			}
		})
	}
	for _, c := range commands {
		head := false
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !isSetting(f) || having[f.Name] > 1 {
				return
			}
			if !head {
				head = true
				fmt.Fprintf(&b, "\n[%s]\n", strings.ReplaceAll(commandName(c), " ", "."))
			}
			line(f)
		})
	}
	return b.String()
}

// exampleValue is the default, or something of the kind that the flag takes.
func exampleValue(f *pflag.Flag) string {
	v := f.DefValue
	switch f.Value.Type() {
	case "bool":
		return v
	case "int", "uint", "float64", "int64", "uint64":
		return v
	}
	if repeats(f) {
		return fmt.Sprintf("[%q]", strings.Trim(v, "[]"))
	}
	return fmt.Sprintf("%q", v)
}
