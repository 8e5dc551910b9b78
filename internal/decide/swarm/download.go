package swarm

import (
	"time"

	"shoal/internal/decide/meter"
	"shoal/internal/decide/swarm/window"
	"shoal/internal/value/mono"
)

// download is what we ask of a peer.
//
//shoal:part
type download struct {
	wanted    uint32   // pieces that it has and we lack
	requests  requests // in flight
	window    window.Window
	hungry    bool          // it has room, and we found nothing to ask for
	snubbed   bool          // it has sent nothing for snubAfter while blocks were due
	late      requests      // taken back; their blocks may still come
	unasked   int           // blocks that came and were never asked for
	lastBlock mono.Time     // time of its latest block, or when requests began to be due
	excused   time.Duration // excused by then, see ration
	down      meter.Meter
}

// lookAgain makes the peer one of those that are asked when blocks become free.
func (a *download) lookAgain() { a.hungry = true }

// filled notes whether room was left when nothing more was to be asked for.
func (a *download) filled(roomLeft bool) { a.hungry = roomLeft }

// progress restarts the clock of the snub: a block came, or requests begin to be due.
func (a *download) progress(now mono.Time, excused time.Duration) {
	a.lastBlock, a.excused = now, excused
}

func (a *download) snub(now mono.Time) {
	a.snubbed = true
	a.window.Snub(now)
}

// answers ends a snub: a block came that was asked for.
func (a *download) answers() {
	if a.snubbed {
		a.snubbed = false
		a.window.Unsnub()
	}
}

// stray counts a block that was never asked for and reports whether there were too many.
func (a *download) stray() (tooMany bool) {
	a.unasked++
	return a.unasked > maxUnasked
}

func (a *download) oneMore() { a.wanted++ }

func (a *download) oneLess() { a.wanted-- }

func (a *download) recounted(wanted uint32) { a.wanted = wanted }
