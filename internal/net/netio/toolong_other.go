//go:build !windows

package netio

// tooLong is false: these systems truncate a datagram silently.
func tooLong(error) bool { return false }
