//go:build !unix

package storage

// HandleLimit returns 0: the system bounds handles by memory alone.
func HandleLimit() int { return 0 }

// lengthLimit returns -1: the length of files has no limit of the process.
func lengthLimit() int64 { return -1 }
