package shoal

import (
	"time"

	"shoal/internal/decide/uplink"
)

// Uplink is what the engine measures of the line that it sends over, and what it does about it
// under LimitAuto.
type Uplink struct {
	State UplinkState
	Why   string        // why it is in that state, in words; empty at the start
	Limit int64         // what all peers on the internet get together, in bytes a second; 0: no limit
	Rate  int64         // bytes a second that arrive at peers, over the last half second
	Delay time.Duration // how long packets wait in the queue of the line, as far as round-trip times tell
}

// UplinkState is what the engine does about the queue of the line.
type UplinkState string

// Values of UplinkState.
const (
	UplinkOff     UplinkState = "off"     // a fixed limit or none is set
	UplinkUnknown UplinkState = "unknown" // the system tells nothing about its connections
	UplinkIdle    UplinkState = "idle"    // nothing is sent to peers on the internet
	UplinkFree    UplinkState = "free"    // no limit is needed
	UplinkTrying  UplinkState = "trying"  // it sends less for a moment, to see whether the delay goes
	UplinkHeld    UplinkState = "held"    // it holds the rate just below the line's
	UplinkYielded UplinkState = "yielded" // others cause the delay: no limit for a while
)

// Uplink returns the state of the line that the engine sends over.
func (e *Engine) Uplink() Uplink {
	s := e.e.Uplink()
	u := Uplink{State: UplinkFree, Why: s.Why.Words(), Limit: s.Rate, Rate: s.Sent, Delay: s.Delay}
	switch {
	case !s.On:
		u.State = UplinkOff
	case s.Blind:
		u.State = UplinkUnknown
	case s.State == uplink.Drain:
		u.State = UplinkTrying
	case s.State == uplink.Hold:
		u.State = UplinkHeld
	case s.State == uplink.Yield:
		u.State = UplinkYielded
	case !s.Active:
		u.State = UplinkIdle
	}
	return u
}
