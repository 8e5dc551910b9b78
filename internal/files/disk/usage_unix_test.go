//go:build unix

package disk_test

import (
	"syscall"
	"time"
)

// usage gives the processor time used by this process.
func usage() time.Duration {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
