// Package serving answers HTTP requests of strangers over a bounded number of connections.
//
// When all connections are in use, package lobby decides which one gives way to a newcomer. A
// connection whose request is complete keeps its place until the answer is out. One that has sent
// no request or a part of one, and one that is kept open between requests, can lose its place. So
// silent connections keep nobody out (decision 0144).
package serving

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"shoal/internal/decide/lobby"
	"shoal/internal/net/netio"
	"shoal/internal/value/mono"
)

// Serve runs a server on a listener, with at most this many connections at a time, until the server
// is closed. It wraps the server's Handler (nil means http.DefaultServeMux, as for http.Server), and
// sets its ConnState and ConnContext. While all connections are being
// answered, the next one waits, and later ones wait in the system's queue.
func Serve(s *http.Server, l net.Listener, places int) error {
	h := &house{
		Listener: l, began: time.Now(), lobby: lobby.New(places), guests: make(map[lobby.Key]*guest),
		room: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	handler := s.Handler
	if handler == nil {
		handler = http.DefaultServeMux
	}
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g, ok := r.Context().Value(guestKey{}).(*guest); ok && !h.keeps(g) {
			panic(http.ErrAbortHandler) // it has just given way, and is closed
		}
		handler.ServeHTTP(w, r)
	})
	s.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		return context.WithValue(ctx, guestKey{}, c)
	}
	s.ConnState = func(c net.Conn, state http.ConnState) {
		if g, ok := c.(*guest); ok && state == http.StateIdle {
			h.answered(g)
		}
	}
	return s.Serve(h)
}

// guestKey is the context key of a request's connection.
type guestKey struct{}

// house is a listener whose connections have places.
type house struct {
	net.Listener
	began time.Time

	mu     sync.Mutex // held briefly, never across a blocking call
	lobby  *lobby.Lobby
	guests map[lobby.Key]*guest
	next   lobby.Key

	room  chan struct{} // holds a token when a place is free, or can be taken from a connection
	once  sync.Once
	ended chan struct{} // closed by Close
}

// guest is a connection with a place.
type guest struct {
	net.Conn
	h   *house
	key lobby.Key // 0 without a place; guarded by house.mu
}

// Accept returns the next connection once it has a place.
func (h *house) Accept() (net.Conn, error) {
	c, err := h.Listener.Accept()
	if err != nil {
		return nil, err
	}
	g := &guest{Conn: c, h: h}
	for {
		out, ok := h.enter(g)
		if out != nil {
			out.Conn.Close() // closing a socket does not block
		}
		if ok {
			return g, nil
		}
		select {
		case <-h.room:
		case <-h.ended:
			c.Close()
			return nil, net.ErrClosed
		}
	}
}

// Close also ends an Accept that waits for a place.
func (h *house) Close() error {
	h.once.Do(func() { close(h.ended) })
	return h.Listener.Close()
}

// enter finds a place for a connection. The caller closes out, the connection that gave way. ok is
// false when none can give way.
func (h *house) enter(g *guest) (out *guest, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.next++
	key, evicts, ok := h.lobby.Enter(h.now(), h.next, netio.AddrPort(g.RemoteAddr()).Addr())
	if evicts {
		out = h.guests[key]
		delete(h.guests, key)
		out.key = 0
	}
	if ok {
		g.key = h.next
		h.guests[g.key] = g
	}
	return out, ok
}

// keeps records that a connection's request is complete, so that it keeps its place. It returns
// false if the connection has lost it.
func (h *house) keeps(g *guest) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return g.key != 0 && h.lobby.Done(g.key)
}

// answered records that the answer to a request is out. The connection enters again, as one that
// has sent a request: it gives way after those that never did.
func (h *house) answered(g *guest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if g.key == 0 {
		return
	}
	h.lobby.Leave(g.key)
	delete(h.guests, g.key)
	h.next++
	g.key = h.next
	h.guests[g.key] = g
	h.lobby.Enter(h.now(), g.key, netio.AddrPort(g.RemoteAddr()).Addr()) // into the place that it left
	h.lobby.Named(h.now(), g.key)
	h.signal()
}

// leave frees a connection's place, if it still has one.
func (h *house) leave(g *guest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if g.key == 0 {
		return
	}
	h.lobby.Leave(g.key)
	delete(h.guests, g.key)
	g.key = 0
	h.signal()
}

// signal wakes an Accept that waits for a place.
func (h *house) signal() {
	select {
	case h.room <- struct{}{}:
	default:
	}
}

func (h *house) now() mono.Time { return mono.Start.Add(time.Since(h.began)) }

// Close frees the place. A server closes a connection from several goroutines at once, while it
// holds its lock: no call blocks, and a second call frees nothing.
func (g *guest) Close() error {
	defer g.h.leave(g)
	return g.Conn.Close()
}
