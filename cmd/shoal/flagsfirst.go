package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagsFirst moves flags that stand before the name of the command behind it: shoal --json get X
// is shoal get X --json. The package that reads flags knows a command's flags only after its
// name. Where no command follows, or a flag is none of any command, args stay as they are.
func flagsFirst(root *cobra.Command, args []string) []string {
	at, cmd := 0, root
	for at < len(args) && len(args[at]) > 1 && args[at][0] == '-' && args[at] != "--" {
		f, own := flagOf(root, args[at])
		if f == nil {
			return args
		}
		at++
		if !own && f.NoOptDefVal == "" {
			at++ // its value
		}
	}
	if at == 0 {
		return args
	}
	end := at
	for ; end < len(args); end++ {
		next := child(cmd, args[end])
		if next == nil {
			break
		}
		cmd = next
	}
	if cmd == root {
		return args
	}
	moved := append([]string(nil), args[at:end]...)
	return append(append(moved, args[:at]...), args[end:]...)
}

func child(cmd *cobra.Command, name string) *cobra.Command {
	for _, c := range cmd.Commands() {
		if c.Name() == name || c.HasAlias(name) {
			return c
		}
	}
	return nil
}

// flagOf returns the flag that a word is of some command, and whether the word has its value.
func flagOf(cmd *cobra.Command, word string) (f *pflag.Flag, own bool) {
	name, long := strings.CutPrefix(word, "--")
	if long {
		name, _, own = strings.Cut(name, "=")
	} else {
		name, own = word[1:2], len(word) > 2
	}
	for _, set := range []*pflag.FlagSet{cmd.PersistentFlags(), cmd.Flags()} {
		if long {
			f = set.Lookup(name)
		} else {
			f = set.ShorthandLookup(name)
		}
		if f != nil {
			return f, own
		}
	}
	for _, c := range cmd.Commands() {
		if f, own := flagOf(c, word); f != nil {
			return f, own
		}
	}
	return nil, false
}
