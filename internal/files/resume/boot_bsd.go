//go:build darwin || freebsd

package resume

import (
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// thisBoot identifies a run by its start. When somebody sets the clock the start moves, and the run
// counts as another: more is then hashed again than necessary.
func thisBoot(time.Time) Boot {
	tv, err := unix.SysctlTimeval("kern.boottime")
	if err != nil {
		return Boot{}
	}
	start := time.Unix(tv.Unix())
	return Boot{ID: strconv.FormatInt(start.Unix(), 10), Start: start}
}
