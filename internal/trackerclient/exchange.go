package trackerclient

import (
	"bufio"
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"shoal/internal/tracker"
)

const (
	maxHeader = 64 << 10            // bytes of a reply before its body
	maxWire   = 2 * tracker.MaxBody // bytes of a body with its chunk heads, before inflating
	maxInform = 5                   // informational replies (1xx) before the real one
)

// A reply is what one GET brought: a body, or where to look instead.
type reply struct {
	body     []byte
	location string     // not empty for a redirect
	host     string     // who said so
	from     netip.Addr // the address that answered
}

// get asks one target.
func (c *Client) get(ctx context.Context, to target, addrs []netip.Addr) (reply, error) {
	fail := func(op string, err error) (reply, error) {
		return reply{}, &Error{Host: to.authority, Op: op, Err: cause(ctx, err)}
	}
	conn, from, err := c.dial(ctx, addrs, to.port)
	if err != nil {
		return fail("connect", err)
	}
	defer conn.Close()
	// The deadline, or a caller that gives up, ends whatever waits on the connection.
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		conn.SetDeadline(time.Unix(1, 0))
		close(ended)
	})
	defer func() {
		if !stop() {
			<-ended
		}
	}()

	stream := conn
	if to.secure {
		t := tls.Client(conn, &tls.Config{
			ServerName: to.host,
			RootCAs:    c.RootCAs,
			MinVersion: tls.VersionTLS12,
			NextProtos: []string{"http/1.1"},
		})
		if err := t.Handshake(); err != nil {
			return fail("secure the connection", err)
		}
		stream = t
	}
	if _, err := stream.Write(c.request(to)); err != nil {
		return fail("send", err)
	}
	r, err := read(stream)
	if err != nil {
		return fail("read the reply", err)
	}
	r.host, r.from = to.authority, from
	return r, nil
}

// dial connects to the first of addrs that answers.
func (c *Client) dial(ctx context.Context, addrs []netip.Addr, port uint16) (net.Conn, netip.Addr, error) {
	var failed error
	for _, a := range addrs {
		one, cancel := context.WithTimeout(ctx, dialTimeout)
		conn, err := c.Network.Dial(one, netip.AddrPortFrom(a, port))
		cancel()
		if err == nil {
			return conn, a, nil
		}
		failed = errors.Join(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, netip.Addr{}, failed
}

// request gives the bytes of a GET. Nothing in them can start a new line: the URL was
// checked, and the user agent is cleaned.
func (c *Client) request(to target) []byte {
	b := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\n", to.path, to.authority)
	agent := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, c.UserAgent)
	if agent != "" {
		b = fmt.Appendf(b, "User-Agent: %s\r\n", agent)
	}
	if to.user != nil {
		password, _ := to.user.Password()
		pair := base64.StdEncoding.EncodeToString([]byte(to.user.Username() + ":" + password))
		b = fmt.Appendf(b, "Authorization: Basic %s\r\n", pair)
	}
	return append(b, "Accept: */*\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"...)
}

// read takes a reply from the connection.
func read(stream io.Reader) (reply, error) {
	in := &bounded{r: stream, left: maxHeader}
	buffered := bufio.NewReader(in)
	var resp *http.Response
	for range maxInform + 1 {
		var err error
		// The request is told for its method alone: a GET has a body in its reply.
		if resp, err = http.ReadResponse(buffered, nil); err != nil {
			if in.left <= 0 {
				err = ErrTooLong // a line cut there is taken for an odd one
			}
			return reply{}, plain(err)
		}
		if resp.StatusCode >= 200 {
			break
		}
	}
	in.left = maxWire
	switch code := resp.StatusCode; {
	case code == 301 || code == 302 || code == 303 || code == 307 || code == 308:
		if l := resp.Header.Get("Location"); l != "" && len(l) <= tracker.MaxURL {
			return reply{location: l}, nil
		}
		return reply{}, &StatusError{Code: code}
	case code < 200 || code > 299:
		return reply{}, refusal(resp)
	}
	body, err := readBody(resp)
	return reply{body: body}, err
}

// plain gives an error of reading a reply without the stranger's text that it quotes.
func plain(err error) error {
	var ne net.Error
	if errors.Is(err, ErrTooLong) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &ne) {
		return err
	}
	return ErrReply
}

// refusal gives the error of a reply that is not a success: the tracker's words when
// there are some, else the status.
func refusal(resp *http.Response) error {
	if body, err := readBody(resp); err == nil {
		var failure *tracker.FailureError
		if _, err := tracker.ParseResponse(body); errors.As(err, &failure) {
			return failure
		}
	}
	e := &StatusError{Code: resp.StatusCode}
	if n, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31); err == nil {
		e.RetryIn = min(time.Duration(n)*time.Second, tracker.MaxInterval)
	}
	return e
}

// readBody reads a body, inflating it where it is compressed, up to the most that a
// reply may have.
func readBody(resp *http.Response) ([]byte, error) {
	body := io.Reader(resp.Body)
	switch strings.ToLower(strings.TrimSpace(resp.Header.Get("Content-Encoding"))) {
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, plain(err)
		}
		body = z
	}
	b, err := io.ReadAll(io.LimitReader(body, tracker.MaxBody+1))
	switch {
	case len(b) > tracker.MaxBody:
		return nil, ErrTooLong
	case err != nil:
		return nil, plain(err)
	}
	return b, nil
}

// bounded gives ErrTooLong after so many bytes; a short reply would be an end.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, ErrTooLong
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}
