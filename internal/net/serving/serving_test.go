package serving

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"shoal/internal/decide/lobby"
	"shoal/internal/simnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var here = netip.AddrPortFrom(netip.MustParseAddr("9.9.9.9"), 80)

// world is a server on a network in memory. /slow is answered once the channel is closed.
type world struct {
	t    *testing.T
	net  *simnet.Net
	slow chan struct{}
}

func play(t *testing.T, places int, body func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t, simnet.New(simnet.Options{Link: simnet.Link{Delay: 10 * time.Millisecond}}), make(chan struct{})}
		l, err := w.net.Host(here.Addr()).Listen(here)
		if err != nil {
			t.Fatal(err)
		}
		var s http.Server
		s.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			io.WriteString(rw, "begun, ")
			if r.URL.Path == "/slow" {
				http.NewResponseController(rw).Flush()
				<-w.slow
			}
			io.WriteString(rw, "done")
		})
		ended := make(chan error)
		go func() { ended <- Serve(&s, l, places) }()
		body(w)
		s.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("it ended with %v", err)
		}
		w.net.Close()
	})
}

// client is a connection.
type client struct {
	net.Conn
	w *world
	r *bufio.Reader
}

// dial connects from an address.
func (w *world) dial(from string) client {
	w.t.Helper()
	c, err := w.net.Host(netip.MustParseAddr(from)).Dial(w.t.Context(), here)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return client{c, w, bufio.NewReader(c)}
}

func (c client) say(text string) client {
	io.WriteString(c, text) // to one that gave way nothing can be said
	return c
}

func (c client) ask(path string) client { return c.say("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n") }

// answer reads an answer, within a second.
func (c client) answer() (string, error) {
	c.SetReadDeadline(time.Now().Add(time.Second))
	r, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	return string(body), err
}

func (c client) answered(what string) {
	c.w.t.Helper()
	if text, err := c.answer(); text != "begun, done" {
		c.w.t.Errorf("%s: %q, %v", what, text, err)
	}
}

// out reports whether the connection was closed by the other side.
func (c client) out() bool {
	c.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	_, err := c.r.ReadByte()
	var timeout net.Error
	return err != nil && (!errors.As(err, &timeout) || !timeout.Timeout())
}

// However many say nothing, or begin a request and do not end it, from one address or from
// many: a polite one is answered within a second, also from one of those addresses.
func TestFlood(t *testing.T) {
	for name, text := range map[string]string{"silent": "", "half a request": "GET /film HTTP/1.1\r\nHost:"} {
		for from, addr := range map[string]func(i int) string{
			"one address":   func(int) string { return "10.0.0.1" },
			"many networks": func(i int) string { return fmt.Sprintf("11.%d.%d.1", i>>8, i&255) },
		} {
			t.Run(name+" from "+from, func(t *testing.T) {
				play(t, 32, func(w *world) {
					var all []client
					for i := range 300 {
						all = append(all, w.dial(addr(i)).say(text))
					}
					w.dial(addr(1)).ask("/").answered("at once")
					time.Sleep(5 * time.Second)
					for i := range 20 {
						w.dial(addr(i)).ask("/").answered("later")
					}
					open := 0
					for _, c := range all {
						if !c.out() {
							open++
						}
					}
					if open > 32 {
						t.Errorf("%d are open", open)
					}
				})
			})
		}
	}
}

// A connection that is being answered is never cut: a newcomer waits until one is done. One
// that is kept open between requests gives way then.
func TestAnswersAreWhole(t *testing.T) {
	play(t, 2, func(w *world) {
		a, b := w.dial("10.0.0.1").ask("/slow"), w.dial("10.0.0.2").ask("/slow")
		time.Sleep(time.Minute)
		c := w.dial("10.0.0.3").ask("/")
		d := w.dial("10.0.0.3").ask("/")
		if text, err := c.answer(); err == nil {
			t.Errorf("both places are in use, and a third one hears %q", text)
		}
		close(w.slow)
		a.answered("the first")
		b.answered("the second")
		c = w.dial("10.0.0.4").ask("/")
		c.answered("a newcomer")
		d.answered("one that waited")
		c.ask("/").answered("the newest, once more")
		if !a.out() && !b.out() {
			t.Error("neither of those that rest has made room")
		}
	})
}

// Silent ones go first, then those that rest between two requests; an address with many
// connections loses its own.
func TestWhoGoes(t *testing.T) {
	play(t, 3, func(w *world) {
		rests := w.dial("10.0.0.1").ask("/")
		rests.answered("the first")
		time.Sleep(2 * time.Second)
		silent := w.dial("10.0.0.2")
		time.Sleep(2 * time.Second)
		w.dial("10.0.0.3").ask("/").answered("the third")
		w.dial("10.0.0.4").ask("/").answered("the fourth")
		if !silent.out() || rests.out() {
			t.Error("the silent one does not go first")
		}
	})
	play(t, 3, func(w *world) {
		one := w.dial("10.0.0.1")
		time.Sleep(2 * time.Second)
		for range 20 {
			w.dial("10.0.0.2")
		}
		one.ask("/").answered("the only one of its address")
	})
}

// What is cut, and what a client closes, gives its place back once; none of the calls waits.
func TestClosedByMany(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(simnet.Options{})
		defer n.Close()
		inner, err := n.Host(here.Addr()).Listen(here)
		if err != nil {
			t.Fatal(err)
		}
		h := &house{Listener: inner, began: time.Now(), lobby: lobby.New(1), guests: map[lobby.Key]*guest{}, room: make(chan struct{}, 1), ended: make(chan struct{})}
		far := n.Host(netip.MustParseAddr("10.0.0.1"))
		for range 20 {
			peer, err := far.Dial(t.Context(), here)
			if err != nil {
				t.Fatal(err)
			}
			c, err := h.Accept() // waits forever where an earlier place was lost
			if err != nil {
				t.Fatal(err)
			}
			if !h.keeps(c.(*guest)) {
				t.Fatal("it has no place")
			}
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() { c.Close() })
			}
			wg.Wait()
			peer.Close()
		}
		if h.lobby.Count() != 0 || len(h.guests) != 0 {
			t.Errorf("%d places are taken, by %d", h.lobby.Count(), len(h.guests))
		}

		// Full, and closed: its Accept ends.
		for range 2 {
			peer, err := far.Dial(t.Context(), here)
			if err != nil {
				t.Fatal(err)
			}
			defer peer.Close()
		}
		c, err := h.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		h.keeps(c.(*guest))
		ended := make(chan error)
		go func() {
			_, err := h.Accept()
			ended <- err
		}()
		synctest.Wait()
		h.Close()
		if err := <-ended; !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept: %v", err)
		}
		if err := h.Close(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("closed again: %v", err)
		}
	})
}

// A connection that gave way while its request came is not answered by chance.
func TestLostWhileAsking(t *testing.T) {
	h := &house{lobby: lobby.New(1), guests: map[lobby.Key]*guest{}, room: make(chan struct{}, 1)}
	near, far := net.Pipe()
	defer far.Close()
	a, b := &guest{Conn: near, h: h}, &guest{Conn: near, h: h}
	h.enter(a)
	if out, ok := h.enter(b); out != a || !ok {
		t.Fatalf("%v gives way, in is %v", out, ok)
	}
	if h.keeps(a) {
		t.Error("it keeps a place that it has lost")
	}
	h.answered(a)
	h.leave(a)
	if !h.keeps(b) || h.lobby.Count() != 1 {
		t.Error("the other has lost its place")
	}
	if _, ok := h.enter(a); ok {
		t.Error("one that is being answered gave way")
	}
}
