package main

import (
	"strings"
	"time"
)

// How often something is told while it goes on.
const (
	redrawEvery = 200 * time.Millisecond // a terminal; more often nobody can read
	eventEvery  = time.Second            // JSON
	lineEvery   = 10 * time.Second       // plain lines, which also come at every tenth of the way,
	lineAtMost  = time.Second            // but not more often than this: a short job goes without
)

// A pace decides when the next word about a job is due.
type pace struct {
	out   *output
	last  time.Time
	tenth int64
}

// due reports whether to speak now, with done of total behind us. Plain lines
// come at every tenth of the way, and every ten seconds when that takes longer;
// the end is never due, since another line tells it.
func (p *pace) due(now time.Time, done, total int64) bool {
	tenth := int64(0)
	if total > 0 {
		tenth = int64(float64(done) / float64(total) * 10)
	}
	every := lineEvery
	switch {
	case p.out.live():
		every = redrawEvery
	case p.out.json:
		every = eventEvery
	case done >= total:
		return false
	case p.last.IsZero():
		p.last = now // the start was told, too
		return false
	case tenth > p.tenth:
		every = lineAtMost
	}
	if now.Sub(p.last) < every {
		return false
	}
	p.last, p.tenth = now, tenth
	return true
}

// A meter shows how far reading files has come, with a bar where there is a
// terminal.
type meter struct {
	out   *output
	what  string // "hashing", "checking"
	pace  pace
	speed speed
}

func newMeter(out *output, what string) *meter {
	return &meter{out: out, what: what, pace: pace{out: out}}
}

// fields are those of a progress event.
func (m *meter) fields(done, total int64) hashingEvent {
	e := hashingEvent{Done: done, Total: total}
	now := m.out.now()
	e.Rate = int64(m.speed.rate(now))
	if d, ok := m.speed.eta(now, total); ok {
		seconds := d.Round(time.Second).Seconds()
		e.ETA = &seconds
	}
	return e
}

// show is called as often as one likes; event is called when a JSON event is due.
func (m *meter) show(done, total int64, event func()) {
	now := m.out.now()
	m.speed.at(now, done)
	if !m.pace.due(now, done, total) {
		return
	}
	event()
	parts := append([]string{size(done) + " of " + size(total)}, m.speed.words(now, total)...)
	if m.out.live() {
		m.out.draw(func(width, _ int, g glyphs, c colours) []string {
			return []string{barLine(m.what, done, total, fit(parts, width-len(m.what)-9), width, g, c)}
		})
		return
	}
	m.out.say("%s  %s  %s", m.what, percent(done, total), strings.Join(parts, "  "))
}

// barLine lays out what, a percentage, a bar that takes the room that is left, and
// what follows it. A line too narrow for a bar goes without.
func barLine(what string, done, total int64, tail string, width int, g glyphs, c colours) string {
	head := what + " " + pad(percent(done, total), 6)
	room := width - len(head) - runes(tail) - 4
	if room < 8 {
		if short, _, ok := strings.Cut(tail, " of "); ok && runes(head)+2+runes(tail) > width {
			tail = short
		}
		return head + "  " + tail
	}
	return head + "  " + bar(done, total, min(room, 60), g, c) + "  " + tail
}

func runes(s string) int { return len([]rune(s)) }

// pad puts spaces before s until it takes n cells.
func pad(s string, n int) string {
	for runes(s) < n {
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
