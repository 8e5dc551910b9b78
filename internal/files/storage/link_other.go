//go:build !unix

package storage

import (
	"errors"
	"os"
)

// link is not had here: files are copied.
func link(_, _ *os.Root, _ string) error { return errors.ErrUnsupported }
