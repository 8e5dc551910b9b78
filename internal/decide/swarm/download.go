package swarm

import (
	"time"

	"shoal/internal/decide/swarm/inflight"
	"shoal/internal/value/meter"
	"shoal/internal/value/mono"
)

// download is what we request from a peer.
//
//shoal:part
type download struct {
	wanted    uint32   // pieces that the peer has and we lack
	requests  requests // in flight
	window    inflight.Window
	hungry    bool          // it has room, and we found nothing to request
	snubbed   bool          // it sent nothing for snubAfter while blocks were due
	late      requests      // withdrawn requests whose blocks may still come
	unasked   int           // blocks that came without a request
	lastBlock mono.Time     // time of its latest block, or of the first request after a pause
	excused   time.Duration // total excused delay at lastBlock, see Spread
	down      meter.Meter
}

// lookAgain marks the peer as one to ask when blocks become free.
func (a *download) lookAgain() { a.hungry = true }

// filled notes whether room was left when we found nothing more to request.
func (a *download) filled(roomLeft bool) { a.hungry = roomLeft }

// progress restarts the clock of the snub: a block came, or requests begin to be due.
func (a *download) progress(now mono.Time, excused time.Duration) {
	a.lastBlock, a.excused = now, excused
}

func (a *download) snub(now mono.Time) {
	a.snubbed = true
	a.window.Snub(now)
}

// answers ends a snub: a block that we requested came.
func (a *download) answers() {
	if a.snubbed {
		a.snubbed = false
		a.window.Unsnub()
	}
}

// stray counts a block without a request and reports whether there were too many.
func (a *download) stray() (tooMany bool) {
	a.unasked++
	return a.unasked > maxUnasked
}

func (a *download) oneMore() { a.wanted++ }

func (a *download) oneLess() { a.wanted-- }

func (a *download) recounted(wanted uint32) { a.wanted = wanted }
