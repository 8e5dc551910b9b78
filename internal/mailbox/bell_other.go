//go:build !linux

package mailbox

// SystemBell returns a bell that wakes as few threads as the system allows: here a TimerBell.
func SystemBell() Bell { return TimerBell() }
