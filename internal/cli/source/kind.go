package source

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"golang.org/x/term"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/session"
	"shoal/internal/cli/ui"
)

// findSource takes a source of any kind. A URL is fetched; of a link or an info-hash only
// the link is known.
func findSource(ctx context.Context, name string, n session.Flags) (Source, error) {
	switch cmdline.KindOf(name) {
	case cmdline.KindMagnet, cmdline.KindHash:
		return fromLink(name, name)
	case cmdline.KindURL:
		at := strings.Trim(name, cmdline.Quotes)
		found, err := shoal.Fetch(ctx, at, n.FetchOptions())
		if err != nil {
			return Source{}, ui.SourceError(fetchHint(err), "%w", err)
		}
		return fromContent(at, found)
	case cmdline.KindFileURL:
		path, ok := cmdline.FilePath(name)
		if !ok {
			return Source{}, ui.UsageError("write file:///path/to/a.torrent, or the path alone", "%s: not the URL of a file on this machine", ui.Printable(name))
		}
		return readFile(path)
	case cmdline.KindDataURL:
		raw, err := dataOf(strings.Trim(name, cmdline.Quotes))
		if err != nil {
			return Source{}, ui.UsageError("save it as a file, and name that", "%.40s: %w", ui.Printable(name), err)
		}
		return fromBytes("the data URL", raw)
	case cmdline.KindStdin:
		return readStdin(ctx)
	case cmdline.KindOtherURL:
		scheme, _, _ := strings.Cut(strings.Trim(name, cmdline.Quotes), ":")
		return Source{}, ui.UsageError("get the .torrent file by other means, and name its path", "%s: shoal fetches over http and https, not over %s", ui.Printable(name), ui.Printable(scheme))
	}
	return readFile(name)
}

// fetchHint says what to do about a URL that brings no torrent.
func fetchHint(err error) string {
	var what *shoal.ContentError
	switch {
	case errors.As(err, &what) && what.Hint != "":
		return what.Hint
	case errors.Is(err, shoal.ErrDowngrade):
		return "--allow-downgrade follows it; nothing vouches for what comes then"
	case errors.Is(err, shoal.ErrLogin):
		return "log in there with a browser, and name the file that it saves"
	case strings.Contains(err.Error(), "x509:"):
		return "if the certificate is your own, name it with --ca-file FILE"
	}
	return "check the address, or get the .torrent file by other means and name its path"
}

// dataOf returns what a data URL holds (RFC 2397).
func dataOf(text string) ([]byte, error) {
	head, data, ok := strings.Cut(text[len("data:"):], ",")
	if !ok {
		return nil, errors.New("no comma in it, behind which the data are")
	}
	plain, err := url.PathUnescape(data)
	if err != nil {
		return nil, errors.New("it is escaped wrongly")
	}
	if !strings.HasSuffix(strings.ToLower(strings.TrimSpace(head)), ";base64") {
		return []byte(plain), nil
	}
	plain = strings.NewReplacer("\n", "", "\r", "", " ", "", "-", "+", "_", "/").Replace(plain)
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(plain, "="))
	if err != nil {
		return nil, errors.New("it is not base64")
	}
	return raw, nil
}

type stdinKey struct{}

// WithStdin returns a context with the standard input of a command.
func WithStdin(ctx context.Context, r io.Reader) context.Context {
	return context.WithValue(ctx, stdinKey{}, r)
}

// readStdin takes what is piped into the command.
func readStdin(ctx context.Context) (Source, error) {
	const hint = "pipe a .torrent file or a magnet link into it, like: curl URL | shoal get -"
	r, _ := ctx.Value(stdinKey{}).(io.Reader)
	if r == nil {
		return Source{}, ui.UsageError(hint, "standard input is not there")
	}
	if f, ok := r.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return Source{}, ui.UsageError(hint, "standard input is the keyboard")
	}
	type got struct {
		raw []byte
		err error
	}
	read := make(chan got, 1) // a pipe that nobody writes to must not keep Ctrl-C waiting
	go func() {
		raw, err := readBounded(r)
		read <- got{raw, err}
	}()
	select {
	case <-ctx.Done():
		return Source{}, context.Cause(ctx)
	case g := <-read:
		if g.err != nil {
			return Source{}, ui.SourceError(hint, "read standard input: %w", g.err)
		}
		if len(g.raw) == 0 {
			return Source{}, ui.SourceError(hint, "read standard input: %w", fmt.Errorf("nothing came"))
		}
		return fromBytes("standard input", g.raw)
	}
}
