package main

import (
	"slices"
	"strings"

	"shoal/internal/cli/ui"
)

// streamArgs lets --stream take its value behind a blank, too: --stream GLOB is --stream=GLOB.
// The value may be left away, and a word alone is the torrent: "get --stream film.torrent"
// streams its largest file. parse returns the words that are not flags.
func streamArgs(args []string, parse func([]string) []string) []string {
	end := slices.Index(args, "--")
	if end < 0 {
		end = len(args)
	}
	at := slices.Index(args[:end], "--stream")
	if at < 0 || at+1 >= end || strings.HasPrefix(args[at+1], "-") && args[at+1] != "-" {
		return args
	}
	if len(parse(args)) < 2 {
		return args
	}
	return slices.Concat(args[:at], []string{"--stream=" + args[at+1]}, args[at+2:])
}

// wordsOf returns the words of a command line that are not flags or their values, without
// the command; none where it can't be parsed.
func wordsOf(args []string) []string {
	root := rootCommand(&ui.Output{}, ui.Env{Getenv: func(string) string { return "" }})
	cmd, rest, err := root.Find(args)
	if err != nil || cmd.Name() != "get" || cmd.ParseFlags(rest) != nil {
		return nil
	}
	return cmd.Flags().Args()
}
