package main

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"shoal/magnet"
)

// betweenLinks is where one argument goes on with another link.
var betweenLinks = regexp.MustCompile(`(?i)[\s,;|]+magnet:\?`)

// apart takes links apart that were pasted as one argument, with a comma, a blank or a new line
// between them: each is a source. An argument of which a part is something else stays as it is, and
// so does the value of a flag. Flags stand behind the name of the command.
func apart(root *cobra.Command, args []string) []string {
	var out []string
	cmd, flags := root, true
	for at := 0; at < len(args); at++ {
		arg := args[at]
		if !flags || len(arg) < 2 || arg[0] != '-' {
			if next := child(cmd, arg); next != nil {
				cmd = next
			}
			out = append(out, linksIn(arg)...)
			continue
		}
		out = append(out, arg)
		flags = arg != "--"
		if f, own := flagOf(cmd, arg); f != nil && !own && f.NoOptDefVal == "" && at+1 < len(args) {
			at++
			out = append(out, args[at])
		}
	}
	return out
}

func linksIn(arg string) []string {
	if len(arg) < 2*32 || len(arg) > 16*magnet.MaxLength || strings.HasPrefix(arg, "-") { // two hashes are longer
		return []string{arg}
	}
	var links []string
	from := 0
	for _, at := range append(betweenLinks.FindAllStringIndex(arg, -1), []int{len(arg), len(arg) + len("magnet:?")}) {
		links = append(links, arg[from:at[0]])
		from = at[1] - len("magnet:?")
	}
	if len(links) == 1 { // or hashes alone
		links = strings.FieldsFunc(arg, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) })
	}
	for _, link := range links {
		if _, err := magnet.Parse(link); err != nil {
			return []string{arg}
		}
	}
	if len(links) < 2 {
		return []string{arg}
	}
	return links
}
