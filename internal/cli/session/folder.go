package session

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"shoal"
	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

// MakeFolder makes the download folder when only its last part is missing. More
// is not made: where the folder above is missing too, a volume may be missing.
func MakeFolder(out *ui.Output, what, dir string) (made bool, err error) {
	if dir == "" {
		return false, emptyFolder(what)
	}
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		return false, notAFolder(what, dir)
	}
	err = os.Mkdir(dir, 0o777)
	switch {
	case err == nil:
		out.Say("made the folder %s", metainfo.Printable(dir))
		return true, nil
	case errors.Is(err, fs.ErrNotExist):
		return false, &ui.Failure{
			Code: ui.ExitFailed, Err: fmt.Errorf("%s: make the folder %s: the folder above it does not exist", what, dir),
			Hint: "if it is on a volume, attach that; else make the folder, or name another with --dir",
		}
	}
	return false, nil // it is there, or using it will say what is wrong
}

// CheckFolder says what is wrong with a folder that a command needs and does not make.
func CheckFolder(what, dir string) error {
	st, err := os.Stat(dir)
	switch {
	case dir == "":
		return emptyFolder(what)
	case errors.Is(err, fs.ErrNotExist):
		return &ui.Failure{
			Code: ui.ExitFailed, Err: fmt.Errorf("%s: there is no folder %s", what, ui.Printable(dir)),
			Hint: "check its name: relative ones start at the current folder; if it is on a volume, attach that",
		}
	case err == nil && !st.IsDir():
		return notAFolder(what, dir)
	}
	return nil // what else is wrong with it, using it says
}

func emptyFolder(what string) error {
	return ui.UsageError("name it; is a variable of the shell not set?", "%s: the name of the folder is empty", what)
}

func notAFolder(what, dir string) error {
	return &ui.Failure{
		Code: ui.ExitFailed, Err: fmt.Errorf("%s: %s is a file, and not a folder", what, ui.Printable(dir)),
		Hint: "name the folder that holds the torrent's file or folder",
	}
}

// NoPieces is the failure of a torrent of which no piece is there.
func NoPieces(t *shoal.Torrent) error {
	return &ui.Failure{
		Code: ui.ExitFailed,
		Err:  fmt.Errorf("seed %s: none of its pieces is in %s", ui.Printable(t.Name()), ui.Printable(filepath.Join(t.Dir(), t.Name()))),
		Hint: "name the folder that holds it with --dir, or fetch it with shoal get",
	}
}
