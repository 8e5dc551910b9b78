package ui

import (
	"os"

	"golang.org/x/sys/windows"
)

// steerable makes a console obey escape sequences and reports whether it does.
// Consoles since Windows 10 can, but some must be switched to it.
func steerable(f *os.File) bool {
	h := windows.Handle(f.Fd())
	var mode uint32
	if windows.GetConsoleMode(h, &mode) != nil {
		return false
	}
	if mode&windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING != 0 {
		return true
	}
	return windows.SetConsoleMode(h, mode|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING) == nil
}
