package resume

import "time"

// Boot tells one run of the system from the next: what was in the page cache is
// still there in the same run, and may be lost in the next.
type Boot struct {
	ID    string    // empty when unknown, up to 64 bytes
	Start time.Time // by the wall clock
}

// ThisBoot gives the run of the system that we live in. Where the system does not
// tell it is the zero Boot, which is taken for the same run always: then more is
// hashed again after a loss of power.
func ThisBoot() Boot { return thisBoot(time.Now()) }

// same reports whether what one wrote to the page cache, the other reads.
func (b Boot) same(id string) bool { return b.ID == "" || id == "" || b.ID == id }

// maxBootID bounds what is read of an id, and written.
const maxBootID = 64
