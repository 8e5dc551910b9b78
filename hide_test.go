package shoal

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// Errors and the log show no passkey, and errors stay what they are.
func TestHidden(t *testing.T) {
	inner := errors.New("announce to http://u:pw9@t.example/a?passkey=secret9: refused")
	err := clean(fmt.Errorf("%w: %w", ErrConfig, inner))
	if !errors.Is(err, ErrConfig) || strings.Contains(err.Error(), "9") {
		t.Errorf("%v", err)
	}
	if plain := errors.New("no URL"); clean(plain) != plain || clean(nil) != nil {
		t.Error("an error without a secret is another one")
	}
	var b bytes.Buffer
	log := hidden(slog.New(slog.NewTextHandler(&b, nil)))
	log.With("url", "http://t.example/a?key=secret9").WithGroup("g").Warn("ask http://u:pw9@t.example/", "err", inner, "n", 3)
	if s := b.String(); strings.Contains(s, "secret9") || strings.Contains(s, "pw9") || !strings.Contains(s, "g.n=3") {
		t.Error(s)
	}
}

// No way of naming a URL brings its secret into an error.
func TestErrorsWithoutSecrets(t *testing.T) {
	for _, u := range []string{
		"http://u:hush77@127.0.0.1:1/a/?passkey=hush77",
		"ftp://u:hush77@t.example/?key=hush77",
	} {
		for what, err := range map[string]error{
			"web seed": CheckWebSeed(u),
			"fetch":    func() error { _, err := FetchTorrent(t.Context(), u); return err }(),
		} {
			if err != nil && strings.Contains(err.Error(), "hush77") {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}
