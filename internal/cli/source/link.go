package source

import (
	"shoal"
	"shoal/internal/cli/ui"
	"shoal/magnet"
)

func fromLink(name, text string) (Source, error) {
	l, err := magnet.Parse(text)
	if err != nil {
		return Source{}, ui.UsageError("copy the whole link, in quotation marks: it looks like 'magnet:?xt=urn:btih:...'", "%s: %w", Brief(name), err)
	}
	if l.V1.IsZero() {
		return Source{}, ui.SourceError("ask for a v1 or a hybrid torrent of the same files", "%s: %w", l.V2, shoal.ErrV2)
	}
	return Source{Path: name, Link: l}, nil
}

// Brief shows the beginning of a source: links are long.
func Brief(name string) string {
	text := []rune(ui.Printable(shoal.Redact(name)))
	if len(text) > 64 {
		return string(text[:63]) + "…"
	}
	return string(text)
}
