package ui

import "strings"

// A cell of the piece map, which stands for one piece or for a run of them.
type cell struct {
	verified, started, pieces int
}

// Glyphs are what cells are drawn with.
type Glyphs struct {
	missing, started, all string
	part                  []string // some verified, from few to most
	bar                   []string // the last cell of a bar, from an eighth to seven
	rest                  string   // the part of a bar not reached
	Up                    string
	dots                  string
}

var Blocks = Glyphs{
	missing: "·", started: "░", all: "█",
	part: []string{"▁", "▂", "▃", "▄", "▅", "▆", "▇"},
	bar:  []string{"▏", "▎", "▍", "▌", "▋", "▊", "▉"},
	rest: " ", Up: "↑", dots: "…",
}

var ascii = Glyphs{
	missing: ".", started: "~", all: "#",
	part: []string{"1", "2", "3", "5", "6", "7", "8"},
	bar:  []string{"-"},
	rest: " ", Up: "up", dots: "...",
}

// cells folds the states of all pieces ('v' verified, 's' started, else missing)
// into at most width cells, so that each cell stands for an equal share of them
// and none is left out.
func cells(states []byte, width int) []cell {
	n := len(states)
	width = min(width, n)
	if width <= 0 {
		return nil
	}
	out := make([]cell, width)
	for i := range out {
		from, to := i*n/width, (i+1)*n/width
		c := &out[i]
		c.pieces = to - from
		for _, s := range states[from:to] {
			switch s {
			case 'v':
				c.verified++
			case 's':
				c.started++
			}
		}
	}
	return out
}

// PieceMap draws the states of all pieces in one line of at most width cells.
func PieceMap(states []byte, width int, g Glyphs, c Colours) string {
	var b strings.Builder
	last := ""
	for _, cell := range cells(states, width) {
		glyph, colour := cell.draw(g, c)
		if colour != last {
			if last != "" {
				b.WriteString(c.Off)
			}
			b.WriteString(colour)
			last = colour
		}
		b.WriteString(glyph)
	}
	if last != "" {
		b.WriteString(c.Off)
	}
	return b.String()
}

func (c cell) draw(g Glyphs, col Colours) (glyph, colour string) {
	switch {
	case c.verified == c.pieces:
		return g.all, col.good
	case c.verified > 0:
		return g.part[c.verified*len(g.part)/c.pieces], col.good
	case c.started > 0:
		return g.started, col.Busy
	}
	return g.missing, col.Faint
}

// Bar draws a bar of exactly width cells of which done/total is filled.
func Bar(done, total int64, width int, g Glyphs, c Colours) string {
	if width <= 0 {
		return ""
	}
	steps := len(g.bar) + 1
	filled := width * steps
	if total > 0 && done < total {
		filled = int(float64(max(done, 0)) / float64(total) * float64(width*steps))
		filled = min(filled, width*steps-1)
	}
	full, part := filled/steps, filled%steps
	s := strings.Repeat(g.all, full)
	if part > 0 {
		s += g.bar[part-1]
		full++
	}
	return c.good + s + c.Off + strings.Repeat(g.rest, width-full)
}
