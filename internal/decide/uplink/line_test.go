package uplink

import (
	"math"
	"time"

	"shoal/internal/value/mono"
)

// line simulates a line with one queue, and TCP connections that send over it. It moves in steps
// of a millisecond. What is sent comes from a limiter that hands out blocks in turn.
type line struct {
	now   mono.Time
	rate  float64 // bytes a second
	room  time.Duration
	other float64       // bytes a second of another program
	back  time.Duration // delay of the way back: a busy downlink

	queue  []parcel
	queued float64
	credit float64
	budget float64 // of the line, in this step
	otherD float64

	peers   []*peer
	next    int
	m       Machine
	limit   float64
	ids     uint64
	samples []time.Duration // the delay, every 10 ms
	got     float64
	off     bool    // the machine is not used
	most    float64 // bytes under way on one connection; 0: any number
}

type parcel struct {
	from *peer // nil: the other program
	n    float64
	at   mono.Time
}

type ack struct {
	at   mono.Time
	n    float64
	rtt  time.Duration
	lost bool
}

type peer struct {
	id     uint64
	base   time.Duration
	far    float64 // rate of its own line in bytes a second; 0: fast
	farQ   mono.Time
	buffer float64 // not sent
	flight float64
	cwnd   float64
	slow   bool // slow start
	cutAt  mono.Time
	acks   []ack
	acked  float64
	rtt    time.Duration
	least  time.Duration
	odd    bool
	count  int64
}

const (
	packetSize = packet
	blockSize  = 16 << 10
)

func newLine(mbit float64, bases ...time.Duration) *line {
	l := &line{now: mono.Start, rate: mbit * 1e6 / 8, room: 500 * time.Millisecond}
	for _, b := range bases {
		l.join(b)
	}
	return l
}

func (l *line) join(base time.Duration) *peer {
	l.ids++
	p := &peer{id: l.ids, base: base, cwnd: 10 * packetSize, slow: true}
	p.rtt = base + l.wait() + l.back // of the handshake
	p.least = p.rtt
	l.peers = append(l.peers, p)
	return p
}

// wait is how long a packet that comes now waits.
func (l *line) wait() time.Duration { return time.Duration(l.queued / l.rate * 1e9) }

// run lets time pass.
func (l *line) run(d time.Duration) {
	for end := l.now.Add(d); l.now < end; {
		l.step()
	}
}

func (l *line) step() {
	const dt = time.Millisecond
	l.now = l.now.Add(dt)
	ms := int64(l.now) / int64(dt)
	// The limiter hands out blocks in turn; without a limit buffers are full.
	if l.limit > 0 {
		l.credit = math.Min(l.credit+l.limit*dt.Seconds(), math.Max(l.limit/10, blockSize))
	}
	for range len(l.peers) {
		p := l.peers[l.next%len(l.peers)]
		if l.limit > 0 && l.credit <= 0 {
			break
		}
		l.next++
		if p.buffer >= math.Max(2*blockSize, p.cwnd) {
			continue
		}
		p.buffer += blockSize
		l.credit -= blockSize
	}
	// Connections send what their windows allow.
	for _, p := range l.peers {
		for p.buffer >= packetSize && p.flight+packetSize <= p.cwnd && (l.most == 0 || p.flight < l.most) {
			p.buffer -= packetSize
			p.flight += packetSize
			l.enqueue(p, packetSize)
		}
	}
	l.otherD += l.other * dt.Seconds()
	for l.otherD >= packetSize {
		l.otherD -= packetSize
		l.enqueue(nil, packetSize)
	}
	// The line sends.
	l.budget = math.Min(l.budget+l.rate*dt.Seconds(), l.rate*dt.Seconds()+packetSize)
	for len(l.queue) > 0 && l.budget >= l.queue[0].n {
		q := l.queue[0]
		l.queue = l.queue[1:]
		l.queued -= q.n
		l.budget -= q.n
		if q.from == nil {
			continue
		}
		p, at := q.from, l.now
		if p.far > 0 && p.farQ.Sub(l.now) > l.room {
			l.lose(p, q.n)
			continue
		}
		if p.far > 0 {
			p.farQ = max(p.farQ, l.now).Add(time.Duration(q.n / p.far * 1e9))
			at = p.farQ
		}
		at = at.Add(p.base + l.back)
		p.acks = append(p.acks, ack{at: at, n: q.n, rtt: at.Sub(q.at)})
	}
	for _, p := range l.peers {
		for len(p.acks) > 0 && p.acks[0].at <= l.now {
			a := p.acks[0]
			p.acks = p.acks[1:]
			p.flight -= a.n
			if a.lost {
				continue
			}
			p.acked += a.n
			l.got += a.n
			if p.odd = !p.odd; !p.odd { // every second packet is acknowledged
				p.count++
				p.rtt += (a.rtt - p.rtt) / 8
				p.least = min(p.least, a.rtt)
			}
			if p.flight+2*packetSize+a.n < p.cwnd {
				continue // limited by what it has to send
			}
			if p.slow {
				p.cwnd += a.n
			} else {
				p.cwnd += a.n * packetSize / p.cwnd
			}
		}
	}
	if ms%10 == 0 {
		l.samples = append(l.samples, l.wait())
	}
	if ms%int64(Every/dt) == 0 && !l.off {
		var all []Sample
		for _, p := range l.peers {
			all = append(all, Sample{ID: p.id, RTT: p.rtt, Base: p.least, Acked: int64(p.acked), Acks: p.count, Queue: int64(p.buffer)})
		}
		l.m.Tick(l.now, all)
		if l.limit = float64(l.m.Rate()); l.limit == 0 {
			l.credit = 0
		}
	}
}

func (l *line) enqueue(p *peer, n float64) {
	if l.wait() > l.room {
		if p != nil {
			l.lose(p, n)
		}
		return
	}
	l.queue = append(l.queue, parcel{p, n, l.now})
	l.queued += n
}

// lose drops a packet of a connection, which then sends less.
func (l *line) lose(p *peer, n float64) {
	p.acks = append(p.acks, ack{at: l.now.Add(p.base + l.wait()), n: n, lost: true})
	if l.now.Sub(p.cutAt) > p.rtt {
		p.cwnd = math.Max(p.cwnd*0.7, 4*packetSize)
		p.slow, p.cutAt = false, l.now
	}
}

// measure runs for a while, and returns the median delay and the rate in Mbit/s of payload.
func (l *line) measure(d time.Duration) (delay time.Duration, mbit float64) {
	l.samples, l.got = nil, 0
	l.run(d)
	return median(l.samples), l.got * 8 / 1e6 / d.Seconds()
}
