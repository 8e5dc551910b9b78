package shoal

import (
	"context"
	"log/slog"

	"shoal/internal/value/printable"
	"shoal/internal/value/redact"
)

// Redact hides what identifies an account in a text for people: passkeys, user names, passwords
// and tokens in URLs, anywhere in the text. Stats, events, errors and the log of this package are
// redacted already. The trace, package metainfo and Torrent.Metainfo are not.
func Redact(text string) string { return redact.Text(text) }

// shown makes the words of a server, and errors about it, safe to show.
func shown(url, text string) string { return printable.Of(redact.Of(url, text)) }

// clean hides secrets in the text of an error, which stays what it is otherwise.
func clean(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	if hidden := redact.Text(text); hidden != text {
		return &cleanError{hidden, err}
	}
	return err
}

type cleanError struct {
	text string
	err  error
}

func (e *cleanError) Error() string { return e.text }
func (e *cleanError) Unwrap() error { return e.err }

// logHider is a log without secrets.
type logHider struct{ slog.Handler }

// hidden returns log with what clean does to all that is written to it; nil for nil.
func hidden(log *slog.Logger) *slog.Logger {
	if log == nil {
		return nil
	}
	return slog.New(logHider{log.Handler()})
}

// Handle hides secrets in the message and in every value that is text or an error.
func (h logHider) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, redact.Text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(hideAttr(a))
		return true
	})
	return h.Handler.Handle(ctx, out)
}

// WithAttrs keeps the log hidden.
func (h logHider) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = hideAttr(a)
	}
	return logHider{h.Handler.WithAttrs(out)}
}

// WithGroup keeps the log hidden.
func (h logHider) WithGroup(name string) slog.Handler { return logHider{h.Handler.WithGroup(name)} }

func hideAttr(a slog.Attr) slog.Attr {
	switch v := a.Value.Resolve(); v.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(redact.Text(v.String()))
	case slog.KindAny:
		if err, ok := v.Any().(error); ok {
			a.Value = slog.AnyValue(clean(err))
		}
	}
	return a
}
