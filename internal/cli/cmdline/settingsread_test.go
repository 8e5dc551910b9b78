package cmdline

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/spf13/cobra"
)

// Whatever a settings file holds, it is read, or refused with a word.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{
		"listen = \"127.0.0.1:0\"\n[get]\nratio = 2\n", "[run]\nlimit-up = \"1.5M\"\n", "x = [1, {a = 2}]", "listen = []", "= 1", "[a\n", "dir = 1979-05-27T07:32:00Z",
	} {
		f.Add(s)
	}
	path := filepath.Join(f.TempDir(), "config.toml")
	root, get := &cobra.Command{Use: "shoal"}, &cobra.Command{Use: "get", Run: func(*cobra.Command, []string) {}}
	root.AddCommand(get, &cobra.Command{Use: "run", Run: get.Run})
	get.Flags().Var(new(ListensFlag), "listen", "")
	get.Flags().Var(new(RateFlag), "limit-up", "")
	get.Flags().Float64("ratio", 0, "")
	f.Fuzz(func(t *testing.T, in string) {
		path := fmt.Sprint(path, os.Getpid())
		if err := os.WriteFile(path, []byte(in), 0o666); err != nil {
			t.Fatal(err)
		}
		s, err := readSettings(root, path, true)
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without a word")
			}
			return
		}
		for _, c := range configurable(root) {
			_, _ = s.apply(c, func(string) string { return "" })
		}
	})
}

// Where the file is looked for, and that the one of the user's folder need not exist.
func TestSettingsPath(t *testing.T) {
	for _, c := range []struct {
		flag string
		vars map[string]string
		want string
		must bool
	}{
		{"a.toml", map[string]string{"SHOAL_CONFIG": "b.toml"}, "a.toml", true},
		{"", map[string]string{"SHOAL_CONFIG": "b.toml"}, "b.toml", true},
		{"", map[string]string{}, "", false},
	} {
		if path, must := settingsPath(c.flag, func(k string) string { return c.vars[k] }); path != c.want || must != c.must {
			t.Errorf("%+v: %q, %v", c, path, must)
		}
	}
}
