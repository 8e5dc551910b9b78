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
	"sync"
	"time"

	"shoal/internal/net/netio"
)

// get sends one GET to a target and reads the reply (decision 0008). It uses a kept connection
// where there is one; with keep it leaves the connection for the next announce, if the tracker
// agrees.
func (c *Client) get(ctx context.Context, to target, addrs []netip.Addr, cookies []*http.Cookie, keep bool) (reply, error) {
	if l := c.lines.take(to, addrs); l != nil {
		if r, again, err := c.exchange(ctx, l, to, cookies, keep); !again {
			return r, err
		}
		// The tracker closed it meanwhile, without a word.
	}
	l, op, err := c.connect(ctx, to, addrs)
	if err != nil {
		return reply{}, &Error{Host: to.authority, Op: op, Err: cause(ctx, err)}
	}
	r, _, err := c.exchange(ctx, l, to, cookies, keep)
	return r, err
}

// connect opens a connection to a target. op says what failed.
func (c *Client) connect(ctx context.Context, to target, addrs []netip.Addr) (l *line, op string, err error) {
	conn, from, err := c.dial(ctx, addrs, to.port)
	if err != nil {
		return nil, "connect", err
	}
	l = &line{conn: conn, stream: conn, from: from}
	if to.secure {
		t := tls.Client(conn, &tls.Config{
			ServerName: to.host,
			RootCAs:    c.RootCAs,
			MinVersion: tls.VersionTLS12,
			NextProtos: []string{"http/1.1"},
		})
		if err := t.HandshakeContext(ctx); err != nil {
			conn.Close()
			return nil, "secure the connection", err
		}
		l.stream = t
	}
	return l, "", nil
}

// exchange sends one GET over a connection and reads the reply. It keeps the connection or closes
// it. again reports that a connection that has been used before was closed without any reply, so
// that the announce did not happen.
func (c *Client) exchange(ctx context.Context, l *line, to target, cookies []*http.Cookie, keep bool) (r reply, again bool, err error) {
	kept := false
	defer func() {
		if !kept {
			l.conn.Close()
		}
	}()
	// The deadline, or a caller that gives up, interrupts reads and writes.
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		l.conn.SetDeadline(time.Unix(1, 0))
		close(ended)
	})
	var over bool
	finish := sync.OnceFunc(func() {
		if over = !stop(); over {
			<-ended
		}
	})
	defer finish()

	begun := time.Now()
	in := &inbox{r: l.stream, wait: func() { netio.AckNow(l.conn) }}
	op := "send"
	if _, err = l.stream.Write(c.request(to, cookies, keep)); err == nil {
		op = "read the reply"
		r, err = in.reply(func() {
			l.conn.SetReadDeadline(time.Now().Add(hurry))
			if ctx.Err() != nil {
				l.conn.SetDeadline(time.Unix(1, 0)) // again: the call before may have cleared it
			}
		})
	}
	if err != nil {
		if l.used && len(in.all) == 0 && ctx.Err() == nil {
			return reply{}, true, err
		}
		return reply{}, false, &Error{Host: to.authority, Op: op, Err: cause(ctx, err)}
	}
	r.host, r.from, r.took = to.authority, l.from, time.Since(begun)
	if finish(); keep && r.lasts && !over {
		kept = c.lines.keep(to, l)
	}
	return r, false, nil
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
func (c *Client) request(to target, cookies []*http.Cookie, keep bool) []byte {
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
	b = append(b, "Accept: */*\r\nAccept-Encoding: gzip\r\nConnection: "...)
	if keep {
		return append(b, "keep-alive\r\n\r\n"...)
	}
	return append(b, "close\r\n\r\n"...)
}
