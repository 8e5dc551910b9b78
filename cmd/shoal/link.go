package main

import (
	"shoal"
	"shoal/magnet"
)

func fromLink(name, text string) (source, error) {
	l, err := magnet.Parse(text)
	if err != nil {
		return source{}, usageErr("copy the whole link, in quotation marks: it looks like 'magnet:?xt=urn:btih:...'", "%s: %w", brief(name), err)
	}
	if l.V1.IsZero() {
		return source{}, sourceErr("ask for a v1 or a hybrid torrent of the same files", "%s: %w", l.V2, shoal.ErrV2)
	}
	return source{path: name, link: l}, nil
}

// brief shows the beginning of a source: links are long.
func brief(name string) string {
	text := []rune(printable(shoal.Redact(name)))
	if len(text) > 64 {
		return string(text[:63]) + "…"
	}
	return string(text)
}
