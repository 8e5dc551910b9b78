//go:build !unix

package storage

import (
	"errors"
	"os"
)

// link fails: without hard links the caller copies files.
func link(_, _ *os.Root, _ string) error { return errors.ErrUnsupported }
