//go:build unix

package storage

import (
	"math"
	"syscall"
)

// HandleLimit raises the number of files and sockets that this process can open to the system's
// maximum, and returns it; 0 where it is unknown.
func HandleLimit() int {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
		return 0
	}
	if l.Cur < l.Max {
		more := l
		more.Cur = l.Max
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &more) == nil {
			l = more
		}
	}
	return int(min(uint64(l.Cur), 1<<30))
}

// lengthLimit returns the longest file, in bytes, that this process can write (RLIMIT_FSIZE); -1
// without a limit.
func lengthLimit() int64 {
	var l syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_FSIZE, &l) != nil || uint64(l.Cur) > math.MaxInt64-1 {
		return -1
	}
	return int64(l.Cur)
}
