package engine

import "shoal/internal/value/mono"

// call is a function that a caller of the API runs in the loop of a torrent, which owns the
// state that the function uses.
type call struct {
	do   func(now mono.Time)
	ran  bool
	done chan struct{}
}

func (*call) bySwarm() bool { return false }

func (c *call) drop(*Torrent) { close(c.done) }

func (c *call) apply(_ *Torrent, now mono.Time) {
	c.do(now)
	c.ran = true
	close(c.done)
}

// call runs do in the loop, and returns when do has returned. The error is ErrStopped.
func (t *Torrent) call(do func(now mono.Time)) error {
	c := &call{do: do, done: make(chan struct{})}
	if !t.do(c) {
		return ErrStopped
	}
	<-c.done
	if !c.ran {
		return ErrStopped
	}
	return nil
}
