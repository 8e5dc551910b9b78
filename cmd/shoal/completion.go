package main

import (
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/ui"
)

// addCompletion has the shells complete flags that are one of some words, and the command that
// writes their scripts say which shells there are. It comes last: the scripts go to where root
// writes.
func addCompletion(root *cobra.Command) {
	completeMeant(root)
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		if c.Name() == "completion" {
			c.Short = "Print a script with which a shell completes commands"
			c.Long = `Print a script with which a shell completes commands and flags. Each of them says how it is
given to its shell, once or always; in bash once: source <(shoal completion bash)`
			c.Args = cmdline.NoWords
			c.RunE = func(*cobra.Command, []string) error {
				return ui.UsageError("see: shoal completion --help", "completion: name a shell: bash, fish, powershell or zsh")
			}
		}
		if c.Name() == "completion" {
			for _, shell := range c.Commands() {
				if shell.Name() == "bash" {
					shell.Long = `Print what lets bash complete commands, flags, torrents and their files. No other
package is needed. Once: source <(shoal completion bash). Always: write it to
~/.local/share/bash-completion/completions/shoal, or source it in ~/.bashrc.`
					shell.RunE = func(cmd *cobra.Command, _ []string) error {
						_, err := io.WriteString(cmd.Root().OutOrStdout(), bashScript)
						return err
					}
				}
			}
			cmdline.WrapLong(c)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if v, ok := f.Value.(*cmdline.ChoiceFlag); ok {
				c.RegisterFlagCompletionFunc(f.Name, cobra.FixedCompletions(v.Choices, cobra.ShellCompDirectiveNoFileComp))
			}
		})
	}
}
