package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"shoal"
)

func manCommand(out *output, e env) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the man pages",
		Long: `Write a man page for each command into a folder, which is made when it is
missing. They say what --help says. See them with man -l, or put them where man
looks, such as /usr/local/share/man/man1.`,
		Example: `  shoal man ./man`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageErr("see: shoal man --help", "man takes the folder to write to, and nothing else")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			err := os.MkdirAll(dir, 0o777)
			if err == nil {
				now := e.now().UTC()
				root := cmd.Root()
				root.DisableAutoGenTag = true // the same pages from the same version
				err = doc.GenManTree(root, &doc.GenManHeader{
					Section: "1", Source: "shoal " + shoal.Version, Manual: "shoal", Date: &now,
				}, dir)
			}
			if err != nil {
				return fail("write the man pages to "+printable(dir), err)
			}
			pages, _ := filepath.Glob(filepath.Join(dir, "shoal*.1"))
			out.say("%s in %s", count(len(pages), "page"), printable(dir))
			if len(pages) == 0 {
				return fail("write the man pages", fmt.Errorf("there are none in %s", printable(dir)))
			}
			return nil
		},
	}
}
