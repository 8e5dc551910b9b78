package cmdline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal"
	"shoal/internal/cli/ui"
)

func ManCommand(out *ui.Output, e ui.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the man pages",
		Long: `Write a man page for each command into a folder, which is made when it is
missing. See them with man -l, or put them where man looks, such as
/usr/local/share/man/man1.`,
		Example: `  shoal man ./man`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return ui.UsageError("see: shoal man --help", "man takes the folder to write to, and nothing else")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := args[0]
			if err := os.MkdirAll(dir, 0o777); err != nil {
				return ui.Fail("write the man pages to "+ui.Printable(dir), err)
			}
			n, err := writePages(cmd.Root(), dir, e.Now().UTC())
			if err != nil {
				return ui.Fail("write the man pages to "+ui.Printable(dir), err)
			}
			out.Say("%s in %s", ui.Count(n, "page"), ui.Printable(dir))
			return nil
		},
	}
}

// writePages writes the page of a command and of those below it.
func writePages(cmd *cobra.Command, dir string, now time.Time) (n int, err error) {
	if cmd.Hidden || cmd.Name() == "help" {
		return 0, nil
	}
	name := pageName(cmd) + ".1"
	if err := os.WriteFile(filepath.Join(dir, name), []byte(manPage(cmd, now)), 0o644); err != nil {
		return 0, err
	}
	n = 1
	for _, c := range cmd.Commands() {
		more, err := writePages(c, dir, now)
		if n += more; err != nil {
			return n, err
		}
	}
	return n, nil
}

func pageName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// roff escapes text.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

// manText builds the text of one man page.
type manText struct{ strings.Builder }

func (p *manText) line(s string)    { p.WriteString(s + "\n") }
func (p *manText) section(s string) { p.line(".SH " + s) }

// text writes paragraphs; lines that begin with a blank stay as they are.
func (p *manText) text(s string) {
	verbatim, fresh := false, true
	for line := range strings.SplitSeq(strings.Trim(s, "\n"), "\n") {
		if blank := strings.HasPrefix(line, " "); blank != verbatim {
			if verbatim = blank; verbatim {
				p.line(".PP\n.nf\n.RS 2")
			} else {
				p.line(".RE\n.fi")
			}
			fresh = true
		}
		switch {
		case line == "" && !verbatim:
			fresh = true
			continue
		case fresh && !verbatim:
			p.line(".PP")
		}
		fresh = false
		p.line(roff(strings.TrimPrefix(line, "  ")))
	}
	if verbatim {
		p.line(".RE\n.fi")
	}
}

// item writes a word with what it means.
func (p *manText) item(word, means string) {
	p.line(".TP\n" + word)
	p.line(roff(means))
}

func manPage(cmd *cobra.Command, now time.Time) string {
	p := &manText{}
	p.line(fmt.Sprintf(`.TH "%s" 1 "%s" "shoal %s" "shoal"`, strings.ToUpper(pageName(cmd)), now.Format("2006-01-02"), shoal.Version))
	p.section("NAME")
	p.line(roff(pageName(cmd)) + ` \- ` + roff(lowerFirst(cmd.Short)))
	p.section("SYNOPSIS")
	p.synopsis(cmd)
	p.section("DESCRIPTION")
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	p.text(long)
	p.commands(cmd)
	p.options(cmd)
	p.section(`EXIT STATUS`)
	for _, s := range exitRows() {
		p.item(`\fB`+s[0]+`\fR`, s[1])
	}
	p.environment(cmd)
	p.files()
	if cmd.Example != "" {
		p.section("EXAMPLES")
		p.text(cmd.Example)
	}
	p.section(`SEE ALSO`)
	p.also(cmd)
	return p.String()
}

func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

func (p *manText) synopsis(cmd *cobra.Command) {
	if cmd.Runnable() && cmd.HasParent() || !cmd.HasAvailableSubCommands() {
		p.line(`\fB` + roff(cmd.CommandPath()) + `\fR ` + roff(strings.TrimPrefix(strings.TrimPrefix(cmd.UseLine(), cmd.CommandPath()), " ")))
	}
	if cmd.HasAvailableSubCommands() {
		p.line(`.br` + "\n" + `\fB` + roff(cmd.CommandPath()) + `\fR COMMAND [\fIFLAGS\fR]`)
	}
}

func (p *manText) commands(cmd *cobra.Command) {
	if !cmd.HasAvailableSubCommands() {
		return
	}
	p.section("COMMANDS")
	list := func(group string) {
		for _, c := range cmd.Commands() {
			if c.GroupID == group && c.IsAvailableCommand() && c.Name() != "help" {
				p.item(`\fB`+roff(pageName(c))+`\fR(1)`, c.Short)
			}
		}
	}
	for _, g := range cmd.Groups() {
		p.line(".SS " + strings.TrimSuffix(g.Title, ":"))
		list(g.ID)
	}
	if len(cmd.Groups()) == 0 {
		list("")
	}
}

// options lists the flags under the headings of the help.
func (p *manText) options(cmd *cobra.Command) {
	local, global := cmd.LocalFlags(), cmd.InheritedFlags()
	if !local.HasAvailableFlags() && !global.HasAvailableFlags() {
		return
	}
	p.section("OPTIONS")
	done := make(map[string]bool)
	flag := func(f *pflag.Flag) {
		if f.Hidden || done[f.Name] {
			return
		}
		done[f.Name] = true
		value, usage := pflag.UnquoteUsage(f)
		word := `\fB\-\-` + roff(f.Name) + `\fR`
		if f.Shorthand != "" {
			word = `\fB\-` + f.Shorthand + `\fR, ` + word
		}
		switch {
		case value != "" && f.NoOptDefVal != "" && f.Value.Type() != "bool":
			word += `[=\fI` + roff(value) + `\fR]`
		case value != "":
			word += ` \fI` + roff(value) + `\fR`
		}
		if d := f.DefValue; d != "" && d != "false" && d != "[]" && d != "0" && !strings.Contains(usage, "(default") {
			usage += " (default " + d + ")"
		}
		p.item(word, usage)
	}
	n := 0
	local.VisitAll(func(*pflag.Flag) { n++ })
	if n >= groupedFrom {
		for _, g := range flagGroups {
			head := false
			for _, name := range g.flags {
				if f := local.Lookup(name); f != nil && !f.Hidden {
					if !head {
						head = true
						p.line(".SS " + roff(g.title))
					}
					flag(f)
				}
			}
		}
	}
	local.VisitAll(flag)
	if global.HasAvailableFlags() {
		p.line(".SS Of every command")
		global.VisitAll(flag)
	}
}

// exitRows returns the exit codes and what they mean, as the help has them.
func exitRows() (rows [][2]string) {
	for line := range strings.SplitSeq(ui.ExitCodesHelp, "\n") {
		text := strings.TrimSpace(line)
		code, means, ok := strings.Cut(text, "   ")
		switch {
		case ok && strings.Trim(code, "0123456789") == "" && code != "":
			rows = append(rows, [2]string{code, means})
		case strings.HasPrefix(line, "        ") && len(rows) > 0:
			rows[len(rows)-1][1] += " " + text
		case len(rows) > 0 && text == "":
			return rows
		}
	}
	return rows
}

func (p *manText) environment(cmd *cobra.Command) {
	p.section("ENVIRONMENT")
	example := ""
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if example == "" && isSetting(f) && !f.Hidden {
			example = f.Name
		}
	})
	if example == "" {
		example = "log"
	}
	p.item(`\fBSHOAL_\fR\fINAME\fR`, fmt.Sprintf("The value of a flag that is not on the command line: %s is --%s. The settings file comes after it.", variable(example), example))
	p.item(`\fBSHOAL_CONFIG\fR`, "The settings file.")
	p.item(`\fBHOME\fR, \fBXDG_STATE_HOME\fR, \fBXDG_CONFIG_HOME\fR, \fBXDG_CACHE_HOME\fR`, "Where the folders under FILES are.")
	p.item(`\fBNO_COLOR\fR, \fBTERM\fR`, "Output has no colours with NO_COLOR, and is not redrawn where TERM is dumb.")
}

func (p *manText) files() {
	p.section("FILES")
	p.item(`\fI~/.config/shoal/config.toml\fR`, "Settings; shoal config example prints one with everything that can stand in it.")
	p.item(`\fI~/.local/state/shoal\fR`, "The folder of state (--state): journals of verified pieces, the list of shoal run in torrents, and metadata that was received in metadata.")
	p.item(`\fI~/.cache/shoal\fR`, "The nodes of the DHT that are known.")
}

func (p *manText) also(cmd *cobra.Command) {
	var names []string
	if cmd.HasParent() {
		names = append(names, `\fB`+roff(pageName(cmd.Parent()))+`\fR(1)`)
		for _, c := range cmd.Parent().Commands() {
			if c != cmd && c.GroupID == cmd.GroupID && c.IsAvailableCommand() && c.Name() != "help" {
				names = append(names, `\fB`+roff(pageName(c))+`\fR(1)`)
			}
		}
	} else {
		names = append(names, `\fBshoal\-exit\-codes\fR(1)`, `\fBshoal\-config\fR(1)`)
	}
	p.line(strings.Join(names, ",\n"))
}
