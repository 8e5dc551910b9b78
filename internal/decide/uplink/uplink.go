// Package uplink learns how fast the line takes what we send, and decides the rate that keeps
// its queue short. A modem queues half a second of packets and more. TCP fills that queue, and
// everybody at home waits behind our uploads.
//
// A Machine is pure: no clock, no socket. Tick takes what the system knows of the connections
// that we send on, several times a second; Rate returns the limit for all of them together,
// 0 for none. It is not safe for concurrent use.
//
// # The delay of the line
//
// The queue of our line delays all connections alike. So the delay is that of the connections
// that are delayed little: a peer whose own line is full delays one connection only. The delay
// of one is its round-trip time minus the least that the system has seen.
//
// What is left of it while we hardly send is not ours: peers acknowledge over uplinks that are as full
// as ours. So whenever we send little, the delay that stays is noted, and subtracted from then on.
//
// # States
//
//	Free --delay high--> Drain --delay low--> Hold --delay high, or the rate fell--> Drain
//	  ^                    |                   |
//	  |                    | no effect         | not needed for long
//	  +------ Yield <------+                   |
//	  +----------------------------------------+
//
// Drain sends at half of what arrives, which empties the queue if it is ours. If the delay stays
// although what arrives is what we send, others fill the queue: Yield lets go for a while. If
// less arrives than we send, the line has become slower, and Drain begins again from there.
//
// Hold sends what the line takes, a little less or more by how far the delay is from its target.
// While there is no delay at all it speeds up. Now and then it dips for a moment, so that the
// connections which are new see the line without a queue (decision 0216).
package uplink

import (
	"math"
	"slices"
	"time"

	"shoal/internal/value/mono"
	"shoal/internal/value/why"
)

// Every is how often Tick should be called while we send.
const Every = 100 * time.Millisecond

const (
	// leastDelay is the delay that Hold aims at on a fast line: it suffices to keep the line busy.
	// Half of the time that a block takes is added: on a slow line each block is a queue.
	leastDelay = 30 * time.Millisecond
	block      = 16 << 10
	// high is how far above that a delay starts Drain.
	high = 40 * time.Millisecond
	// patience is for how long a delay must be high.
	patience = 250 * time.Millisecond
	// react is how fast Hold corrects a delay: by its whole in this time.
	react = time.Second
	// cut is the part of what arrives that Drain sends, and effect how slowly the delay may go
	// down then: by one part of the time.
	cut    = 0.4
	effect = 12
	// mostTries is how often Drain tries, each time with less, before it lets go.
	mostTries = 2
	// window is over how long we measure what arrives.
	window = 500 * time.Millisecond

	// dipEvery is the time between two dips, and dipFor how long one lasts at most. askDip is that time
	// after a connection that is new, and while the delay makes the rate fall: is it still ours?
	dipEvery = 30 * time.Second
	askDip   = 4 * time.Second
	dipFor   = 400 * time.Millisecond

	// foreignFor is how long the delay that we did not cause is believed, and mostForeign the most of it:
	// where others delay us by more, a low rate of ours does not help them.
	foreignFor  = 2 * dipEvery
	mostForeign = 200 * time.Millisecond

	// firstYield is how long Yield lasts; it doubles up to longestYield each time.
	firstYield   = 10 * time.Second
	longestYield = 4 * time.Minute
	// trust is how long a limit must have worked for Yield to be short again.
	trust = time.Minute
	// unneeded is how long the limit must have held nothing up before it goes.
	unneeded = 20 * time.Second

	// floor is the lowest limit in bytes a second, and least what must arrive for a limit.
	floor = 8 << 10
	least = 12 << 10

	packet = 1448 // bytes of payload in one

	quiet = 400 * time.Millisecond // a connection on which nothing arrived for so long is not busy
)

// Sample is what the system knows of one connection that we send on.
type Sample struct {
	ID    uint64
	RTT   time.Duration // round-trip time, smoothed by the system: an eighth of each new one
	Acks  int64         // acknowledgements since the connection began; 0: unknown
	Base  time.Duration // the least one
	Acked int64         // bytes that have arrived since the connection began
	Queue int64         // bytes that the system has not sent yet
}

// State is what a Machine does.
type State uint8

// Values of State.
const (
	Free  State = iota // no limit; it watches the delay
	Drain              // it sends little, to see whether the delay goes
	Hold               // it holds the rate just below the line's
	Yield              // the delay is not ours: no limit for a while
)

// String returns the state as a word.
func (s State) String() string { return [...]string{"free", "drain", "hold", "yield"}[s&3] }

// Machine decides the rate. The zero value is ready.
type Machine struct {
	state State
	why   why.Why   // why it is in that state
	since mono.Time // time when the state began
	rate  int64     // limit; 0: none

	// What was measured.
	flows   map[uint64]*flow
	turns   uint64        // number of Ticks
	arrived int64         // bytes that have arrived in all
	marks   []mark        // the latest ones of arrived
	delay   time.Duration // of the line: what of total is ours
	total   time.Duration
	foreign time.Duration // what is not ours
	excess  mono.Time     // time since which the delay is high; 0: it is not
	delays  []time.Duration

	// Drain.
	began  mono.Time     // time when the present try began
	before time.Duration // the backlog then
	first  time.Duration // the most of total since Drain began
	fell   mono.Time     // time when low last fell
	tries  int           // how many have had no effect, and the present one

	// Hold.
	line   float64       // what the line takes, in bytes a second
	peak   float64       // the most since Hold began
	gain   float64       // how fast the rate may rise
	needed mono.Time     // time when the limit last held something up
	worked mono.Time     // time when Drain first had an effect
	dip    mono.Time     // end of the present dip; 0: none
	dipped mono.Time     // end of the last one
	low    time.Duration // the least of total in Drain, in the present dip, and shortly after the last one
	fresh  bool          // a connection is new since then

	// Yield.
	until mono.Time
	calm  mono.Time     // time when the delay was last above the target
	yield time.Duration // how long the last one was
}

// flow is one connection.
type flow struct {
	acked int64
	acks  int64
	rtt   time.Duration // as the system smoothed it
	delay float64       // of the latest packets, in seconds
	moved mono.Time     // time when something last arrived
	turn  uint64        // the Tick that saw it last
}

// mark is how much had arrived at some time.
type mark struct {
	at      mono.Time
	arrived int64
}

// Rate returns the limit in bytes a second; 0: none.
func (m *Machine) Rate() int64 { return m.rate }

// Status is what a Machine measures and does.
type Status struct {
	State  State
	Why    why.Why       // why it is in that state; None at the start
	Rate   int64         // limit in bytes a second; 0: none
	Sent   int64         // bytes a second that arrive at the peers
	Delay  time.Duration // of the line
	Active bool          // connections are busy
}

// Status returns the present status.
func (m *Machine) Status(now mono.Time) Status {
	return Status{State: m.state, Why: m.why, Rate: m.rate, Sent: int64(m.arrives(now, window)), Delay: m.delay, Active: len(m.delays) > 0}
}

// Busy reports whether it has something to decide: a connection is busy, or there is a limit.
func (m *Machine) Busy() bool { return m.rate > 0 || len(m.delays) > 0 }

// Tick takes a sample of each connection.
func (m *Machine) Tick(now mono.Time, all []Sample) {
	queued := m.measure(now, all)
	arrives := m.arrives(now, window)
	if m.delay < m.target()+high || len(m.delays) == 0 {
		m.excess = 0
	} else if m.excess == 0 {
		m.excess = now
	}
	isHigh := m.excess > 0 && now.Sub(m.excess) >= patience
	switch m.state {
	case Free:
		if isHigh && arrives >= least {
			m.drain(now, arrives, queued, why.UplinkQueues)
		}
	case Drain:
		m.drains(now, queued)
	case Hold:
		m.hold(now, arrives, queued, isHigh)
	case Yield:
		if m.delay > m.target() || len(m.delays) == 0 {
			m.calm = now
		}
		if now >= m.until || now.Sub(m.calm) >= 2*window {
			m.enter(now, Free, 0, why.UplinkCalm)
		}
	}
}

// measure updates what is known of the connections, and returns what the system has not sent.
func (m *Machine) measure(now mono.Time, all []Sample) (queued int64) {
	if m.flows == nil {
		m.flows = make(map[uint64]*flow)
	}
	m.turns++
	m.delays = m.delays[:0]
	for _, s := range all {
		f := m.flows[s.ID]
		if f == nil {
			f = &flow{acked: s.Acked, acks: s.Acks, rtt: s.RTT}
			m.flows[s.ID] = f
			m.fresh = true
		}
		f.turn = m.turns
		if n := s.Acked - f.acked; n > 0 {
			m.arrived += n
			f.update(s, n)
			f.acked, f.acks, f.rtt, f.moved = s.Acked, s.Acks, s.RTT, now
		}
		if f.moved > 0 && now.Sub(f.moved) < quiet && s.Base > 0 {
			m.delays = append(m.delays, time.Duration(f.delay*float64(time.Second)))
			queued += max(s.Queue, 0)
		}
	}
	// order does not show: each flow is kept or dropped by itself
	for id, f := range m.flows {
		if f.turn != m.turns {
			delete(m.flows, id)
		}
	}
	slices.Sort(m.delays)
	m.total = 0
	if n := len(m.delays); n > 0 {
		m.total = m.delays[(n-1)/3]
	}
	m.delay = max(m.total-m.foreign, 0)
	m.marks = append(m.marks, mark{now, m.arrived})
	for len(m.marks) > 2 && now.Sub(m.marks[1].at) >= 2*window {
		m.marks = slices.Delete(m.marks, 0, 1)
	}
	return queued
}

// update updates the delay of a connection on which n bytes arrived. The system's smoothed time is
// seconds behind on a slow line. So we compute the mean of the new times from how it moved.
func (f *flow) update(s Sample, n int64) {
	acks := float64(s.Acks - f.acks)
	if s.Acks == 0 || acks <= 0 {
		acks = max(float64(n)/(2*packet), 1)
	}
	old := math.Pow(7./8, acks) // what is left of the old time
	rtt := s.RTT.Seconds()
	rtt += (rtt - f.rtt.Seconds()) * old / (1 - old)
	delay := min(max(rtt-s.Base.Seconds(), 0), 10)
	if f.moved == 0 {
		f.delay = delay
	}
	f.delay += (delay - f.delay) * acks / (acks + 2)
}

// arrives returns the bytes a second that arrived over the last while.
func (m *Machine) arrives(now mono.Time, while time.Duration) float64 {
	for i := len(m.marks) - 1; i >= 0; i-- {
		if d := now.Sub(m.marks[i].at); d >= while || i == 0 {
			if d < Every/2 {
				return 0
			}
			return float64(m.arrived-m.marks[i].arrived) / d.Seconds()
		}
	}
	return 0
}

func (m *Machine) enter(now mono.Time, s State, rate float64, because why.Why) {
	m.state, m.why, m.since = s, because, now
	m.set(rate)
}

func (m *Machine) set(rate float64) {
	if m.rate = 0; rate > 0 {
		m.rate = int64(max(rate, floor))
	}
}

// drain begins to send much less than arrives.
func (m *Machine) drain(now mono.Time, arrives float64, queued int64, because why.Why) {
	m.line, m.tries, m.first = 0, 1, m.total
	m.low, m.fell = m.total, now
	m.enter(now, Drain, max(cut*arrives, floor), because)
	m.try(now, arrives, queued)
}

// try begins a part of Drain.
func (m *Machine) try(now mono.Time, arrives float64, queued int64) {
	m.began, m.before = now, m.backlog(queued, arrives)
}

// drains sees whether that has an effect.
func (m *Machine) drains(now mono.Time, queued int64) {
	arrives := m.arrives(now, window/2)
	backlog := m.backlog(queued, arrives)
	took := now.Sub(m.began)
	m.first = max(m.first, m.total)
	// The line's rate is what arrives while there is a queue. After a loss the system reports at once what
	// arrived for a while, so we look back for longer.
	if took >= 2*window {
		m.line = max(m.line, m.arrives(now, 2*window))
		m.set(max(float64(m.rate), cut*m.line)) // at first little had arrived for long
	}
	if m.total < m.low-m.low/10 {
		m.low, m.fell = m.total, now
	}
	if backlog <= m.target() && now.Sub(m.since) >= 2*Every {
		m.holds(now, min(m.foreign, m.total))
		return
	}
	early := window + m.lag(arrives)
	switch {
	case m.first-m.total >= max(high, m.first/2) && m.total <= mostForeign && backlog-m.delay < m.target() && now.Sub(m.fell) >= window:
		m.holds(now, m.notOurs(m.total)) // most of it was ours, and no more of it goes
	case took < early: // what we see is older
		m.before = max(m.before, backlog)
	case took < early+m.before/2+window:
	case backlog < m.before-(took-early)/effect: // it goes down
		m.try(now, arrives, queued)
	case m.tries < mostTries || arrives < 0.8*float64(m.rate): // the line may be slower
		m.tries++
		m.set(max(cut*m.line, floor))
		m.line = 0
		m.try(now, arrives, queued)
	default:
		m.letGo(now)
	}
}

// holds begins Hold after a Drain that had an effect. foreign is the delay that stayed.
func (m *Machine) holds(now mono.Time, foreign time.Duration) {
	if m.worked == 0 {
		m.worked = now
	}
	if m.line == 0 {
		m.line = float64(m.rate) / cut
	}
	m.line = max(m.line, float64(m.rate))
	m.foreign, m.delay = foreign, max(m.total-foreign, 0)
	m.peak, m.gain, m.needed = m.line, leastGain, now
	m.dipped, m.dip, m.low = now, 0, m.total
	m.enter(now, Hold, m.line, why.UplinkOurs)
}

// lag is how far the delays may be behind: by the time of some packets of each connection.
func (m *Machine) lag(arrives float64) time.Duration {
	return time.Duration(min(float64(len(m.delays)*8*packet)/max(arrives, 1), 1) * float64(time.Second))
}

// target returns the delay to aim at.
func (m *Machine) target() time.Duration {
	line := m.line
	if m.state == Drain {
		line = max(line, float64(m.rate)/cut)
	}
	if line <= 0 {
		line = m.arrives(m.marks[len(m.marks)-1].at, window)
	}
	return leastDelay + time.Duration(block/2/max(line, least)*float64(time.Second))
}

// letGo gives up: the delay is not ours.
func (m *Machine) letGo(now mono.Time) {
	if m.worked > 0 && now.Sub(m.worked) >= trust {
		m.yield = 0
	}
	m.worked = 0
	m.yield = min(max(2*m.yield, firstYield), longestYield)
	m.until, m.calm = now.Add(m.yield), now
	m.enter(now, Yield, 0, why.UplinkTheirs)
}

// backlog is how long the line needs for what waits in its queue and in the system.
func (m *Machine) backlog(queued int64, arrives float64) time.Duration {
	arrives = max(arrives, m.line)
	if m.state == Drain {
		arrives = max(arrives, float64(m.rate)/cut)
	}
	if arrives < 1 {
		return m.delay
	}
	return m.delay + time.Duration(min(float64(queued)/arrives, 10)*float64(time.Second))
}

const (
	leastGain = 0.02
	mostGain  = 0.25
)

// hold adjusts the rate.
func (m *Machine) hold(now mono.Time, arrives float64, queued int64, isHigh bool) {
	binding := arrives >= 0.8*float64(m.rate) || queued > 0 && m.delay > m.target()
	if binding {
		m.needed = now
	}
	switch {
	case now.Sub(m.needed) >= unneeded:
		m.worked = 0
		m.enter(now, Free, 0, why.UplinkUnused)
		return
	case isHigh:
		m.drain(now, arrives, queued, why.UplinkQueues)
		return
	case !binding: // it tells nothing about the line
		m.gain = leastGain
		return
	case m.delay > m.target()/2:
		m.line += (arrives - m.line) / 5
	default:
		m.line = max(m.line, arrives)
	}
	if m.line < 0.6*m.peak { // is it the line, or do others take it?
		m.drain(now, arrives, queued, why.UplinkSlower)
		return
	}
	m.peak = max(m.peak, m.line)
	if m.dips(now) {
		m.set(0.5 * m.line)
		return
	}
	backlog := m.backlog(queued, m.line)
	if backlog < m.target()/2 {
		m.gain = min(m.gain*1.25, mostGain)
	} else {
		m.gain = leastGain
	}
	f := 1 + min((m.target()-backlog).Seconds()/react.Seconds(), m.gain)
	if backlog < m.target()/2 {
		f = 1 + m.gain
	}
	m.set(m.line * max(f, 0.5))
}

// notOurs returns what of a delay that stays while we send little is not ours: all but the time of half
// a block, since what we send then are blocks, too.
func (m *Machine) notOurs(d time.Duration) time.Duration {
	return min(max(d-(m.target()-leastDelay), 0), mostForeign)
}

// dips reports whether the rate is low for a moment. What the delay is by then, or an instant later, is
// not ours.
func (m *Machine) dips(now mono.Time) bool {
	wait := now.Sub(m.dipped)
	if m.dip > 0 || m.dipped > 0 && wait <= window {
		m.low = min(m.low, m.total)
	}
	switch {
	case m.dip > 0 && (now >= m.dip || m.total < m.target()/6):
		m.dip, m.dipped, m.fresh = 0, now, false
	case m.dip > 0:
	case wait <= window && m.notOurs(m.low) < m.foreign, wait > window && wait <= window+Every:
		m.foreign = m.notOurs(m.low)
	case m.delay > m.target()/2 && (wait >= dipEvery || (m.fresh || m.line < 0.85*m.peak) && wait >= askDip):
		m.dip, m.low = now.Add(dipFor), m.total
	case wait >= foreignFor:
		m.foreign = 0
	}
	return m.dip > 0
}
