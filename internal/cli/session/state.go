package session

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"shoal"
	"shoal/internal/cli/ui"
)

// defaultStateDir is the folder for what must survive a restart: journals, not
// anything that could be made again. It need not exist.
func defaultStateDir() (string, error) {
	switch runtime.GOOS {
	case "windows":
		if dir := os.Getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, "shoal", "state"), nil
		}
		return "", errors.New("%LocalAppData% is not set")
	case "darwin", "ios":
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		return filepath.Join(home, "Library", "Application Support", "shoal"), nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "shoal"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "shoal"), nil
}

// NeedState returns the folder of state, for commands that need one.
func NeedState(n Flags) (string, error) {
	state, err := n.StateDir()
	if err != nil {
		_, err = n.OpenState()
		return "", err
	}
	if state == "" {
		return "", ui.UsageError("name a folder with --state, or leave it away", "there is nothing to remember with --state none")
	}
	return state, nil
}

type problemEvent struct {
	InfoHash string `json:"info_hash"`
	Lost     bool   `json:"lost"`
	Text     string `json:"text"`
}

// TellProblems prints what is wrong with the remembered torrents.
func TellProblems(out *ui.Output, problems []shoal.Problem) {
	for _, p := range problems {
		out.Event("problem", problemEvent{InfoHash: p.InfoHash, Lost: p.Lost, Text: p.Text})
		out.Note("shoal: " + ui.Printable(p.Text))
	}
}
