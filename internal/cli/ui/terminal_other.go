//go:build !windows

package ui

import "os"

// steerable reports whether the terminal obeys escape sequences.
func steerable(*os.File) bool { return true }
