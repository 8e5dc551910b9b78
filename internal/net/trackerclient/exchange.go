package trackerclient

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// get sends one GET to a target and reads the reply (decision 0008).
func (c *Client) get(ctx context.Context, to target, addrs []netip.Addr, cookies []*http.Cookie) (reply, error) {
	fail := func(op string, err error) (reply, error) {
		return reply{}, &Error{Host: to.authority, Op: op, Err: cause(ctx, err)}
	}
	conn, from, err := c.dial(ctx, addrs, to.port)
	if err != nil {
		return fail("connect", err)
	}
	defer conn.Close()
	// The deadline, or a caller that gives up, interrupts reads and writes.
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
	if _, err := stream.Write(c.request(to, cookies)); err != nil {
		return fail("send", err)
	}
	r, err := read(stream, func() {
		conn.SetReadDeadline(time.Now().Add(hurry))
		if ctx.Err() != nil {
			conn.SetDeadline(time.Unix(1, 0)) // again: the call before may have cleared it
		}
	})
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

// request returns the bytes of a GET. Nothing in them can start a new line: the URL was checked,
// and the user agent is cleaned.
func (c *Client) request(to target, cookies []*http.Cookie) []byte {
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
	if len(cookies) > 0 {
		var pairs []string
		for _, one := range cookies[:min(len(cookies), maxCookies)] {
			pairs = append(pairs, (&http.Cookie{Name: one.Name, Value: one.Value, Quoted: one.Quoted}).String())
		}
		b = fmt.Appendf(b, "Cookie: %s\r\n", strings.Join(pairs, "; "))
	}
	return append(b, "Accept: */*\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n"...)
}
