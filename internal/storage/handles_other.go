//go:build !unix

package storage

// HandleLimit returns 0: the system bounds handles by memory alone.
func HandleLimit() int { return 0 }
