//go:build darwin || freebsd

package resume

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// thisBoot knows a run by its start. When the clock is set the start moves, and
// the run is taken for another: then more is hashed again than has to be.
func thisBoot(time.Time) Boot {
	tv, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return Boot{}
	}
	start := time.Unix(tv.Unix())
	return Boot{ID: strconv.FormatInt(start.Unix(), 10), Start: start}
}
