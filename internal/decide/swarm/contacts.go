package swarm

// Fault is the reason why a dial failed.
type Fault uint8

// The faults.
const (
	FaultOther       Fault = iota // the answer is not from a peer of this torrent, or this machine could not dial
	FaultRefused                  // nothing accepts connections there
	FaultTimedOut                 // no answer in time
	FaultUnreachable              // no route leads there
	FaultClosed                   // the other side accepted the connection and closed it during the handshake
)

// Contacts counts the outcomes of attempts to reach peers in this run. Dials in flight are in
// none of the outcomes.
type Contacts struct {
	Dialled   int // dials started
	Connected int // of these, completed handshakes

	Refused, TimedOut, Unreachable, Closed, Other int // the rest, by Fault

	Arrived int // incoming connections that completed the handshake
	Turned  int // of Connected and Arrived, those we closed at once: duplicates, ourselves, banned, no room
}

// failed counts a failed dial.
func (c *Contacts) failed(f Fault) {
	switch f {
	case FaultRefused:
		c.Refused++
	case FaultTimedOut:
		c.TimedOut++
	case FaultUnreachable:
		c.Unreachable++
	case FaultClosed:
		c.Closed++
	default:
		c.Other++
	}
}

// joined counts a completed handshake.
func (c *Contacts) joined(dialled bool) {
	if dialled {
		c.Connected++
	} else {
		c.Arrived++
	}
}
