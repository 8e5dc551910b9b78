package engine

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// gate is a channel that is closed once, and is not made before somebody waits for it:
// of thousands of torrents hardly anybody waits. The zero value is shut.
type gate struct{ ch atomic.Pointer[chan struct{}] }

var opened = func() *chan struct{} {
	c := make(chan struct{})
	close(c)
	return &c
}()

// C gives a channel that is closed when the gate opens, or is.
func (g *gate) C() <-chan struct{} {
	for {
		if c := g.ch.Load(); c != nil {
			return *c
		}
		c := make(chan struct{})
		g.ch.CompareAndSwap(nil, &c)
	}
}

// Open opens the gate. It may be open.
func (g *gate) Open() {
	if c := g.ch.Swap(opened); c != nil && c != opened {
		close(*c)
	}
}

// Passed reports whether the gate is open.
func (g *gate) Passed() bool { return g.ch.Load() == opened }

// Shut shuts the gate for those who come from now on.
func (g *gate) Shut() { g.ch.CompareAndSwap(opened, nil) }

// life is a context that End ends, and that costs a few bytes as long as nobody waits
// for that. Nobody else ends it, so whoever made it has to. The zero value is ready.
type life struct {
	over gate

	mu    sync.Mutex
	after *[]*func() // few: what is under way
}

var _ context.Context = (*life)(nil)

func (*life) Deadline() (time.Time, bool) { return time.Time{}, false }
func (*life) Value(any) any               { return nil }
func (l *life) Done() <-chan struct{}     { return l.over.C() }
func (l *life) Err() error {
	if l.over.Passed() {
		return context.Canceled
	}
	return nil
}

// AfterFunc has f called when the context ends. It is what package context looks for, so
// that a context made from this one costs no goroutine; what it gives does not wait.
func (l *life) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over.Passed() {
		go f() // whoever asks holds what f needs
		return func() bool { return false }
	}
	if l.after == nil {
		l.after = new([]*func())
	}
	*l.after = append(*l.after, &f)
	return func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.after == nil {
			return false
		}
		i := slices.Index(*l.after, &f)
		if i < 0 {
			return false
		}
		if *l.after = slices.Delete(*l.after, i, i+1); len(*l.after) == 0 {
			l.after = nil
		}
		return true
	}
}

// Child gives a context that ends with the life, without a channel of the life's own. The
// function given is called when it is of no more use.
func (l *life) Child() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	stop := l.AfterFunc(cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// afterFunc is context.AfterFunc, which would have a life make its channel.
func afterFunc(ctx context.Context, f func()) (stop func() bool) {
	if l, ok := ctx.(*life); ok {
		return l.AfterFunc(func() { go f() })
	}
	return context.AfterFunc(ctx, f)
}

// End ends the context, and all that were made from it. It may have ended.
func (l *life) End() {
	l.mu.Lock()
	after := l.after
	l.after = nil
	l.over.Open()
	l.mu.Unlock()
	if after == nil {
		return
	}
	for _, f := range *after {
		(*f)()
	}
}
