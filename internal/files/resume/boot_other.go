//go:build !linux && !darwin && !freebsd

package resume

import "time"

// thisBoot returns the zero Boot: Windows and the others have no name for a run of the system that
// does not move with the clock.
func thisBoot(time.Time) Boot { return Boot{} }
