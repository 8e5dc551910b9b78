package meter

import (
	"time"

	"shoal/internal/value/mono"
)

// Times of a Flow.
const (
	// Shown is how far back the displayed rate looks: long enough to be readable, short
	// enough to be true. It falls to zero this long after the last byte.
	Shown = 4 * time.Second
	// Silence is how long nothing comes before the stream counts as stopped: its earlier rate
	// no longer says when it ends.
	Silence = 10 * time.Second

	shownCells = 8
	shownCell  = Shown / shownCells

	// stretchTime and stretches bound what Mean remembers: half a minute in which bytes came.
	stretchTime = 2500 * time.Millisecond
	stretches   = 12
)

// Flow measures a stream for display: the current rate, the mean from which the remaining
// time follows, and the time of the last byte. Choking has a Meter of its own, which is slow
// on purpose. The zero Flow has counted nothing, and is small (decision 0146).
type Flow struct {
	total int64
	last  mono.Time // time of the latest byte; 0: none yet
	since mono.Time // time of the first byte after a pause longer than Shown
	data  *flowData // nil before the first byte
}

type flowData struct {
	at    int64 // number of the current cell
	cells [shownCells + 1]int64

	n       int // stretches started; the current one is n-1
	stretch [stretches]stretch
}

// stretch is a time in which bytes came.
type stretch struct {
	bytes      int64
	start, end mono.Time     // end is 0 while it continues
	gap        time.Duration // silence before it, if longer than Silence
}

// Add counts n bytes at now.
func (f *Flow) Add(now mono.Time, n int64) {
	if f.data == nil {
		f.data = new(flowData)
	}
	d := f.data
	d.roll(now)
	d.cells[d.at%int64(len(d.cells))] += n
	if f.last.IsZero() || now.Sub(f.last) > Shown {
		f.since = now
	}
	d.extend(now, f.last, n)
	f.total += n
	f.last = now
}

// Total returns the number of bytes counted so far.
func (f *Flow) Total() int64 { return f.total }

// Last returns the time of the latest byte; zero: none yet.
func (f *Flow) Last() mono.Time { return f.last }

// Rate returns bytes a second over the last few seconds.
func (f *Flow) Rate(now mono.Time) float64 {
	if f.data == nil || now.Sub(f.last) >= Shown {
		return 0
	}
	f.data.roll(now)
	var sum int64
	for _, c := range f.data.cells {
		sum += c
	}
	// The oldest cell counts as a whole, the current one is partly over.
	span := Shown + time.Duration(int64(now)%int64(shownCell))
	span = max(min(span, now.Sub(f.since)), time.Second)
	return float64(sum) / span.Seconds()
}

// Mean returns bytes a second over the last half minute in which bytes came. One long silence
// is an accident, and does not count; several are how this stream flows, and count. Mean is
// zero while nothing has come for Silence.
func (f *Flow) Mean(now mono.Time) float64 {
	if f.data == nil || now.Sub(f.last) >= Silence {
		return 0
	}
	d := f.data
	var bytes int64
	var span, silent time.Duration
	gaps := 0
	for i := max(0, d.n-stretches); i < d.n; i++ {
		s := &d.stretch[i%stretches]
		end := s.end
		if i == d.n-1 {
			end = now
		}
		bytes += s.bytes
		span += end.Sub(s.start)
		if s.gap > 0 {
			silent += s.gap
			gaps++
		}
	}
	if gaps > 1 {
		span += silent
	}
	return float64(bytes) / max(span, time.Second).Seconds()
}

// extend counts bytes in the current stretch, or in a new one.
func (d *flowData) extend(now, last mono.Time, n int64) {
	fresh := d.n == 0
	var gap time.Duration
	if !fresh {
		cur := &d.stretch[(d.n-1)%stretches]
		switch pause := now.Sub(last); {
		case pause >= Silence:
			fresh, gap, cur.end = true, pause, last
		case now.Sub(cur.start) >= stretchTime:
			fresh, cur.end = true, now
		}
	}
	if fresh {
		d.stretch[d.n%stretches] = stretch{start: now, gap: gap}
		d.n++
	}
	d.stretch[(d.n-1)%stretches].bytes += n
}

// roll empties the cells that have expired.
func (d *flowData) roll(now mono.Time) {
	at := int64(now) / int64(shownCell)
	if at-d.at >= int64(len(d.cells)) {
		clear(d.cells[:])
		d.at = at
		return
	}
	for d.at < at {
		d.at++
		d.cells[d.at%int64(len(d.cells))] = 0
	}
}
