package progress

import (
	"strings"
	"time"

	"shoal"
	"shoal/internal/cli/ui"
)

// lines draws the area of a terminal: for one torrent that is not complete a bar, what it
// does or waits for, and the map of its pieces; for several a row for each that moves or is
// stalled, and a line for all; for seeds a line.
func lines(v view, width, height int, g ui.Glyphs, c ui.Colours) []string {
	sum := v.sum
	one := v.torrents == 1
	s := v.one
	switch {
	case v.doing[shoal.StateChecking] > 0 && (one || v.doing[shoal.StateDownloading] == 0):
		done := checkedBytes(sum)
		out := []string{ui.BarLine("checking", done, sum.Size, ui.Fit(append([]string{ui.Size(done) + " of " + ui.Size(sum.Size)}, v.checks...), width-17), width, g, c)}
		if one && len(s.Map) > 0 {
			out = append(out, ui.PieceMap(s.Map, width, g, c))
		}
		return out
	case one && v.doing[shoal.StateMetadata] > 0:
		return looking(s, nil, v.now, width, height, g, c)
	case one && v.doing[shoal.StateDownloading] > 0:
		out := []string{whole("downloading", s, width, g, c)}
		if len(s.Waiting) > 0 {
			out = append(out, reasons(s, v.gives, v.now, width, height-3, g, c)...)
		} else {
			out = append(out, strings.TrimSpace(traffic(s, g)+"  "+v.uplink))
		}
		return append(out, ui.PieceMap(s.Map, width, g, c))
	case one && v.doing[shoal.StateStalled]+v.doing[shoal.StateMissing] > 0:
		return append([]string{whole("stalled", s, width, g, c)}, reasons(s, v.gives, v.now, width, height-2, g, c)...)
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
		out = append(out, c.Faint+"and "+ui.Count(more, "more torrent")+c.Off)
	}
	out = append(out, several(v, width, g))
	if v.port != 0 && sum.Peers == 0 && v.doing[shoal.StateSeeding]+v.doing[shoal.StateIncomplete] > 0 {
		out = append(out, c.Faint+ui.CauseWords(shoal.Cause{Kind: shoal.CauseUnreached, N: int64(v.port)}, v.now)+c.Off)
	}
	return out
}

// whole is the bar of one torrent.
func whole(what string, s shoal.Stats, width int, g ui.Glyphs, c ui.Colours) string {
	return ui.BarLine(what, s.WantedVerified(), s.Wanted(), ui.Size(s.WantedVerified())+" of "+ui.Size(s.Wanted()), width, g, c)
}

// maxReasons bounds the lines that say what one torrent waits for.
const maxReasons = 7

// reasons says what a torrent waits for, each cause in a line or two.
func reasons(s shoal.Stats, gives, now time.Time, width, most int, g ui.Glyphs, c ui.Colours) (out []string) {
	most = min(max(most, 1), maxReasons)
	colour := c.Busy
	if s.State == shoal.StateStalled || s.State == shoal.StateMissing {
		colour = c.Bad
	}
	for i, text := range causes(s, gives, now) {
		each := 2
		if i == 0 {
			each = 3
		}
		for _, line := range ui.Wrap(text, width, min(each, most-len(out)), g) {
			out = append(out, colour+line+c.Off)
		}
		if len(out) == most {
			break
		}
		colour = c.Faint
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
func (r row) draw(now time.Time, width int, g ui.Glyphs, c ui.Colours) string {
	s := r.Stats
	had, wanted := s.WantedVerified(), s.Wanted()
	if s.State == shoal.StateMetadata {
		had, wanted = s.Metadata.Have, max(s.Metadata.Size, 1)
	}
	head := ui.Pad(ui.Percent(had, wanted), 6)
	n := ui.Runes(head)
	if width >= wide {
		head += "  " + ui.Bar(had, wanted, rowBar, g, c)
		n += 2 + rowBar
	}
	name := ui.Printable(s.Name)
	waits := s.State == shoal.StateMetadata || s.State == shoal.StateDownloading && len(s.Waiting) > 0
	if s.State == shoal.StateStalled || s.State == shoal.StateMissing || waits {
		colour := c.Busy
		if !waits {
			colour = c.Bad
		}
		room := width - n - 2
		name = ui.Shorten(name, max(room/3, 8), g)
		text := ui.Shorten(strings.Join(causes(s, r.gives, now), "; "), max(room-ui.Runes(name)-2, 0), g)
		return head + "  " + name + "  " + colour + text + c.Off
	}
	speed := ui.Rate(s.DownRate)
	if s.State == shoal.StateSeeding {
		speed = g.Up + " " + ui.Rate(s.UpRate)
	}
	head += "  " + ui.Pad(speed, rowRate)
	n += 2 + max(ui.Runes(speed), rowRate)
	if width-n-2-rowETA-2 >= leeway {
		rest := ""
		if d, ok := s.ETA(); ok {
			rest = "ETA " + ui.ETA(d)
		}
		head += "  " + ui.Pad(rest, rowETA)
		n += 2 + max(ui.Runes(rest), rowETA)
	}
	return head + "  " + ui.Shorten(name, max(width-n-2, 0), g)
}
