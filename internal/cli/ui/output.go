package ui

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

// Output is where a command says what happens, in one of three forms: to a
// person at a terminal (lines, and an area redrawn in place), to a file or pipe
// (lines alone), or to a program (JSON lines, docs/json.md). A command states
// each thing for people with say and for programs with event; the form that is
// not in use stays silent. Safe for concurrent use.
type Output struct {
	JSON     bool
	Terminal bool // standard output is one
	Service  bool // the command runs until a signal ends it
	Now      func() time.Time

	mu     sync.Mutex
	Out    io.Writer
	Errs   io.Writer
	Screen *screen // nil when out is not a terminal, or with json
	ended  bool    // nothing is written any more
	last   []func()

	Stamps  bool // lines begin with the time of day
	Secrets bool // passkeys are shown: a person asked for them

	quiet  bool    // say prints nothing
	record *record // keeps the lines, too; nil means nowhere

	TrackerText Latest
}

// Live reports whether there is an area that can be redrawn.
func (o *Output) Live() bool { return o.Screen != nil }

// Cells is how many cells a line has on the terminal; 0 where there is none.
func (o *Output) Cells() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.Screen == nil {
		return 0
	}
	width, _ := o.Screen.size()
	return width - 1
}

// Say prints a line for people.
func (o *Output) Say(format string, a ...any) {
	line := fmt.Sprintf(format, a...)
	o.record.line(slog.LevelInfo, line)
	if o.JSON || o.quiet {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.Stamps {
		line = o.Now().Format(time.TimeOnly) + "  " + line
	}
	o.print(o.Out, line)
}

// Mark prints a line that is waited for: it is alone on its line, without the time.
func (o *Output) Mark(line string) {
	if o.JSON {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.print(o.Out, line)
}

// aliveAfter is how long a slow step shows nothing.
const aliveAfter = time.Second

// Alive shows on a terminal, after a second, what is still going on and for how long,
// until the function that it returns is called. Elsewhere it says nothing.
func (o *Output) Alive(what func() string) (stop func()) {
	if o.JSON || !o.Live() {
		return func() {}
	}
	start, done := o.Now(), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(RedrawEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-done:
				return
			}
			if took := o.Now().Sub(start); took >= aliveAfter {
				o.Draw(func(width, _ int, g Glyphs, c Colours) []string {
					return []string{c.Faint + Shorten(what()+"  "+Span(took.Truncate(time.Second)), width, g) + c.Off}
				})
			}
		}
	})
	var once sync.Once
	return func() {
		once.Do(func() {
			close(done)
			wg.Wait()
			o.Clear()
		})
	}
}

// Warn prints a line for people on the error stream, and a warning event.
func (o *Output) Warn(format string, a ...any) {
	line := fmt.Sprintf(format, a...)
	o.Event("warning", warningEvent{shoal.Redact(line)})
	o.record.line(slog.LevelWarn, line)
	o.PrintErr("shoal: " + line)
}

// Note prints a line on the error stream, whatever the form.
func (o *Output) Note(line string) {
	o.record.line(slog.LevelWarn, line)
	o.PrintErr(line)
}

// PrintErr prints a line on the error stream, and keeps it nowhere.
func (o *Output) PrintErr(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.print(o.Errs, line)
}

// print prints a line without passkeys, unless a person asked for them.
func (o *Output) print(w io.Writer, line string) {
	if o.ended {
		return
	}
	if !o.Secrets {
		line = shoal.Redact(line)
	}
	if o.Screen != nil {
		o.Screen.clear()
	}
	io.WriteString(w, line+"\n")
}

// Draw replaces the area at the bottom of the terminal. lines is called with the
// cells a line may take and the lines of the terminal, and only where there is one.
func (o *Output) Draw(lines func(width, height int, g Glyphs, c Colours) []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.Screen != nil && !o.ended {
		width, height := o.Screen.size()
		o.Screen.draw(lines(width-1, height, o.Screen.glyphs, o.Screen.Colour))
	}
}

// Clear takes the area away.
func (o *Output) Clear() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.Screen != nil {
		o.Screen.clear()
	}
}

// Divert returns standard output for data. From now on lines go to the error stream, and
// nothing is redrawn.
func (o *Output) Divert() io.Writer {
	o.mu.Lock()
	defer o.mu.Unlock()
	data := o.Out
	o.Out, o.Screen = o.Errs, nil
	return data
}

// AtEnd has f called when the output ends, whatever else is still running then.
func (o *Output) AtEnd(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = append(o.last, f)
}

// End takes the area away and silences what is still running.
func (o *Output) End() {
	o.Clear()
	o.mu.Lock()
	o.ended = true
	last := o.last
	o.mu.Unlock()
	for _, f := range last {
		f()
	}
}

// quietEvents are events that are not worth a detail: there is a line for people, or they
// come all the time.
var quietEvents = []string{"progress", "warning", "error", "complete"}

// Event writes one JSON line: the event's name, the time, and the fields of a
// struct (nil for none).
func (o *Output) Event(name string, fields any) {
	if o.record != nil && !o.JSON && !slices.Contains(quietEvents, name) {
		var buf bytes.Buffer
		enc := json.NewEncoder(&buf)
		enc.SetEscapeHTML(false) // an escaped ampersand would hide a passkey from what hides passkeys
		if err := enc.Encode(fields); err == nil {
			o.record.detail(name + " " + strings.TrimSpace(buf.String()))
		}
	}
	if !o.JSON {
		return
	}
	b := fmt.Appendf(nil, `{"event":%q,"time":%q`, name, o.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
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
		o.Out.Write(b)
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

// Failed tells why a command failed: on the error stream, and as the last event.
func (o *Output) Failed(f *Failure) {
	msg := Printable(f.Err.Error())
	o.Event("error", errorEvent{Code: codeNames[f.Code], Exit: f.Code, Message: shoal.Redact(msg), Hint: shoal.Redact(Printable(f.Hint))})
	text := "shoal: " + msg
	if f.Hint != "" {
		text += "\n       " + strings.ReplaceAll(Printable(f.Hint), "\n", "\n       ")
	}
	o.record.line(slog.LevelError, text)
	o.PrintErr(text)
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

func Seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

type SecondsEvent struct {
	Seconds float64 `json:"seconds"`
}
