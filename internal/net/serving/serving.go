// Package serving answers HTTP requests of strangers over a bounded number of connections.
//
// A full house makes room: package lobby decides which connection gives way to one that
// comes. A connection whose request is complete keeps its place until the answer is out;
// one that has sent none, or only a part of one, and one that is kept open between two
// requests, can lose its place. So silent connections keep no one out (decision 0144).
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

// Serve answers with a server at a listener, over at most this many connections at a time,
// until the server is closed. It sets the server's ConnState and ConnContext. While all
// connections are being answered the next one waits, and others in the system's queue.
func Serve(s *http.Server, l net.Listener, places int) error {
	h := &house{
		Listener: l, began: time.Now(), lobby: lobby.New(places), guests: make(map[lobby.Key]*guest),
		room: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	handler := s.Handler
	s.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if g, ok := r.Context().Value(guestKey{}).(*guest); ok && !h.asks(g) {
			panic(http.ErrAbortHandler) // it gave way just now, and is closed
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

// guestKey is the key of a request's connection in its context.
type guestKey struct{}

// house is a listener whose connections have places.
type house struct {
	net.Listener
	began time.Time

	mu     sync.Mutex // held briefly, never across a blocking call
	lobby  *lobby.Lobby
	guests map[lobby.Key]*guest
	next   lobby.Key

	room  chan struct{} // holds a token when a place came free, or can be taken from somebody
	once  sync.Once
	ended chan struct{} // closed by Close
}

// guest is a connection with a place.
type guest struct {
	net.Conn
	h   *house
	key lobby.Key // 0: it has no place; guarded by house.mu
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
			out.Conn.Close() // closing a socket does not wait
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

// Close ends an Accept that waits for a place, too.
func (h *house) Close() error {
	h.once.Do(func() { close(h.ended) })
	return h.Listener.Close()
}

// enter gives a connection a place. The one that gave way is to be closed; ok is false where
// none can.
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

// asks says that a request of a connection is complete: it keeps its place. False: it has
// lost it.
func (h *house) asks(g *guest) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return g.key != 0 && h.lobby.Done(g.key)
}

// answered says that the answer to a request is out. The connection comes in again, as one
// that has spoken: it gives way after those that never did.
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

// leave gives a connection's place up. It may have lost it.
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

// Close gives the place up. A server closes a connection from several goroutines at once, and
// with its lock held: none of the calls waits, and a second one takes nobody's place.
func (g *guest) Close() error {
	defer g.h.leave(g)
	return g.Conn.Close()
}
