package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"shoal"
)

// output is where a command says what happens, in one of three forms: to a
// person at a terminal (lines, and an area redrawn in place), to a file or pipe
// (lines alone), or to a program (JSON lines, docs/json.md). A command states
// each thing for people with say and for programs with event; the form that is
// not in use stays silent. Safe for concurrent use.
type output struct {
	json     bool
	terminal bool // standard output is one
	service  bool // the command runs until it is told to end
	now      func() time.Time

	mu     sync.Mutex
	out    io.Writer
	errs   io.Writer
	screen *screen // nil when out is not a terminal, or with json
	ended  bool    // nothing is written any more
	last   []func()

	stamps  bool // lines begin with the time of day
	secrets bool // passkeys are shown: a person asked for them

	quiet  bool    // say prints nothing
	record *record // what is said is kept there, too; nil for nowhere

	said said
}

// live reports whether there is an area that can be redrawn.
func (o *output) live() bool { return o.screen != nil }

// cells is how many cells a line has on the terminal; 0 where there is none.
func (o *output) cells() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.screen == nil {
		return 0
	}
	width, _ := o.screen.size()
	return width - 1
}

// say prints a line for people.
func (o *output) say(format string, a ...any) {
	o.record.line(slog.LevelInfo, fmt.Sprintf(format, a...))
	if o.json || o.quiet {
		return
	}
	line := fmt.Sprintf(format, a...)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stamps {
		line = o.now().Format(time.TimeOnly) + "  " + line
	}
	o.print(o.out, line)
}

// mark prints a line that is waited for: it is alone on its line, without the time.
func (o *output) mark(line string) {
	if o.json {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.print(o.out, line)
}

// aliveAfter is how long nothing is said of what takes its time.
const aliveAfter = time.Second

// alive shows on a terminal, after a second, what is still going on and for how long,
// until the function that it returns is called. Elsewhere it says nothing.
func (o *output) alive(what func() string) (stop func()) {
	if o.json || !o.live() {
		return func() {}
	}
	start, done := o.now(), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(redrawEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-done:
				return
			}
			if took := o.now().Sub(start); took >= aliveAfter {
				o.draw(func(width, _ int, g glyphs, c colours) []string {
					return []string{c.faint + shorten(what()+"  "+span(took.Truncate(time.Second)), width, g) + c.off}
				})
			}
		}
	})
	var once sync.Once
	return func() {
		once.Do(func() {
			close(done)
			wg.Wait()
			o.clear()
		})
	}
}

// warn prints a line for people on the error stream, and a warning event.
func (o *output) warn(format string, a ...any) {
	line := fmt.Sprintf(format, a...)
	o.event("warning", warningEvent{shoal.Redact(line)})
	o.record.line(slog.LevelWarn, line)
	o.printErr("shoal: " + line)
}

// note prints a line on the error stream, whatever the form.
func (o *output) note(line string) {
	o.record.line(slog.LevelWarn, line)
	o.printErr(line)
}

// printErr prints a line on the error stream, and keeps it nowhere.
func (o *output) printErr(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.print(o.errs, line)
}

// print prints a line without passkeys, unless a person asked for them.
func (o *output) print(w io.Writer, line string) {
	if o.ended {
		return
	}
	if !o.secrets {
		line = shoal.Redact(line)
	}
	if o.screen != nil {
		o.screen.clear()
	}
	io.WriteString(w, line+"\n")
}

// draw replaces the area at the bottom of the terminal. lines is called with the
// cells a line may take and the lines of the terminal, and only where there is one.
func (o *output) draw(lines func(width, height int, g glyphs, c colours) []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.screen != nil && !o.ended {
		width, height := o.screen.size()
		o.screen.draw(lines(width-1, height, o.screen.glyphs, o.screen.colour))
	}
}

// clear takes the area away.
func (o *output) clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.screen != nil {
		o.screen.clear()
	}
}

// divert gives standard output to somebody else: what is said goes to the error stream
// from now on, and nothing is redrawn.
func (o *output) divert() io.Writer {
	o.mu.Lock()
	defer o.mu.Unlock()
	data := o.out
	o.out, o.screen = o.errs, nil
	return data
}

// atEnd has f called when the output ends, whatever else is still running then.
func (o *output) atEnd(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = append(o.last, f)
}

// end takes the area away and silences whoever is still running.
func (o *output) end() {
	o.clear()
	o.mu.Lock()
	o.ended = true
	last := o.last
	o.mu.Unlock()
	for _, f := range last {
		f()
	}
}

// toldOtherwise are events that are not worth a detail: there is a line for people, or they
// come all the time.
var toldOtherwise = []string{"progress", "warning", "error", "complete"}

// event writes one JSON line: the event's name, the time, and the fields of a
// struct (nil for none).
func (o *output) event(name string, fields any) {
	if o.record != nil && !o.json && !slices.Contains(toldOtherwise, name) {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false) // an escaped ampersand would hide a passkey from what hides passkeys
		if err := enc.Encode(fields); err == nil {
			o.record.detail(name + " " + strings.TrimSpace(buf.String()))
		}
	}
	if !o.json {
		return
	}
	b := fmt.Appendf(nil, `{"event":%q,"time":%q`, name, o.now().UTC().Format("2006-01-02T15:04:05.000Z"))
	if fields != nil {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(fields); err != nil {
			panic("event that is not JSON: " + err.Error()) // our own types
		}
		if body := bytes.TrimSpace(buf.Bytes()); len(body) > len("{}") {
			b = append(append(b, ','), body[1:len(body)-1]...)
		}
	}
	b = append(seen(b), "}\n"...)
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.ended {
		o.out.Write(b)
	}
}

// seen escapes what a terminal could act on or a reader could not see, so that a
// JSON line with a hostile name in it can be looked at. Such characters stand
// only inside strings.
func seen(b []byte) []byte {
	if !bytes.ContainsFunc(b, func(r rune) bool { return !safe(r) }) {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for _, r := range string(b) {
		switch {
		case safe(r):
			out = utf8.AppendRune(out, r)
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return out
}

// safe reports whether a rune can be shown as it is. Controls, and the format
// characters that turn text around or hide in it, are not.
func safe(r rune) bool { return unicode.IsPrint(r) }

// failed tells why a command failed: on the error stream, and as the last event.
func (o *output) failed(f *failure) {
	msg := printable(f.err.Error())
	o.event("error", errorEvent{Code: codeNames[f.code], Exit: f.code, Message: shoal.Redact(msg), Hint: shoal.Redact(printable(f.hint))})
	text := "shoal: " + msg
	if f.hint != "" {
		text += "\n       " + strings.ReplaceAll(printable(f.hint), "\n", "\n       ")
	}
	o.record.line(slog.LevelError, text)
	o.printErr(text)
}

type warningEvent struct {
	Message string `json:"message"`
}

type errorEvent struct {
	Code    string `json:"code"`
	Exit    int    `json:"exit"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

type secondsEvent struct {
	Seconds float64 `json:"seconds"`
}
