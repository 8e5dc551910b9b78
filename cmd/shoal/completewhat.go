package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
)

// What is offered where a torrent, or a file of one, is to be named. Nothing here asks a peer
// or a server.

// offered bounds what is offered at once: more than that nobody reads.
const offered = 500

// stateOf is the folder of state that a command line names, or the usual one.
func stateOf(cmd *cobra.Command) string {
	dir, _ := session.Flags{State: stateFlag(cmd)}.StateDir()
	return dir
}

// listedNames returns the names of torrents on the list of shoal run that begin like typed,
// and their info-hashes where that is what is typed.
func listedNames(cmd *cobra.Command, typed string) (names []string) {
	state := stateOf(cmd)
	if state == "" {
		return nil
	}
	all, _ := shoal.PeekRemembered(state)
	for _, r := range all {
		switch {
		case len(names) >= offered:
			return names
		case strings.HasPrefix(r.Name, typed) && ui.Printable(r.Name) == r.Name:
			names = append(names, r.Name+"\t"+r.InfoHash[:12])
		case typed != "" && strings.HasPrefix(r.InfoHash, strings.ToLower(typed)):
			names = append(names, r.InfoHash+"\t"+ui.Printable(r.Name))
		}
	}
	return names
}

// torrentFiles returns .torrent files and folders whose paths begin like typed.
func torrentFiles(typed string) (names []string) {
	dir, begin := filepath.Split(typed)
	entries, err := os.ReadDir(filepath.Clean(dir + "."))
	if err != nil {
		return nil
	}
	for _, e := range entries {
		name := e.Name()
		if !strings.HasPrefix(name, begin) || strings.HasPrefix(name, ".") && begin == "" || len(names) >= offered {
			continue
		}
		switch {
		case e.IsDir():
			names = append(names, dir+name+string(filepath.Separator))
		case strings.EqualFold(filepath.Ext(name), ".torrent"):
			names = append(names, dir+name)
		}
	}
	return names
}

// completeListed offers torrents on the list, and with files .torrent files too.
func completeListed(cmd *cobra.Command, typed string, files bool) ([]string, cobra.ShellCompDirective) {
	names, directive := listedNames(cmd, typed), cobra.ShellCompDirectiveNoFileComp
	if files {
		more := torrentFiles(typed)
		if len(names) == 0 && len(more) == 1 && strings.HasSuffix(more[0], string(filepath.Separator)) {
			directive |= cobra.ShellCompDirectiveNoSpace
		}
		names = append(names, more...)
	}
	return names, directive
}

// completeFilesOf offers the files of a torrent, by their paths below its folder.
func completeFilesOf(cmd *cobra.Command, name, typed string) ([]string, cobra.ShellCompDirective) {
	none := cobra.ShellCompDirectiveNoFileComp
	if cmdline.KindOf(name) == cmdline.KindURL || name == "-" {
		return nil, none
	}
	k, err := source.FindKnown(context.Background(), name, session.Flags{State: stateFlag(cmd)})
	if err != nil {
		return nil, none
	}
	var names []string
	for _, f := range source.ChooserOf(k.Meta.Info, false).Files {
		p := f.Path
		if below := source.BelowTop(p); below != "" {
			p = below
		}
		if strings.HasPrefix(p, typed) && ui.Printable(p) == p && len(names) < offered {
			names = append(names, p+"\t"+ui.Size(f.Size))
		}
	}
	return names, none
}

// stateFlag returns the value of --state; empty when it was not given.
func stateFlag(cmd *cobra.Command) string {
	if f := cmd.Flag("state"); f != nil {
		return f.Value.String()
	}
	return ""
}

// completeMeant makes commands offer torrents and files where these are meant.
func completeMeant(root *cobra.Command) {
	for _, c := range root.Commands() {
		switch c.Name() {
		case "forget":
			c.ValidArgsFunction = func(cmd *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
				return completeListed(cmd, typed, false)
			}
		case "verify", "move", "rename":
			c.ValidArgsFunction = func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
				switch {
				case len(args) == 0:
					return completeListed(cmd, typed, true)
				case len(args) == 1 && cmd.Name() == "move":
					return nil, cobra.ShellCompDirectiveFilterDirs
				case len(args) == 1 && cmd.Name() == "rename":
					return completeFilesOf(cmd, args[0], typed)
				}
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
		}
		for _, name := range []string{"only", "skip", "high", "low", "stream"} {
			if c.Flags().Lookup(name) == nil {
				continue
			}
			c.RegisterFlagCompletionFunc(name, func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
				if len(args) == 0 {
					return nil, cobra.ShellCompDirectiveNoFileComp
				}
				return completeFilesOf(cmd, args[0], typed)
			})
		}
	}
}

// bashScript completes in bash, and needs no other package: bash 3.2 and newer.
const bashScript = `# Completion of shoal for bash; no other package is needed.
_shoal() {
    local line=${COMP_LINE:0:COMP_POINT} words=() i w lead cur out directive name n
    # bash splits at : and =, too: put together what has no blank between.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        w=${COMP_WORDS[i]}
        if ((i == COMP_CWORD)); then
            lead=${line%%[![:space:]]*}
            w=${line:${#lead}}
        else
            lead=${line%%"$w"*}
        fi
        line=${line:${#lead}+${#w}}
        if ((i > 0)) && [[ -z $lead ]]; then
            n=$((${#words[@]} - 1))
            words[n]=${words[n]}$w
        else
            words[${#words[@]}]=$w
        fi
    done
    for ((i = 0; i < ${#words[@]}; i++)); do
        w=${words[i]//\\/}
        w=${w#[\"\']}
        words[i]=${w%[\"\']}
    done
    n=$((${#words[@]} - 1))
    cur=${words[n]}
    out=$("${words[0]/#\~/$HOME}" __complete "${words[@]:1}" 2>/dev/null) || return 0
    directive=${out##*:}
    out=${out%:*}
    # What is before the last : or = stays as it is typed.
    local keep=""
    if [[ $COMP_WORDBREAKS == *:* && $cur == *:* ]]; then keep=${cur%"${cur##*:}"}; fi
    if [[ $COMP_WORDBREAKS == *=* && $cur == --*=* ]]; then keep=${cur%%=*}=; fi
    local rest=${cur#"$keep"} IFS=$'\n'
    COMPREPLY=()
    if ((directive & 8)); then
        for name in $out; do
            COMPREPLY=("${COMPREPLY[@]}" $(compgen -f -X "!*.$name" -- "$rest"))
        done
        COMPREPLY=("${COMPREPLY[@]}" $(compgen -d -- "$rest"))
        type compopt >/dev/null 2>&1 && compopt -o filenames
        return 0
    fi
    if ((directive & 16)); then
        COMPREPLY=($(compgen -d -- "$rest"))
        type compopt >/dev/null 2>&1 && compopt -o filenames
        return 0
    fi
    for name in $out; do
        name=${name%%$'\t'*}
        name=${name#"$keep"}
        [[ $name == "$rest"* ]] && COMPREPLY[${#COMPREPLY[@]}]=$(printf '%q' "$name")
    done
    if ((${#COMPREPLY[@]} == 0 && !(directive & 4))); then
        COMPREPLY=($(compgen -f -- "$rest"))
        type compopt >/dev/null 2>&1 && compopt -o filenames
    fi
    if ((directive & 2)); then
        type compopt >/dev/null 2>&1 && compopt -o nospace
    fi
    return 0
}
complete -F _shoal shoal
`
