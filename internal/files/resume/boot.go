package resume

import "time"

// Boot identifies one run of the system. What is in the page cache is still there later in the same
// run, and can be lost in the next.
type Boot struct {
	ID    string    // up to 64 bytes; empty when unknown
	Start time.Time // by the wall clock
}

// ThisBoot returns the current run of the system. Where the system has no name for it, the result
// is the zero Boot, which counts as the same run always: after a loss of power more is then hashed
// again.
func ThisBoot() Boot { return thisBoot(time.Now()) }

// same reports whether one run can read what the other left in the page cache.
func (b Boot) same(id string) bool { return b.ID == "" || id == "" || b.ID == id }

// maxBootID bounds an id that we read or write, in bytes.
const maxBootID = 64
