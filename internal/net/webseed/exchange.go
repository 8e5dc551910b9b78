package webseed

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"shoal/internal/decide/swarm/webplan"
	"shoal/internal/net/netio"
	"shoal/internal/value/ipscope"
	"shoal/internal/value/plural"
)

// Bounds of an exchange.
const (
	dialTime     = 10 * time.Second // for each address of a server
	headTime     = 30 * time.Second // from a request to the head of its answer
	maxHead      = 64 << 10         // bytes of an answer before its body
	maxInform    = 5                // informational answers (1xx) before the real one
	maxRedirects = 5
	maxAddresses = 4 // addresses tried for a server's name

	// BlockTime bounds the time for a block, without what it waits for on our side.
	BlockTime = 30 * time.Second
)

// Our reasons to stop, besides errors of the network and the server.
var (
	errForbidden  = errors.New("it leads to a local address, which is allowed only for web seeds that you name")
	errRedirects  = fmt.Errorf("more than %d redirects", maxRedirects)
	errHead       = errors.New("the answer is not well-formed HTTP, or its head is too long")
	errCompressed = errors.New("the answer is compressed, which shoal did not ask for")
	errLonger     = errors.New("the answer is longer than it says")
)

// failure is the outcome of a failed fetch, for webplan.
type failure struct{ webplan.Result }

func (f *failure) Error() string { return f.Text }

func fail(o webplan.Outcome, format string, a ...any) error {
	return &failure{webplan.Result{Outcome: o, Text: fmt.Sprintf(format, a...)}}
}

// wire is one open connection to a server, with its read buffer.
type wire struct {
	nc  net.Conn // the socket
	rw  net.Conn // the same, or TLS on top of it
	in  *limited
	buf *bufio.Reader
	to  target // only its origin counts
	// public: an address on the internet led to it.
	public bool
	used   bool // it has delivered an answer
}

// limited reads up to left bytes; more is an error.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errHead
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// answer is the head of a server's answer, and its body.
type answer struct {
	*http.Response
	target target // server that sent it
}

// askFrom gets a URL, or its range from from to before to unless to is 0, and follows redirects. It
// also returns answers with an error status. public says that the internet led here.
func (c *Conn) askFrom(ctx context.Context, t target, from, to int64, public bool) (*answer, error) {
	for range maxRedirects + 1 {
		resp, err := c.askOne(ctx, t, from, to, &public)
		if err != nil {
			return nil, err
		}
		location := ""
		switch resp.StatusCode {
		case 301, 302, 303, 307, 308:
			location = resp.Header.Get("Location")
		}
		if location == "" {
			return &answer{resp, t}, nil
		}
		c.hangUp()
		if t, err = t.redirect(location); err != nil {
			return nil, fail(webplan.Refused, "follow a redirect: %v", err)
		}
	}
	return nil, fail(webplan.Refused, "%v", errRedirects)
}

// askOne sends one request and reads the head of its answer. The server may have closed a kept
// connection meanwhile: then askOne tries once more on a new one.
func (c *Conn) askOne(ctx context.Context, t target, from, to int64, public *bool) (*http.Response, error) {
	for {
		kept := c.wire != nil && c.wire.to.sameOrigin(t) && (c.wire.public || !*public)
		if !kept {
			c.hangUp()
			if err := c.connect(ctx, t, *public); err != nil {
				return nil, err
			}
		}
		*public = *public || c.wire.public
		resp, err := c.exchange(t, from, to)
		if err == nil {
			return resp, nil
		}
		c.hangUp()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !kept || errors.Is(err, errHead) {
			return nil, fail(webplan.Broken, "%v", plain(err))
		}
	}
}

// connect opens a connection to the first address of a server that answers and that we may contact.
func (c *Conn) connect(ctx context.Context, t target, public bool) error {
	names, cancel := context.WithTimeout(ctx, dialTime)
	addrs, err := c.client.Network.Resolve(names, t.host)
	cancel()
	if err != nil {
		return fail(webplan.Broken, "resolve: %v", err)
	}
	var ok []netip.Addr
	for _, a := range addrs {
		local := ipscope.Internal(a)
		if !local || !public && (c.source.Trusted || t.pathOnly()) {
			ok = append(ok, a)
		}
	}
	if len(ok) == 0 {
		return fail(webplan.Refused, "%v", errForbidden)
	}
	var failed error
	for _, a := range ok[:min(len(ok), maxAddresses)] {
		one, cancel := context.WithTimeout(ctx, dialTime)
		nc, err := c.client.Network.Dial(one, netip.AddrPortFrom(a, t.port))
		cancel()
		if ctx.Err() != nil {
			if err == nil {
				nc.Close()
			}
			return ctx.Err()
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		return c.secure(ctx, nc, a, t, public)
	}
	return fail(webplan.Broken, "connect: %v", plain(failed))
}

// secure turns a socket into a connection for requests, with TLS if needed.
func (c *Conn) secure(ctx context.Context, nc net.Conn, a netip.Addr, t target, public bool) error {
	if !c.hold(nc) {
		nc.Close()
		return context.Canceled
	}
	w := &wire{nc: nc, rw: nc, to: t, public: public || !ipscope.Internal(a)}
	if t.secure {
		s := tls.Client(nc, &tls.Config{
			ServerName: t.host, RootCAs: c.client.RootCAs, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"},
		})
		nc.SetDeadline(time.Now().Add(dialTime))
		if err := s.HandshakeContext(ctx); err != nil {
			c.hold(nil)
			nc.Close()
			return fail(webplan.Broken, "secure the connection: %v", plain(err))
		}
		nc.SetDeadline(time.Time{})
		w.rw = s
	}
	w.in = &limited{r: w.rw}
	w.buf = bufio.NewReaderSize(w.in, bufferSize)
	c.wire = w
	c.limit(a)
	return nil
}

// exchange sends a request and reads the head of the answer.
func (c *Conn) exchange(t target, from, to int64) (*http.Response, error) {
	w := c.wire
	w.nc.SetDeadline(time.Now().Add(headTime))
	if _, err := w.rw.Write(c.request(t, from, to)); err != nil {
		return nil, err
	}
	w.in.left = maxHead
	for range maxInform + 1 {
		// ReadResponse needs the request only for its method: without one it assumes a GET.
		resp, err := http.ReadResponse(w.buf, nil)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode >= 200 {
			w.used = true
			return resp, nil
		}
	}
	return nil, errHead
}

// request returns the bytes of a GET. Nothing in them can start a new line: the URL was escaped,
// and the user agent is cleaned.
func (c *Conn) request(t target, from, to int64) []byte {
	b := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n", t.path, t.authority, c.client.agent())
	if t.user != "" {
		b = fmt.Appendf(b, "Authorization: Basic %s\r\n", t.user)
	}
	if to > 0 {
		b = fmt.Appendf(b, "Range: bytes=%d-%d\r\n", from, to-1)
	}
	return append(b, "Accept: */*\r\nAccept-Encoding: identity\r\n\r\n"...)
}

// plain returns an error without the server's text that it may quote.
func plain(err error) error {
	var op *net.OpError
	var ne net.Error
	switch {
	case errors.As(err, &op):
		return fmt.Errorf("%s: %w", op.Op, op.Err)
	case errors.As(err, &ne) && ne.Timeout():
		return errors.New("no answer in time")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the server closed the connection")
	case errors.As(err, new(*tls.CertificateVerificationError)), errors.As(err, new(tls.RecordHeaderError)):
		return err
	case errors.Is(err, netio.ErrPolicy), errors.Is(err, netio.ErrNoAddress):
		return err
	}
	return errHead
}

// partial checks that an answer contains the bytes from from to before to of a file of this length,
// and returns the error otherwise. whole reports that the answer is the whole file instead.
func partial(a *answer, from, to, length int64) (whole bool, err error) {
	if err := plainBody(a); err != nil {
		return false, err
	}
	switch a.StatusCode {
	case http.StatusPartialContent:
		first, last, total, ok := contentRange(a.Header.Get("Content-Range"))
		switch {
		case ok && total >= 0 && total != length:
			return false, fail(webplan.Absent, "the file has %s on the server instead of %s", plural.Of(total, "byte"), plural.Group(length))
		case !ok || first != from || last != to-1:
			return false, fail(webplan.Broken, "the answer has another range than the request")
		case a.ContentLength >= 0 && a.ContentLength != to-from:
			return false, fail(webplan.Broken, "the answer has %s where the request says %s", plural.Of(a.ContentLength, "byte"), plural.Group(to-from))
		}
		return false, nil
	case http.StatusOK:
		if a.ContentLength >= 0 && a.ContentLength != length {
			return false, fail(webplan.Absent, "the file has %s on the server instead of %s", plural.Of(a.ContentLength, "byte"), plural.Group(length))
		}
		if from > 0 {
			return false, fail(webplan.NoRanges, "the server does not support ranges")
		}
		return true, nil
	}
	return false, refusal(a)
}

// plainBody refuses encoded bodies.
func plainBody(a *answer) error {
	if a.StatusCode >= 300 {
		return nil
	}
	for _, e := range a.Header.Values("Content-Encoding") {
		if e = strings.ToLower(strings.TrimSpace(e)); e != "" && e != "identity" {
			return fail(webplan.Refused, "%v", errCompressed)
		}
	}
	return nil
}

// refusal returns the meaning of an answer with an error status.
func refusal(a *answer) error {
	switch a.StatusCode {
	case http.StatusNotFound, http.StatusGone, http.StatusForbidden, http.StatusUnauthorized, http.StatusUnavailableForLegalReasons:
		return fail(webplan.Absent, "HTTP status %d", a.StatusCode)
	case http.StatusRequestedRangeNotSatisfiable:
		return fail(webplan.Absent, "the file is too short on the server (HTTP status 416)")
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		f := &failure{webplan.Result{Outcome: webplan.Busy, Text: fmt.Sprintf("HTTP status %d", a.StatusCode)}}
		f.RetryIn = retryIn(a.Header.Get("Retry-After"))
		return f
	}
	return fail(webplan.Broken, "HTTP status %d", a.StatusCode)
}

// retryIn reads a Retry-After: seconds, or a date.
func retryIn(text string) time.Duration {
	if n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
}

// contentRange parses "bytes 0-99/200"; total is -1 when unknown.
func contentRange(text string) (first, last, total int64, ok bool) {
	unit, rest, found := strings.Cut(strings.TrimSpace(text), " ")
	span, size, found2 := strings.Cut(rest, "/")
	a, b, found3 := strings.Cut(span, "-")
	if !found || !found2 || !found3 || !strings.EqualFold(unit, "bytes") {
		return 0, 0, 0, false
	}
	total = -1
	var err [3]error
	first, err[0] = number(a)
	last, err[1] = number(b)
	if size != "*" {
		total, err[2] = number(size)
	}
	return first, last, total, err == [3]error{} && first <= last
}

func number(text string) (int64, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 63)
	return int64(n), err
}
