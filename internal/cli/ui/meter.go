package ui

import (
	"strings"
	"time"
)

// How often a line, event or drawing says how something gets on.
const (
	RedrawEvery = 200 * time.Millisecond // a terminal; more often nobody can read
	EventEvery  = time.Second            // JSON
	lineEvery   = 10 * time.Second       // plain lines, which also come at every tenth of the way,
	lineAtMost  = time.Second            // but not more often than this: a short job goes without
)

// A Pace decides when the next word about a job is due.
type Pace struct {
	Out   *Output
	Last  time.Time
	tenth int64
}

// Due reports whether to speak now, with done of total behind us. Plain lines
// come at every tenth of the way, and every ten seconds when that takes longer;
// the end is never due, since another line tells it.
func (p *Pace) Due(now time.Time, done, total int64) bool {
	tenth := int64(0)
	if total > 0 {
		tenth = int64(float64(done) / float64(total) * 10)
	}
	every := lineEvery
	switch {
	case p.Out.Live():
		every = RedrawEvery
	case p.Out.JSON:
		every = EventEvery
	case done >= total:
		return false
	case p.Last.IsZero():
		p.Last = now // the start had its line
		return false
	case tenth > p.tenth:
		every = lineAtMost
	}
	if now.Sub(p.Last) < every {
		return false
	}
	p.Last, p.tenth = now, tenth
	return true
}

// A meter shows how far reading files has come, with a bar where there is a
// terminal.
type meter struct {
	out   *Output
	what  string // "hashing", "checking"
	pace  Pace
	speed Speed
}

func NewMeter(out *Output, what string) *meter {
	return &meter{out: out, what: what, pace: Pace{Out: out}}
}

// Fields are those of a progress event.
func (m *meter) Fields(done, total int64) hashingEvent {
	e := hashingEvent{Done: done, Total: total}
	now := m.out.Now()
	e.Rate = int64(m.speed.rate(now))
	if d, ok := m.speed.eta(now, total); ok {
		seconds := d.Round(time.Second).Seconds()
		e.ETA = &seconds
	}
	return e
}

// Show is called as often as one likes; event is called when a JSON event is due.
func (m *meter) Show(done, total int64, event func()) {
	now := m.out.Now()
	m.speed.At(now, done)
	if !m.pace.Due(now, done, total) {
		return
	}
	event()
	parts := append([]string{Size(done) + " of " + Size(total)}, m.speed.Words(now, total)...)
	if m.out.Live() {
		m.out.Draw(func(width, _ int, g Glyphs, c Colours) []string {
			return []string{BarLine(m.what, done, total, Fit(parts, width-len(m.what)-9), width, g, c)}
		})
		return
	}
	m.out.Say("%s  %s  %s", m.what, Percent(done, total), strings.Join(parts, "  "))
}

// BarLine lays out what, a percentage, a bar that takes the room that is left, and
// what follows it. A line too narrow for a bar goes without.
func BarLine(what string, done, total int64, tail string, width int, g Glyphs, c Colours) string {
	head := what + " " + Pad(Percent(done, total), 6)
	room := width - len(head) - Runes(tail) - 4
	if room < 8 {
		if short, _, ok := strings.Cut(tail, " of "); ok && Runes(head)+2+Runes(tail) > width {
			tail = short
		}
		return head + "  " + tail
	}
	return head + "  " + Bar(done, total, min(room, 60), g, c) + "  " + tail
}

func Runes(s string) int { return len([]rune(s)) }

// Pad puts spaces before s until it takes n cells.
func Pad(s string, n int) string {
	for Runes(s) < n {
		s = " " + s
	}
	return s
}

type hashingEvent struct {
	Done  int64    `json:"done"`
	Total int64    `json:"total"`
	Rate  int64    `json:"rate"`
	ETA   *float64 `json:"eta_s"`
}
