package mailbox

import "sync/atomic"

// Gate is a channel that is closed once. The channel is made when somebody waits for it: of
// thousands of torrents, few have a waiter. The zero value is shut.
type Gate struct{ ch atomic.Pointer[chan struct{}] }

var open = func() *chan struct{} {
	c := make(chan struct{})
	close(c)
	return &c
}()

// C returns a channel that is closed when the gate opens, or already is.
func (g *Gate) C() <-chan struct{} {
	for {
		if c := g.ch.Load(); c != nil {
			return *c
		}
		c := make(chan struct{})
		g.ch.CompareAndSwap(nil, &c)
	}
}

// Open opens the gate. An open gate stays open.
func (g *Gate) Open() {
	if c := g.ch.Swap(open); c != nil && c != open {
		close(*c)
	}
}

// Passed reports whether the gate is open.
func (g *Gate) Passed() bool { return g.ch.Load() == open }

// Shut shuts the gate for later waiters.
func (g *Gate) Shut() { g.ch.CompareAndSwap(open, nil) }
