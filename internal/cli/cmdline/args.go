package cmdline

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"shoal/internal/cli/ui"
)

// AddJSON adds the flag --json to a command.
func AddJSON(cmd *cobra.Command) {
	cmd.Flags().Bool("json", false, "print JSON, one object a line (docs/json.md)")
}

// otherSources says what else a command takes beside .torrent files.
func otherSources(cmd *cobra.Command) string {
	if slices.Contains([]string{"get", "seed", "show", "serve"}, cmd.Name()) {
		return ", a magnet link, an info-hash or a URL"
	}
	return ""
}

// EmptyName refuses a name without a letter: a folder would be the one that we are in, and
// what was meant is mostly in a variable of a shell that is not set.
func EmptyName(cmd *cobra.Command) error {
	return ui.UsageError("name it; is a variable of the shell not set? See: "+cmd.CommandPath()+" --help", "%s: a name is empty", cmd.Name())
}

// Sources checks that at least one source was named, and completes their names.
func Sources(cmd *cobra.Command, most int) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) == 0:
			return ui.UsageError("see: "+cmd.CommandPath()+" --help", "%s: no source; name a .torrent file%s", cmd.Name(), otherSources(cmd))
		case slices.Contains(args, ""):
			return EmptyName(cmd)
		case most > 0 && len(args) > most:
			return ui.UsageError("see: "+cmd.CommandPath()+" --help", "%s takes one source, not %d: %s",
				cmd.Name(), len(args), strings.Join(args, " "))
		}
		return nil
	}
	CompleteTorrents(cmd)
	files := cmd.ValidArgsFunction
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return files(cmd, args, typed)
	}
}

// CompleteTorrents has the shell complete the names of .torrent files.
func CompleteTorrents(cmd *cobra.Command) {
	cmd.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return []string{"torrent"}, cobra.ShellCompDirectiveFilterFileExt
	}
}
