package storage

import (
	"os"
)

// OpenPlain opens a plain file for reading, wherever links lead, and refuses anything else with
// ErrUnsafe. It never blocks: a pipe that replaces the file between the look and the open would
// otherwise block the caller until somebody writes to it.
func OpenPlain(path string) (*os.File, error) {
	seen, err := os.Stat(path) // look first: merely opening some devices has an effect
	if err != nil {
		return nil, err
	}
	if !seen.Mode().IsRegular() {
		return nil, &os.PathError{Op: "open", Path: path, Err: NotPlain(seen)}
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	opened, err := f.Stat()
	if err == nil && !opened.Mode().IsRegular() {
		err = &os.PathError{Op: "open", Path: path, Err: NotPlain(opened)}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
