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
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/library"
	"shoal/internal/cli/network"
	"shoal/internal/cli/transfer"
	"shoal/internal/cli/ui"
)

// version is set when a release is linked: -ldflags "-X main.version=v1.2.3".
var version string

func rootCommand(out *ui.Output, e ui.Env) *cobra.Command {
	var logs ui.LogFlags
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
		Args:          func(cmd *cobra.Command, args []string) error { return cmdline.UnknownCommand(cmd, args) },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			// Only now are the flags known for what they are, and not as values of others.
			f := cmd.Flag("json")
			out.Service = ui.IsService(cmd)
			out.JSON = f != nil && f.Value.String() == "true"
			if f, ok := e.Stdout.(*os.File); ok {
				out.Terminal = term.IsTerminal(int(f.Fd()))
			}
			if !out.JSON {
				out.Screen = ui.OpenScreen(e.Stdout, e.Getenv)
			}
			if err := cmdline.UseSettings(cmd, e); err != nil {
				return err
			}
			return logs.Open(out)
		},
		Run: func(cmd *cobra.Command, _ []string) { cmd.Help() },
	}
	root.PersistentFlags().String("config", "", "read the settings from this `FILE` (default: see shoal config)")
	logs.Add(root)
	root.Version = versionLine()
	root.SetVersionTemplate("{{.Version}}\n")
	root.Flags().Bool("version", false, "print the version")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return ui.UsageError(cmdline.FlagHint(cmd, err), "%w", inWords(err))
	})
	root.AddCommand(
		library.CreateCommand(out), library.ShowCommand(out), transfer.GetCommand(out), transfer.SeedCommand(out), transfer.RunCommand(out), library.ListCommand(out), library.ForgetCommand(out), transfer.ServeCommand(out), library.MoveCommand(out), library.RenameCommand(out),
		library.VerifyCommand(out), network.DHTCommand(out), network.ScrapeCommand(out), network.AnnounceCommand(out), network.TrackerCommand(out), network.LabCommand(out, e), cmdline.ConfigCommand(out, e), cmdline.ManCommand(out, e), versionCommand(e),
		&cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: ui.ExitCodesHelp},
	)
	root.SetHelpCommand(cmdline.HelpCommand())
	cmdline.GroupHelp(root)
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

func versionCommand(e ui.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cmdline.NoWords,
		Run: func(*cobra.Command, []string) {
			fmt.Fprintln(e.Stdout, versionLine())
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
