package mailbox

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Life is a context that End ends. It costs a few bytes while nobody waits for its end. No parent
// ends it, so its owner must. The zero value is ready.
type Life struct {
	over Gate

	mu    sync.Mutex
	after *[]*func() // calls in progress; few
}

var _ context.Context = (*Life)(nil)

// Deadline implements context.Context: a life has none.
func (*Life) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value implements context.Context: a life has none.
func (*Life) Value(any) any { return nil }

// Done implements context.Context.
func (l *Life) Done() <-chan struct{} { return l.over.C() }

// Err implements context.Context.
func (l *Life) Err() error {
	if l.over.Passed() {
		return context.Canceled
	}
	return nil
}

// AfterFunc calls f when the context ends; f must not block. Package context looks for this method,
// so a context made from a life costs no goroutine.
func (l *Life) AfterFunc(f func()) (stop func() bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over.Passed() {
		go f() // the caller may hold a lock that f needs
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

// Child returns a context that ends with the life, without making the life's channel. The caller
// calls cancel when it no longer needs the context.
func (l *Life) Child() (ctx context.Context, cancel context.CancelFunc) {
	ctx, end := context.WithCancel(context.Background())
	stop := l.AfterFunc(end)
	return ctx, func() {
		stop()
		end()
	}
}

// AfterFunc is context.AfterFunc without making the channel of a life.
func AfterFunc(ctx context.Context, f func()) (stop func() bool) {
	if l, ok := ctx.(*Life); ok {
		return l.AfterFunc(func() { go f() })
	}
	return context.AfterFunc(ctx, f)
}

// End ends the context and all contexts made from it. Further calls do nothing.
func (l *Life) End() {
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
