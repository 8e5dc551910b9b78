package testkit

import (
	"strconv"
	"strings"
	"testing"
)

// A VT is as much of a terminal as a screen needs: lines that wrap, a cursor and erasing.
// When it is resized it wraps long lines again, as modern terminals do.
type VT struct {
	t      *testing.T
	lines  [][]rune // logical lines, not wrapped
	row    int      // logical line of the cursor
	col    int
	Width  int  // cells of a line
	Hidden bool // the cursor is
}

// NewVT returns an empty terminal of that width.
func NewVT(t *testing.T, width int) *VT { return &VT{t: t, Width: width, lines: make([][]rune, 1)} }

// Write takes what a program prints.
func (v *VT) Write(b []byte) (int, error) {
	s := string(b)
	for s != "" {
		if rest, ok := strings.CutPrefix(s, "\x1b["); ok {
			end := strings.IndexFunc(rest, func(r rune) bool { return r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' })
			v.escape(rest[:end], rest[end])
			s = rest[end+1:]
			continue
		}
		r := []rune(s)[0]
		s = s[len(string(r)):]
		switch r {
		case '\r':
			v.col = 0
		case '\n':
			v.row, v.col = v.row+1, 0
			if v.row == len(v.lines) {
				v.lines = append(v.lines, nil)
			}
		default:
			if r < ' ' || r == 0x7f {
				v.t.Errorf("control character %q", r)
			}
			for len(v.lines[v.row]) <= v.col {
				v.lines[v.row] = append(v.lines[v.row], ' ')
			}
			v.lines[v.row][v.col] = r
			v.col++
		}
	}
	return len(b), nil
}

func (v *VT) escape(arg string, verb byte) {
	n, _ := strconv.Atoi(arg)
	switch {
	case verb == 'm':
	case verb == 'K' && arg == "":
		v.lines[v.row] = v.lines[v.row][:min(v.col, len(v.lines[v.row]))]
	case verb == 'J' && arg == "":
		v.lines[v.row] = v.lines[v.row][:min(v.col, len(v.lines[v.row]))]
		v.lines = v.lines[:v.row+1]
	case verb == 'A': // by rows as they are seen, so a wrapped line counts as several
		for n > 0 && v.row > 0 {
			v.row--
			n -= max(1, (len(v.lines[v.row])+v.Width-1)/v.Width)
		}
		if n != 0 {
			v.t.Errorf("moved up into the middle of a line, or out of the terminal (%d rows)", n)
		}
	case arg == "?25" && verb == 'l':
		v.Hidden = true
	case arg == "?25" && verb == 'h':
		v.Hidden = false
	default:
		v.t.Errorf("unknown sequence %q", arg+string(verb))
	}
}

// String returns the lines that the terminal shows.
func (v *VT) String() string {
	var b strings.Builder
	for _, l := range v.lines {
		b.WriteString(strings.TrimRight(string(l), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}
