package inflight

// This file decides how many requests one peer should have outstanding:
// as many as keep the pipe to it full, and hardly more. Too few, and it idles
// while a request travels (BEP 3 leaves the number open); too many, and a choke
// or a stall holds up blocks that others could bring.
//
// The measure is the time from request to block. It is the delay of the path
// plus the time that the request waits behind our others, and the aim is to
// keep one second of such waiting: enough to ride out a pause of the peer's
// disk or sender, little enough to change plans. So
//
//	limit = rate x (least delay seen + 1 s) / 16 KiB
//
// and, as long as the limit is what holds the rate down, that is more than
// rate x delay, so it grows until one second of requests waits at the peer. To
// get there quickly it begins with slow start: one more for each block got,
// doubling the limit each delay, until blocks wait for more than that second.
//
// A Window is a small value that the owner of the peer owns. All arithmetic is in integers,
// so that it is the same on every machine.

import (
	"math"
	"math/bits"
	"time"

	"shoal/internal/value/block"
	"shoal/internal/value/mono"
)

const (
	// DefaultStart is the first limit: enough to notice a quick peer, few
	// enough for one that turns out slow.
	DefaultStart = 8

	// DefaultMax is assumed until a peer announces its reqq (BEP 10): the least that deployed
	// clients accept; the most is 2,000.
	DefaultMax = 250

	// HardMax bounds the limit whatever the peer allows: 1,000 blocks are
	// 16 MiB, at 1 GB/s the path of 16 ms, and the most that one choke can
	// throw back.
	HardMax = 1000

	// Min is the least limit of a peer that is not snubbed: one block on its
	// way and one request waiting. More only delays the end of a slow peer's
	// pieces; if the path is long, the limit grows by itself.
	Min = 2

	blockSize = block.Size

	// queueTime is how long requests should wait at the peer.
	queueTime = time.Second

	// horizon is how far back the rate looks, roughly: old bytes and old time
	// weigh less by the factor horizon/(horizon+t) after a time t.
	horizon = 3 * time.Second
)

// Window is the request window of one peer. The zero value is ready to use.
type Window struct {
	start       int32 // first limit; 0: DefaultStart
	most        int32 // what the peer accepts; 0: DefaultMax
	limit       int32 // 0 before the first use
	outstanding int32
	hungry      bool // the last Sent used up all blocks that we could request
	steady      bool // slow start is over
	snubbed     bool

	leastDelay time.Duration // of any block
	measured   bool          // leastDelay is set

	// The rate is bytes/spent, both forgetting. Only time with requests
	// outstanding is spent: a pause of ours says nothing about the peer.
	last  mono.Time // time up to which spent counts
	bytes int64
	spent time.Duration
}

// NewWindow returns a window whose first limit is start requests; 0 means DefaultStart.
func NewWindow(start int) Window { return Window{start: int32(min(max(start, 0), HardMax))} }

// Sent says that n requests went out, perhaps none: as many as the limit and the free blocks
// allowed.
func (w *Window) Sent(now mono.Time, n int) {
	if w.outstanding == 0 {
		w.last = now
	}
	w.outstanding += int32(max(n, 0))
	w.hungry = int(w.outstanding) < w.Limit()
}

// Got says that a block of this many bytes arrived whose request went out at sentAt. Several
// blocks may arrive at one now.
func (w *Window) Got(now mono.Time, bytes int, sentAt mono.Time) {
	delay := max(now.Sub(sentAt), 0)
	if !w.measured || delay < w.leastDelay {
		w.leastDelay, w.measured = delay, true
	}
	w.pass(now)
	w.bytes += int64(bytes)
	w.outstanding = max(w.outstanding-1, 0)
	if w.snubbed {
		return
	}
	if !w.steady {
		w.setLimit(w.Limit() + 1)
		w.steady = delay > w.leastDelay+queueTime
	}
	if w.steady {
		w.follow(delay)
	}
}

// Lost says that one request will not be answered: rejected, cancelled or timed
// out. Slow start is over then, since the peer may have enough.
func (w *Window) Lost(now mono.Time) {
	w.pass(now)
	w.outstanding = max(w.outstanding-1, 0)
	w.steady = true
}

// Drained says that no request outstanding will be answered, as after a choke.
func (w *Window) Drained(now mono.Time) {
	w.pass(now)
	w.outstanding = 0
}

// Outstanding returns the number of requests sent and not answered.
func (w *Window) Outstanding() int { return int(w.outstanding) }

// Limit returns how many requests should be outstanding, at least 1.
func (w *Window) Limit() int {
	if w.snubbed {
		return 1
	}
	if w.limit == 0 {
		return min(w.first(), w.max())
	}
	return int(w.limit)
}

// SetMax sets the peer's reqq (BEP 10): it accepts no more requests at once.
func (w *Window) SetMax(n int) {
	w.most = int32(min(max(n, 1), HardMax))
	if w.limit != 0 {
		w.setLimit(int(w.limit))
	}
}

// Rate returns the bytes a second that arrive while requests are outstanding. It forgets over
// a few seconds of such time.
func (w *Window) Rate() int64 {
	if w.spent <= 0 {
		return 0
	}
	return scale(w.bytes, int64(time.Second), int64(w.spent))
}

// Expect returns in how long a block requested now should be here, by the rate, and how much
// later each further one; zero while the rate is unknown.
func (w *Window) Expect() (wait, block time.Duration) {
	rate := w.Rate()
	if rate == 0 || !w.measured {
		return 0, 0
	}
	block = time.Duration(scale(blockSize, int64(time.Second), rate))
	return w.leastDelay + time.Duration(w.outstanding)*block, block
}

// Lasts reports whether blocks will come for d beyond the least delay, at the known rate, without
// another request. It is false in slow start, when each block should bring a request at once.
func (w *Window) Lasts(d time.Duration) bool {
	wait, block := w.Expect()
	return w.steady && block > 0 && wait >= 2*w.leastDelay+d
}

// Within returns how many requests would be answered within d at the known rate, if the first
// block takes the least delay seen; at least Min. It is 0 while the rate is unknown, and in
// slow start, when the limit holds the rate down.
func (w *Window) Within(d time.Duration) int {
	rate := w.Rate()
	if rate == 0 || !w.steady {
		return 0
	}
	return max(int(min(scale(rate, int64(w.leastDelay+d), int64(time.Second))/blockSize+1, HardMax)), Min)
}

// OnTheWay returns how many blocks the peer has most likely sent and we have not received: a
// cancel would come too late for them.
func (w *Window) OnTheWay() int {
	return int(min(scale(w.Rate(), int64(w.leastDelay), int64(time.Second))/blockSize+1, HardMax))
}

// Snub says that the peer does not answer: it gets one request at a time (BEP 3).
func (w *Window) Snub(now mono.Time) {
	w.pass(now)
	w.snubbed = true
}

// Unsnub says that the peer answers again. The window starts over, with slow start.
func (w *Window) Unsnub() {
	if !w.snubbed {
		return
	}
	w.snubbed, w.steady, w.limit = false, false, 0
	w.bytes, w.spent = 0, 0
}

// Snubbed reports whether the peer is snubbed.
func (w *Window) Snubbed() bool { return w.snubbed }

func (w *Window) first() int {
	if w.start == 0 {
		return DefaultStart
	}
	return int(w.start)
}

func (w *Window) max() int {
	if w.most == 0 {
		return DefaultMax
	}
	return int(w.most)
}

func (w *Window) setLimit(n int) {
	w.limit = int32(min(max(n, Min), w.max()))
}

// follow sets the limit that the rate calls for, after a block with this delay.
func (w *Window) follow(delay time.Duration) {
	if w.spent < time.Millisecond {
		return // too short a time to know a rate
	}
	bytes := scale(w.Rate(), int64(w.leastDelay+queueTime), int64(time.Second))
	want := int(min(bytes/blockSize+1, HardMax))
	// A rate held down by a lack of blocks is no reason for a lower limit. But if requests
	// wait longer than they should, the peer is slow.
	if w.hungry && want < w.Limit() && delay <= w.leastDelay+queueTime {
		return
	}
	w.setLimit(want)
}

// pass counts the time until now as spent, if requests were outstanding.
func (w *Window) pass(now mono.Time) {
	dt := max(now.Sub(w.last), 0)
	if w.outstanding > 0 && dt > 0 {
		w.bytes = scale(w.bytes, int64(horizon), int64(horizon+dt))
		w.spent = time.Duration(scale(int64(w.spent), int64(horizon), int64(horizon+dt))) + dt
	}
	w.last = max(w.last, now)
}

// scale returns a x b / c for numbers that are not negative, c > 0, without overflow in
// between; a result that is too large becomes the largest number.
func scale(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi >= uint64(c) {
		return math.MaxInt64
	}
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(min(q, math.MaxInt64))
}
