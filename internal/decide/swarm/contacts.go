package swarm

// Fault says why a dial came to nothing.
type Fault uint8

// The faults.
const (
	FaultOther       Fault = iota // what answered is not a peer of this torrent, or this machine could not dial
	FaultRefused                  // nothing accepts connections there
	FaultTimedOut                 // no answer in time
	FaultUnreachable              // no route leads there
	FaultClosed                   // it took the connection and closed it during the handshake
)

// Contacts counts what became of attempts to speak to peers, in this run. What is still
// being dialled is in none of the outcomes.
type Contacts struct {
	Dialled   int // attempts begun
	Connected int // of these, handshakes done

	Refused, TimedOut, Unreachable, Closed, Other int // of these, by their Fault

	Arrived int // peers that dialled us, handshakes done
	Turned  int // of Connected and Arrived, those we sent away at once: duplicates, ourselves, banned, no room
}

// failed counts an attempt that came to nothing.
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

// joined counts a connection whose handshakes are done.
func (c *Contacts) joined(dialled bool) {
	if dialled {
		c.Connected++
	} else {
		c.Arrived++
	}
}
