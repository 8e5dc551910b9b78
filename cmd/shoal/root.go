package main

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"shoal"
)

// version is set when a release is linked: -ldflags "-X main.version=v1.2.3".
var version string

func rootCommand(out *output, e env) *cobra.Command {
	var logs logFlags
	root := &cobra.Command{
		Use:   "shoal",
		Short: "Get and share files with BitTorrent",
		Long: `shoal gets the files of a torrent from other people's clients, verifies every
piece, and shares them in turn. A torrent needs no tracker: the DHT finds peers.`,
		Example: `  shoal get debian.torrent --dir ~/Downloads
  shoal create photos/ -o photos.torrent --node 192.0.2.7:6881
  shoal seed photos.torrent
  shoal lab`,
		SilenceErrors: true, // run tells them, in the form that is in use
		SilenceUsage:  true,
		Args:          func(cmd *cobra.Command, args []string) error { return unknownCommand(cmd, args) },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			// Only now are the flags known for what they are, and not as values of others.
			f := cmd.Flag("json")
			out.service = isService(cmd)
			out.json = f != nil && f.Value.String() == "true"
			if f, ok := e.stdout.(*os.File); ok {
				out.terminal = term.IsTerminal(int(f.Fd()))
			}
			if !out.json {
				out.screen = openScreen(e.stdout, e.getenv)
			}
			if err := useSettings(cmd, e); err != nil {
				return err
			}
			return logs.open(out)
		},
		Run: func(cmd *cobra.Command, _ []string) { cmd.Help() },
	}
	root.PersistentFlags().String("config", "", "read the settings from this `FILE` (default: see shoal config)")
	logs.add(root)
	root.Version = versionLine()
	root.SetVersionTemplate("{{.Version}}\n")
	root.Flags().Bool("version", false, "print the version")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageErr(flagHint(cmd, err), "%w", inWords(err))
	})
	root.AddCommand(
		createCommand(out), showCommand(out), getCommand(out), seedCommand(out), runCommand(out), listCommand(out), forgetCommand(out), serveCommand(out), moveCommand(out), renameCommand(out),
		verifyCommand(out), dhtCommand(out), scrapeCommand(out), announceCommand(out), trackerCommand(out), labCommand(out, e), configCommand(out, e), manCommand(out, e), versionCommand(e),
		&cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitCodesHelp},
	)
	root.SetHelpCommand(helpCommand())
	groupHelp(root)
	return root
}

// inWords says what to write where the package that reads flags tells of the call that failed.
func inWords(err error) error {
	said := err.Error()
	if i := strings.LastIndex(said, " flag: strconv."); i >= 0 {
		return errors.New(said[:i] + " flag: write a number")
	}
	return err
}

func versionCommand(e env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  noWords,
		Run: func(*cobra.Command, []string) {
			fmt.Fprintln(e.stdout, versionLine())
		},
	}
}

func versionLine() string {
	return fmt.Sprintf("shoal %s (%s, %s/%s)", versionText(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// versionText is the version of a release, else what the build knows of itself.
func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if v != "" && v != "(devel)" {
		return v
	}
	var revision, modified string
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case "vcs.modified":
			if s.Value == "true" {
				modified = "+changes"
			}
		}
	}
	if revision == "" {
		return shoal.Version + "-devel"
	}
	return shoal.Version + "-devel-" + revision + modified
}
