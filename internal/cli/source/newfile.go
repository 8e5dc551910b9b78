package source

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"shoal/internal/cli/ui"
	"shoal/metainfo"
)

// WriteNew writes a file that must not exist yet, or must already have this content.
func WriteNew(name string, content []byte) error {
	what := "write " + ui.Printable(name)
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		if same(name, content) {
			return nil
		}
		return OtherFile(name)
	}
	if err != nil {
		return ui.Fail(what, err)
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		os.Remove(name) // half a torrent is none
		return ui.Fail(what, err)
	}
	return nil
}

// OtherFile says that what is at name is left alone.
func OtherFile(name string) error {
	return &ui.Failure{
		Code: ui.ExitFailed, Err: fmt.Errorf("write %s: there is another file of that name", ui.Printable(name)),
		Hint: "name another file with -o, or move " + ui.Printable(filepath.Base(name)) + " away",
	}
}

// same reports whether the file has this content, but for the date of a torrent.
func same(name string, content []byte) bool {
	st, err := os.Stat(name)
	if err != nil || !st.Mode().IsRegular() || st.Size() > int64(len(content))+maxDate || st.Size() < int64(len(content))-maxDate {
		return false
	}
	old, err := os.ReadFile(name)
	return err == nil && bytes.Equal(undated(old), undated(content))
}

// maxDate is more than the date takes in a torrent.
const maxDate = 64

// undated returns a torrent without its date, so that the same files make the same bytes. It
// returns what is not a torrent unchanged.
func undated(content []byte) []byte {
	t, err := metainfo.Parse(content)
	if err != nil {
		return content
	}
	t.CreationDate = time.Time{}
	if b, err := t.Encode(); err == nil {
		return b
	}
	return content
}
