package ui

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"shoal"
)

// Colours are the sequences that turn a colour on, and one that turns it off.
// All are empty without colour.
type Colours struct{ good, Busy, Faint, Bad, Off string }

var ansi = Colours{good: "\x1b[32m", Busy: "\x1b[33m", Faint: "\x1b[2m", Bad: "\x1b[31m", Off: "\x1b[0m"}

// A screen is a terminal with an area of a few lines at the bottom that is drawn
// again and again, while ordinary lines scroll away above it. It is not safe for
// concurrent use: output guards it.
type screen struct {
	w      io.Writer
	size   func() (width, height int)
	glyphs Glyphs
	Colour Colours

	area []int // printed width of each line of the area as it stands
}

// OpenScreen returns the terminal behind w, or nil when w is not one, or one that
// cannot move its cursor.
func OpenScreen(w io.Writer, getenv func(string) string) *screen {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || getenv("TERM") == "dumb" || !steerable(f) {
		return nil
	}
	s := &screen{w: f, glyphs: Blocks, Colour: ansi}
	s.size = func() (width, height int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width < 1 || height < 1 {
			return 80, 24
		}
		return width, height
	}
	if getenv("NO_COLOR") != "" { // no-color.org: any value counts, the empty one does not
		s.Colour = Colours{}
	}
	if !showsUnicode(getenv) {
		s.glyphs = ascii
	}
	return s
}

// showsUnicode reports whether the locale lets block characters be shown. A
// locale that names no encoding at all says nothing, so then they are.
func showsUnicode(getenv func(string) string) bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return true
}

// draw replaces the area by lines, each cut to the width of the terminal. One
// write takes it all, so that nothing flickers.
func (s *screen) draw(lines []string) {
	width, height := s.size()
	lines = lines[:min(len(lines), max(height-1, 1))] // what has scrolled away can't be drawn again
	var b strings.Builder
	if len(s.area) == 0 {
		b.WriteString("\x1b[?25l") // the cursor would jump about
	}
	s.home(&b, width)
	s.area = s.area[:0]
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		// The last column stays free: a cursor there wraps in some terminals.
		cut, n := clip(shoal.Redact(line), width-1, s.Colour.Off) // half of a passkey is not recognised
		b.WriteString(cut)
		b.WriteString("\x1b[K")
		s.area = append(s.area, n)
	}
	b.WriteString("\r")
	io.WriteString(s.w, b.String())
}

// clear takes the area away and shows the cursor again.
func (s *screen) clear() {
	if len(s.area) == 0 {
		return
	}
	var b strings.Builder
	width, _ := s.size()
	s.home(&b, width)
	b.WriteString("\x1b[?25h")
	s.area = s.area[:0]
	io.WriteString(s.w, b.String())
}

// home moves from the last line of the area to its first and clears what is
// below. A terminal made narrower has wrapped the lines, so that each takes
// more rows than it was drawn in.
func (s *screen) home(b *strings.Builder, width int) {
	if len(s.area) == 0 {
		return
	}
	rows := 0
	for _, n := range s.area[:len(s.area)-1] { // the cursor is at the start of the last
		rows += max(1, (n+width-1)/width)
	}
	b.WriteByte('\r')
	if rows > 0 {
		fmt.Fprintf(b, "\x1b[%dA", rows)
	}
	b.WriteString("\x1b[J")
}

// clip cuts a line to width cells, not counting escape sequences, and returns the
// cells it takes. Lines are made of characters one cell wide.
func clip(line string, width int, off string) (string, int) {
	n := 0
	for i := 0; i < len(line); {
		if line[i] == 0x1b {
			end := strings.IndexByte(line[i:], 'm')
			if end < 0 {
				return line[:i], n
			}
			i += end + 1
			continue
		}
		if n >= width {
			return line[:i] + off, n
		}
		_, size := utf8.DecodeRuneInString(line[i:])
		i += size
		n++
	}
	return line, n
}
