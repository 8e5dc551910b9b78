package resume

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

func thisBoot(now time.Time) Boot {
	id, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil || len(id) > maxBootID {
		return Boot{}
	}
	var up unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &up) != nil {
		return Boot{}
	}
	return Boot{ID: strings.TrimSpace(string(id)), Start: now.Add(-time.Duration(up.Nano()))}
}
