package main

import (
	"strings"
	"time"

	"shoal"
)

// lines draws the area of a terminal: for one torrent that is not complete a bar, what it
// does or waits for, and the map of its pieces; for several a row for each that moves or is
// held up, and a line for all; for seeds a line.
func lines(v view, width, height int, g glyphs, c colours) []string {
	sum := v.sum
	one := v.torrents == 1
	s := v.one
	switch {
	case v.doing[shoal.StateChecking] > 0 && (one || v.doing[shoal.StateDownloading] == 0):
		done := checkedBytes(sum)
		out := []string{barLine("checking", done, sum.Size, fit(append([]string{size(done) + " of " + size(sum.Size)}, v.checks...), width-17), width, g, c)}
		if one && len(s.Map) > 0 {
			out = append(out, pieceMap(s.Map, width, g, c))
		}
		return out
	case one && v.doing[shoal.StateDownloading] > 0:
		out := []string{whole("downloading", s, width, g, c)}
		if len(s.Waiting) > 0 {
			out = append(out, reasons(s, v.gives, v.now, width, height-3, g, c)...)
		} else {
			out = append(out, traffic(s, g))
		}
		return append(out, pieceMap(s.Map, width, g, c))
	case one && v.doing[shoal.StateStalled]+v.doing[shoal.StateMissing] > 0:
		return append([]string{whole("held up", s, width, g, c)}, reasons(s, v.gives, v.now, width, height-2, g, c)...)
	}
	var out []string
	room := max(height-3, 1) // a line for all, one for the port, and one that stays free
	rows, more := v.rows, v.more
	if len(rows)+1 > room {
		more += len(rows) - max(room-1, 0)
		rows = rows[:max(room-1, 0)]
	}
	for _, r := range rows {
		out = append(out, r.draw(v.now, width, g, c))
	}
	if more > 0 && len(rows) > 0 {
		out = append(out, c.faint+"and "+count(more, "more torrent")+c.off)
	}
	out = append(out, several(v, width, g))
	if v.port != 0 && sum.Peers == 0 && v.doing[shoal.StateSeeding]+v.doing[shoal.StateIncomplete] > 0 {
		out = append(out, c.faint+words(shoal.Cause{Kind: shoal.CauseUnreached, N: int64(v.port)}, v.now)+c.off)
	}
	return out
}

// whole is the bar of one torrent.
func whole(what string, s shoal.Stats, width int, g glyphs, c colours) string {
	return barLine(what, s.WantedVerified(), s.Wanted(), size(s.WantedVerified())+" of "+size(s.Wanted()), width, g, c)
}

// maxReasons bounds the lines that say what one torrent waits for.
const maxReasons = 7

// reasons says what a torrent waits for, each cause in a line or two.
func reasons(s shoal.Stats, gives, now time.Time, width, most int, g glyphs, c colours) (out []string) {
	most = min(max(most, 1), maxReasons)
	colour := c.busy
	if s.State == shoal.StateStalled || s.State == shoal.StateMissing {
		colour = c.bad
	}
	for i, text := range causes(s, gives, now) {
		each := 2
		if i == 0 {
			each = 3
		}
		for _, line := range wrap(text, width, min(each, most-len(out)), g) {
			out = append(out, colour+line+c.off)
		}
		if len(out) == most {
			break
		}
		colour = c.faint
	}
	return out
}

// Widths of the columns of a row.
const (
	rowBar  = 12 // where the terminal is wide enough for one
	rowRate = 10 // "1023 MiB/s"
	rowETA  = 10 // "ETA 59m59s"
	wide    = 76
	leeway  = 24 // that a name has at least, where there is an ETA
)

// draw is the row of a torrent: how far it is, how fast, how long it takes or what it waits
// for, and its name.
func (r row) draw(now time.Time, width int, g glyphs, c colours) string {
	s := r.Stats
	head := pad(percent(s.WantedVerified(), s.Wanted()), 6)
	n := runes(head)
	if width >= wide {
		head += "  " + bar(s.WantedVerified(), s.Wanted(), rowBar, g, c)
		n += 2 + rowBar
	}
	name := printable(s.Name)
	if s.State == shoal.StateStalled || s.State == shoal.StateMissing || s.State == shoal.StateDownloading && len(s.Waiting) > 0 {
		colour := c.busy
		if s.State != shoal.StateDownloading {
			colour = c.bad
		}
		room := width - n - 2
		name = shorten(name, max(room/3, 8), g)
		text := shorten(strings.Join(causes(s, r.gives, now), "; "), max(room-runes(name)-2, 0), g)
		return head + "  " + name + "  " + colour + text + c.off
	}
	speed := rate(s.DownRate)
	if s.State == shoal.StateSeeding {
		speed = g.up + " " + rate(s.UpRate)
	}
	head += "  " + pad(speed, rowRate)
	n += 2 + max(runes(speed), rowRate)
	if width-n-2-rowETA-2 >= leeway {
		rest := ""
		if d, ok := s.ETA(); ok {
			rest = "ETA " + eta(d)
		}
		head += "  " + pad(rest, rowETA)
		n += 2 + max(runes(rest), rowETA)
	}
	return head + "  " + shorten(name, max(width-n-2, 0), g)
}
