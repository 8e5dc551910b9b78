package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"

	"shoal/internal/cli/ui"
)

// stateFrom says what the folder of state comes from, in words a person can act on.
func (n Flags) stateFrom() string {
	switch {
	case n.State != "":
		return "--state"
	case runtime.GOOS == "windows":
		return "LocalAppData"
	case filepath.IsAbs(os.Getenv("XDG_STATE_HOME")) && runtime.GOOS != "darwin" && runtime.GOOS != "ios":
		return "XDG_STATE_HOME"
	}
	return "HOME"
}

// OpenState returns the folder of state, made and found writable; empty with --state none.
// The failure names what the folder comes from.
func (n Flags) OpenState() (string, error) {
	dir, err := n.StateDir()
	if dir == "" && err == nil {
		return "", nil
	}
	from := n.stateFrom()
	hint := "name a folder with --state"
	if err != nil {
		return "", &ui.Failure{Code: ui.ExitFailed, Err: fmt.Errorf("find the folder of state: %s is not set", from), Hint: "set " + from + " to your own folder, or " + hint}
	}
	if err = writable(dir); err == nil {
		return dir, nil
	}
	if from == "--state" {
		hint = "make it writable, or " + hint
	} else {
		hint = from + " is " + ui.Printable(os.Getenv(from)) + ": set it to a folder that you can write to, or " + hint
	}
	return "", &ui.Failure{Code: ui.ExitFailed, Err: fmt.Errorf("use the folder of state (from %s): %w", from, err), Hint: hint}
}

// writable makes a folder where it is missing, and tries whether files can be made in it.
func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".try-*")
	if err != nil {
		var p *fs.PathError
		if errors.As(err, &p) { // without the made-up name
			err = &fs.PathError{Op: "write in", Path: dir, Err: p.Err}
		}
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// StateOrNone is OpenState for commands that can do without it: one warning says what
// that costs.
func (n Flags) StateOrNone(out *ui.Output, cost string) string {
	dir, err := n.OpenState()
	var f *ui.Failure
	if errors.As(err, &f) {
		out.Warn("%s: %s; %s; none keeps nothing, without this word", cost, ui.Printable(f.Err.Error()), f.Hint)
	}
	return dir
}

// Unusable reports whether err says that there is no folder of state that can be looked
// into. OpenState says so to commands that need one.
func Unusable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.ENOTDIR)
}
