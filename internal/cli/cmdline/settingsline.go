package cmdline

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// lineOf returns where a settings file has a key or a table, as " line 3:"; empty where that
// can't be found: TOML can be written in ways that this does not read. path is the name of
// the table, if any, and of the key, with blanks between.
func (s *settings) lineOf(path string) string {
	table, n := "", 0
	for line := range bytes.Lines(s.raw) {
		n++
		text := strings.TrimSpace(string(line))
		if head, ok := strings.CutPrefix(text, "["); ok {
			head, _, _ = strings.Cut(strings.TrimPrefix(head, "["), "]")
			if table = bareKey(head); table == path || strings.HasPrefix(table+" ", path+" ") {
				return fmt.Sprintf(" line %d:", n)
			}
			continue
		}
		if key, _, ok := strings.Cut(text, "="); ok && !strings.HasPrefix(text, "#") {
			full := strings.TrimSpace(table + " " + bareKey(key))
			if full == path || strings.HasPrefix(full, path+" ") {
				return fmt.Sprintf(" line %d:", n)
			}
		}
	}
	return ""
}

// bareKey turns a dotted or quoted key into names with blanks between.
func bareKey(key string) string {
	var names []string
	for name := range strings.SplitSeq(key, ".") {
		names = append(names, strings.Trim(strings.TrimSpace(name), `"'`))
	}
	return strings.Join(names, " ")
}

// settingNames returns the names of the settings of a command; with below, of all commands
// below it.
func settingNames(cmd *cobra.Command, below bool) (names []string) {
	seen := make(map[string]bool)
	add := func(f *pflag.Flag) {
		if isSetting(f) && !seen[f.Name] {
			seen[f.Name] = true
			names = append(names, f.Name)
		}
	}
	cmd.Flags().VisitAll(add)
	cmd.PersistentFlags().VisitAll(add)
	if below {
		for _, c := range cmd.Commands() {
			c.Flags().VisitAll(add)
			c.PersistentFlags().VisitAll(add)
			for _, name := range settingNames(c, true) {
				if !seen[name] {
					seen[name] = true
					names = append(names, name)
				}
			}
		}
	}
	return names
}
