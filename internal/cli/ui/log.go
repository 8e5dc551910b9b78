package ui

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"shoal"
)

// What a command says may go to a file, too, each line with its time and level:
//
//	2026-05-04T03:02:01.987Z INFO  complete: 1.20 GiB fetched in 3m12s
//
// With --quiet only warnings and errors are printed; with --verbose the details as well, which
// then are in the log, too.

// LogFlags say how much is printed, and where else it goes.
type LogFlags struct {
	quiet, verbose bool
	file           string
}

func (l *LogFlags) Add(root *cobra.Command) {
	f := root.PersistentFlags()
	f.BoolVarP(&l.quiet, "quiet", "q", false, "print only warnings and errors")
	f.BoolVarP(&l.verbose, "verbose", "v", false, "print details on the error stream")
	f.StringVar(&l.file, "log", "", "append the output to this `FILE`, with times and levels")
	root.MarkPersistentFlagFilename("log")
}

// Open lets out follow the flags.
func (l *LogFlags) Open(out *Output) error {
	if l.quiet && l.verbose {
		return UsageError("leave one of them away", "--quiet and --verbose contradict each other")
	}
	out.quiet = l.quiet
	r := &record{out: out, now: out.Now, verbose: l.verbose}
	if l.file != "" {
		f, err := os.OpenFile(l.file, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			return Fail("open the log", err)
		}
		r.file = f
		out.AtEnd(func() { r.close() })
	}
	if r.file != nil || r.verbose {
		out.record = r
	}
	return nil
}

// record is where lines are kept besides the screen. A nil record keeps none. Safe for
// concurrent use.
type record struct {
	out     *Output
	now     func() time.Time
	verbose bool // details go to the error stream, too

	mu   sync.Mutex
	file io.WriteCloser // nil for none, or closed
}

// line writes a line to the file.
func (r *record) line(level slog.Level, text string) {
	if r == nil || level < slog.LevelInfo && !r.verbose {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return
	}
	at := r.now().UTC().Format("2006-01-02T15:04:05.000Z")
	var b strings.Builder
	for l := range strings.SplitSeq(shoal.Redact(text), "\n") {
		fmt.Fprintf(&b, "%s %-5s %s\n", at, level, Printable(l))
	}
	io.WriteString(r.file, b.String()) // a log that can't be written must not end what it is about
}

func (r *record) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil {
		r.file.Close()
		r.file = nil
	}
}

// detail tells what is of interest only when something is looked for.
func (r *record) detail(text string) {
	if r == nil || !r.verbose {
		return
	}
	r.line(slog.LevelDebug, text)
	r.out.PrintErr(text)
}

// Logger is for the engine; nil when nobody reads it.
func (o *Output) Logger() *slog.Logger {
	if o.record == nil {
		return nil
	}
	return slog.New(logHandler{r: o.record})
}

// logHandler turns what the engine logs into lines.
type logHandler struct {
	r     *record
	attrs string
}

func (h logHandler) Enabled(_ context.Context, l slog.Level) bool {
	return l >= slog.LevelInfo || h.r.verbose
}

func (h logHandler) Handle(_ context.Context, rec slog.Record) error {
	text := rec.Message + h.attrs
	rec.Attrs(func(a slog.Attr) bool {
		text += attrText(a)
		return true
	})
	if h.r.verbose && rec.Level < slog.LevelWarn {
		h.r.detail(text)
	} else {
		h.r.line(rec.Level, text)
	}
	return nil
}

func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		h.attrs += attrText(a)
	}
	return h
}

func (h logHandler) WithGroup(string) slog.Handler { return h }

func attrText(a slog.Attr) string { return fmt.Sprintf(" %s=%q", a.Key, a.Value.String()) }
