// Command shot draws the content of a terminal as an SVG picture: it reads lines with colours, as
// written by tmux capture-pane -e -p. It adds only the window around them, and a mark where -only
// omits lines. docs/images/take makes the project's pictures with it.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"html"
	"io"
	"log"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Sizes in the picture's units: a cell of the terminal, and the margins.
const (
	cellW, cellH = 8.4, 18.0
	fontSize     = 14
	margin, head = 16.0, 36.0
)

// palette is the colours 0 to 7 of a terminal with a dark background.
var palette = [8]string{"#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#c9d1d9"}

const ground, plain, faint = "#0d1117", "#c9d1d9", "#8b949e"

// run is a part of one line in one colour.
type run struct {
	text, colour string
	bold         bool
}

func main() {
	log.SetFlags(0)
	title := flag.String("title", "", "what stands above")
	only := flag.String("only", "", "show the lines that match this regular expression; default all")
	flag.Parse()
	in, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(string(in), "\n "), "\n")
	match, err := regexp.Compile(*only)
	if err != nil {
		log.Fatal(err)
	}
	shown := choose(lines, match)
	out := bufio.NewWriter(os.Stdout)
	draw(out, *title, shown)
	if err := out.Flush(); err != nil {
		log.Fatal(err)
	}
}

// choose returns the lines that match. Where it omits lines between them, the line before says how
// many.
func choose(lines []string, match *regexp.Regexp) (shown [][]run) {
	skipped := 0
	for _, line := range lines {
		text := ""
		for _, r := range parse(line) {
			text += r.text
		}
		if !match.MatchString(text) {
			if text != "" {
				skipped++
			}
			continue
		}
		if last := len(shown) - 1; skipped > 0 && last >= 0 {
			shown[last] = append(shown[last], run{text: fmt.Sprintf("  ⋯ and %d more", skipped), colour: faint})
		}
		shown, skipped = append(shown, parse(strings.TrimRight(line, " "))), 0
	}
	return shown
}

// parse splits a line at its colours. It expects no other escape sequences.
func parse(line string) (runs []run) {
	colour, bold, dim := plain, false, false
	for line != "" {
		text, rest, found := strings.Cut(line, "\x1b[")
		if dim && text != "" {
			runs = append(runs, run{text, faint, bold})
		} else if text != "" {
			runs = append(runs, run{text, colour, bold})
		}
		if !found {
			break
		}
		codes, after, _ := strings.Cut(rest, "m")
		line = after
		for code := range strings.SplitSeq(codes, ";") {
			switch n, _ := strconv.Atoi(code); {
			case n == 0:
				colour, bold, dim = plain, false, false
			case n == 1:
				bold = true
			case n == 2:
				dim = true
			case n == 22:
				bold, dim = false, false
			case n == 39:
				colour = plain
			case n >= 30 && n < 38:
				colour = palette[n-30]
			case n >= 90 && n < 98:
				colour = palette[n-90]
			}
		}
	}
	return runs
}

func draw(w io.Writer, title string, lines [][]run) {
	cols := 0
	for _, line := range lines {
		n := 0
		for _, r := range line {
			n += utf8.RuneCountInString(r.text)
		}
		cols = max(cols, n)
	}
	width, height := float64(cols)*cellW+2*margin, float64(len(lines))*cellH+head+margin
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString(title))
	fmt.Fprintf(w, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`+"\n", ground)
	for i, c := range []string{palette[1], palette[3], palette[2]} {
		fmt.Fprintf(w, `<circle cx="%.1f" cy="18" r="5" fill="%s"/>`+"\n", margin+5+float64(i)*16, c)
	}
	fmt.Fprintf(w, `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="%d" xml:space="preserve">`+"\n", fontSize)
	fmt.Fprintf(w, `<text x="%.1f" y="22" fill="%s" text-anchor="middle">%s</text>`+"\n", width/2, faint, html.EscapeString(title))
	for i, line := range lines {
		x, y := margin, head+float64(i)*cellH
		for _, r := range line {
			x = drawRun(w, r, x, y)
		}
	}
	fmt.Fprintln(w, "</g>\n</svg>")
}

// drawRun draws text word by word, each at its own position whatever the font, and block characters
// as rectangles.
func drawRun(w io.Writer, r run, x, y float64) float64 {
	word, at := "", x
	flush := func() {
		if word == "" {
			return
		}
		weight := ""
		if r.bold {
			weight = ` font-weight="bold"`
		}
		fmt.Fprintf(w, `<text x="%.1f" y="%.1f" textLength="%.1f" lengthAdjust="spacingAndGlyphs" fill="%s"%s>%s</text>`+"\n",
			at, y+cellH-4, float64(utf8.RuneCountInString(word))*cellW, r.colour, weight, html.EscapeString(word))
		word = ""
	}
	for _, c := range r.text {
		left, top, opacity := block(c)
		switch {
		case opacity > 0:
			flush()
			fmt.Fprintf(w, `<rect x="%.2f" y="%.2f" width="%.2f" height="%.2f" fill="%s" opacity="%.2f"/>`+"\n",
				x, y+top*cellH, left*cellW+0.1, (1-top)*cellH-1, r.colour, opacity)
		case c == ' ':
			flush()
		default:
			if word == "" {
				at = x
			}
			word += string(c)
		}
		x += cellW
	}
	flush()
	return x
}

// block returns how much of its cell a block character fills from the left, where it starts from
// the top, and how densely; density 0 for other characters.
func block(c rune) (left, top, density float64) {
	switch {
	case c >= '▁' && c <= '█': // lower eighths; the last one is full
		return 1, 1 - float64(c-'▁'+1)/8, 1
	case c >= '▉' && c <= '▏': // left eighths, from seven down to one
		return float64(8-(c-'█')) / 8, 0, 1
	case c == '░':
		return 1, 0, 0.4
	}
	return 0, 0, 0
}
