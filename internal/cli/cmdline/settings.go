package cmdline

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"shoal/internal/cli/ui"
)

// A setting is a flag that may also come from the environment or from the settings
// file. The command line counts before the environment, and that before the file; in the
// file a command's own table counts before what stands above all tables:
//
//	limit-up = "2MiB"          # for every command that has --limit-up
//	[get]
//	dir = "~/Downloads"        # for shoal get
//
// In the environment limit-up is SHOAL_LIMIT_UP.

// notSettings are flags that speak of one run.
var notSettings = []string{"help", "config", "json", "anew", "delete-files", "stream", "metadata-only", "output", "force", "url", "info-hash", "web-seed"}

func isSetting(f *pflag.Flag) bool { return !slices.Contains(notSettings, f.Name) && !f.Hidden }

// origin is where the value of a flag came from.
type origin string

// Where values come from; a file is named by its path, a variable by its name.
const (
	fromDefault origin = "default"
	fromFlag    origin = "command line"
)

// settings are what a settings file says.
type settings struct {
	path  string
	read  bool // there is one
	every map[string]any
	own   map[string]map[string]any // by command, such as "get" or "dht ping"
	raw   []byte                    // as it was read, for the lines of mistakes
}

// settingsPath is where the settings file is: where the flag or the environment says, else
// in the user's folder for such. named says that somebody named it, so it must be there.
func settingsPath(flag string, getenv func(string) string) (path string, named bool) {
	if flag != "" {
		return flag, true
	}
	if path = getenv("SHOAL_CONFIG"); path != "" {
		return path, true
	}
	dir := ""
	switch runtime.GOOS {
	case "windows":
		dir = getenv("AppData")
	case "darwin", "ios":
		if home := getenv("HOME"); home != "" {
			dir = filepath.Join(home, "Library", "Application Support")
		}
	default:
		if dir = getenv("XDG_CONFIG_HOME"); !filepath.IsAbs(dir) {
			dir = ""
			if home := getenv("HOME"); home != "" {
				dir = filepath.Join(home, ".config")
			}
		}
	}
	if dir == "" {
		return "", false
	}
	return filepath.Join(dir, "shoal", "config.toml"), false
}

// maxSettings bounds a settings file.
const maxSettings = 1 << 20

// readSettings reads the settings file, and checks that everything in it is a setting of a
// command. Without a file there are none.
func readSettings(root *cobra.Command, path string, named bool) (*settings, error) {
	s := &settings{path: path}
	if path == "" {
		return s, nil
	}
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxSettings {
		err = fmt.Errorf("%s has %s; a settings file has a few lines", path, ui.Size(info.Size()))
	}
	var b []byte
	if err == nil {
		b, err = os.ReadFile(path)
	}
	if !named && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || info == nil && errors.Is(err, fs.ErrPermission)) {
		return s, nil // there is none, or HOME is not one that can be used, and commands that need one say so
	}
	if err != nil {
		return nil, &ui.Failure{Code: ui.ExitUsage, Err: fmt.Errorf("read the settings: %w", err), Hint: "name another file with --config, or see: shoal config --help"}
	}
	s.read, s.raw = true, b
	if err := toml.Unmarshal(b, &s.every); err != nil {
		return nil, s.wrong("", nil, "%s", tomlError(err))
	}
	s.own = make(map[string]map[string]any)
	if err := s.divide(root, "", s.every); err != nil {
		return nil, err
	}
	return s, nil
}

func tomlError(err error) string {
	var at *toml.DecodeError
	if errors.As(err, &at) {
		row, column := at.Position()
		return fmt.Sprintf("line %d, column %d: %s", row, column, strings.TrimPrefix(at.Error(), "toml: "))
	}
	return err.Error()
}

// wrong is a mistake in the file, at the key or table path, empty when that is known by
// other means. near are names that may have been meant.
func (s *settings) wrong(path string, near []string, format string, a ...any) error {
	line := ""
	if path != "" {
		line = s.lineOf(path)
	}
	return &ui.Failure{
		Code: ui.ExitUsage, Err: fmt.Errorf("the settings in "+strings.ReplaceAll(ui.Printable(s.path), "%", "%%")+":"+line+" "+format, a...),
		Hint: didYouMean(near, "correct that file; shoal config example prints one with everything that can stand in it"),
	}
}

// divide moves the tables of commands out of values, and makes sure that what is left are
// settings. name is the command's path without "shoal".
func (s *settings) divide(cmd *cobra.Command, name string, values map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		v, path := values[key], strings.TrimSpace(name+" "+key)
		if table, ok := v.(map[string]any); ok {
			i := slices.IndexFunc(cmd.Commands(), func(c *cobra.Command) bool { return c.Name() == key })
			if i < 0 {
				var names []string
				for _, c := range cmd.Commands() {
					names = append(names, c.Name())
				}
				return s.wrong(path, nearest(key, names), "there is no command %q", path)
			}
			sub := path
			if err := s.divide(cmd.Commands()[i], sub, table); err != nil {
				return err
			}
			s.own[sub] = table
			delete(values, key)
			continue
		}
		f := findSetting(cmd, key, name == "")
		if f == nil {
			of := ""
			if name != "" {
				of = " of shoal " + name
			}
			return s.wrong(path, nearest(key, settingNames(cmd, name == "")), "%q is not a setting%s", key, of)
		}
		if _, err := texts(v); err != nil {
			return s.wrong(path, nil, "%s: %w", key, err)
		}
	}
	return nil
}

// findSetting returns the flag of that name of a command, or, with below, of any command
// below it.
func findSetting(cmd *cobra.Command, name string, below bool) *pflag.Flag {
	for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags(), cmd.Root().PersistentFlags()} {
		if f := flags.Lookup(name); f != nil && isSetting(f) {
			return f
		}
	}
	if below {
		for _, sub := range cmd.Commands() {
			if f := findSetting(sub, name, true); f != nil {
				return f
			}
		}
	}
	return nil
}

// texts returns a value as people would write it on the command line; several texts where the
// flag is repeated.
func texts(v any) ([]string, error) {
	switch v := v.(type) {
	case string:
		return []string{v}, nil
	case bool:
		return []string{strconv.FormatBool(v)}, nil
	case int64:
		return []string{strconv.FormatInt(v, 10)}, nil
	case float64:
		return []string{strconv.FormatFloat(v, 'g', -1, 64)}, nil
	case []any:
		var all []string
		for _, item := range v {
			if _, nested := item.([]any); nested {
				return nil, errors.New("a list in a list is not a value of a setting")
			}
			one, err := texts(item)
			if err != nil {
				return nil, err
			}
			all = append(all, one...)
		}
		return all, nil
	}
	return nil, errors.New("write a text, a number, true or false, or a list of these")
}

// repeats reports whether a flag may be given several times.
func repeats(f *pflag.Flag) bool {
	if _, ok := f.Value.(pflag.SliceValue); ok {
		return true
	}
	_, ok := f.Value.(interface{ Repeats() })
	return ok
}

// variable is the name of a setting in the environment.
func variable(flag string) string {
	return "SHOAL_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// apply sets the flags of a command that the command line has not set, from the environment
// and from the file. It returns where each value came from.
func (s *settings) apply(cmd *cobra.Command, getenv func(string) string) (map[string]origin, error) {
	from := make(map[string]origin)
	own := s.own[strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")]
	var err error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		switch {
		case err != nil || !isSetting(f):
		case f.Changed:
			from[f.Name] = fromFlag
		default:
			from[f.Name], err = s.set(f, commandName(cmd), own, getenv)
		}
	})
	return from, err
}

func (s *settings) set(f *pflag.Flag, command string, own map[string]any, getenv func(string) string) (origin, error) {
	var values []string
	var from origin
	var line string
	if text := getenv(variable(f.Name)); text != "" {
		from, values = origin(variable(f.Name)), []string{text}
		if repeats(f) {
			values = strings.Split(text, ",")
		}
	} else {
		v, ok := own[f.Name]
		path := command + " " + f.Name
		if !ok {
			v, ok = s.every[f.Name]
			path = f.Name
		}
		if !ok {
			return fromDefault, nil
		}
		from = origin(s.path)
		if line = strings.Trim(s.lineOf(path), " :"); line != "" {
			line = " (" + line + ")"
		}
		values, _ = texts(v) // checked by divide
	}
	if len(values) != 1 && !repeats(f) {
		return "", &ui.Failure{Code: ui.ExitUsage, Err: fmt.Errorf("%s in %s: one value is wanted, not %d%s", f.Name, ui.Printable(string(from)), len(values), line), Hint: "see: shoal config show"}
	}
	for _, text := range values {
		if isPath(f) {
			text = expandHome(text, getenv)
		}
		if err := f.Value.Set(strings.TrimSpace(text)); err != nil {
			return "", &ui.Failure{Code: ui.ExitUsage, Err: fmt.Errorf("%s in %s: %q: %w%s", f.Name, ui.Printable(string(from)), text, err, line), Hint: "see: shoal config show"}
		}
	}
	return from, nil
}

// isPath reports whether the value of a flag names a folder or a file, as its help has it.
func isPath(f *pflag.Flag) bool {
	name, _ := pflag.UnquoteUsage(f)
	return name == "DIR" || name == "FILE"
}

// expandHome does for a value of the file what the shell does on the command line.
func expandHome(path string, getenv func(string) string) string {
	rest, ok := strings.CutPrefix(path, "~")
	home := getenv("HOME")
	if !ok || home == "" || rest != "" && rest[0] != '/' && rest[0] != filepath.Separator {
		return path
	}
	return home + rest
}

// UseSettings sets the flags of a command that is about to run. The commands of config read
// the settings themselves: they must help where those are wrong.
func UseSettings(cmd *cobra.Command, e ui.Env) error {
	if !slices.Contains(configurable(cmd.Root()), cmd) {
		return nil
	}
	flag, _ := cmd.Flags().GetString("config")
	path, named := settingsPath(flag, e.Getenv)
	s, err := readSettings(cmd.Root(), path, named)
	if err != nil {
		return err
	}
	_, err = s.apply(cmd, e.Getenv)
	return err
}
