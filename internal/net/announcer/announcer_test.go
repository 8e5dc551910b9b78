package announcer

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/decide/announcequeue"
	"shoal/internal/mailbox"
	"shoal/internal/value/mono"
)

// log is what happened to the calls of a test.
type log struct {
	mu    sync.Mutex
	lines []string
	group sync.WaitGroup
}

func (l *log) add(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

func (l *log) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.lines, want) {
		t.Errorf("it went %q\nwant    %q", l.lines, want)
	}
}

// call returns an announce that takes so long.
func (l *log) call(name string, takes time.Duration) *call {
	return &call{
		group: &l.group,
		make: func(bool) (func(), announcequeue.Answer) {
			l.add(name)
			time.Sleep(takes)
			return func() {}, announcequeue.Answer{}
		},
		refuse: func(reason error) { l.add(name + ": " + reason.Error()) },
	}
}

func announcer() *Announcer {
	began := time.Now()
	return New(Config{Now: func() mono.Time { return mono.Start.Add(time.Since(began)) }})
}

// What a torrent says to a tracker goes in order, and waits without a goroutine; a farewell
// takes the place of what still waits.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, l := announcer(), new(log)
		first, second, third := l.call("first", time.Second), l.call("second", time.Second), l.call("third", time.Second)
		a.add(t.Context(), announcequeue.Announce{Host: "x", Class: announcequeue.New}, first)
		synctest.Wait()
		a.add(t.Context(), announcequeue.Announce{Host: "x", Class: announcequeue.Active, After: first.id}, second)
		a.add(t.Context(), announcequeue.Announce{Host: "x", Class: announcequeue.Farewell, After: second.id}, third)
		l.expect(t, "first")
		l.group.Wait()
		l.expect(t, "first", "second", "third")

		l.lines = nil
		first, second, third = l.call("first", time.Second), l.call("second", time.Second), l.call("farewell", time.Second)
		a.add(t.Context(), announcequeue.Announce{Host: "x", Class: announcequeue.New}, first)
		synctest.Wait()
		a.add(t.Context(), announcequeue.Announce{Host: "x", Class: announcequeue.Active, After: first.id}, second)
		a.add(t.Context(), announcequeue.Announce{Host: "x", Class: announcequeue.Farewell, After: second.id, Replaces: true}, third)
		l.expect(t, "first", "second: "+errReplaced.Error())
		l.group.Wait()
		if a.Close(); a.Calls() != 0 {
			t.Errorf("%d announces are left", a.Calls())
		}
	})
}

// An announce whose context ends while it waits is refused at once, and does not hold up what
// comes after it.
func TestGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, l := announcer(), new(log)
		var life mailbox.Life
		first, second, third := l.call("first", time.Second), l.call("second", time.Second), l.call("third", time.Second)
		a.add(t.Context(), announcequeue.Announce{Host: "x", Class: announcequeue.Idle}, first)
		synctest.Wait()
		a.add(&life, announcequeue.Announce{Host: "x", Class: announcequeue.Idle, After: first.id}, second)
		a.add(t.Context(), announcequeue.Announce{Host: "x", Class: announcequeue.Idle, After: second.id}, third)
		life.End()
		l.expect(t, "first", "second: "+context.Canceled.Error())
		l.group.Wait()
		l.expect(t, "first", "second: "+context.Canceled.Error(), "third")
		a.Close()
	})
}

// Thousands of announces use as many goroutines as run at the same time: each new one would grow its
// stack again.
func TestGoroutinesAreReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, l := announcer(), new(log)
		var mu sync.Mutex
		used := make(map[string]bool)
		const calls = 400
		for range calls {
			w := l.call("", 0)
			w.make = func(bool) (func(), announcequeue.Answer) {
				var b [64]byte
				id, _, _ := strings.Cut(string(b[:runtime.Stack(b[:], false)]), "[")
				mu.Lock()
				used[id] = true
				mu.Unlock()
				time.Sleep(time.Second) // slow: the pace stays at four
				return func() {}, announcequeue.Answer{Took: time.Second}
			}
			a.add(t.Context(), announcequeue.Announce{Host: "x", Class: announcequeue.Idle}, w)
		}
		l.group.Wait()
		if a.Close(); len(used) > announcequeue.SlotsOfHost {
			t.Errorf("%d announces used %d goroutines, and %d ran at once", calls, len(used), announcequeue.SlotsOfHost)
		}
	})
}

// A tracker that is away has the announces refused that wait for it, with how long to wait.
func TestRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, l := announcer(), new(log)
		var reason error
		for range announcequeue.Silences {
			w := l.call("", 0)
			w.make = func(bool) (func(), announcequeue.Answer) {
				time.Sleep(time.Second)
				return func() {}, announcequeue.Answer{How: announcequeue.Silent}
			}
			a.add(t.Context(), announcequeue.Announce{Host: "gone", Class: announcequeue.Idle}, w)
		}
		w := l.call("late", 0)
		w.refuse = func(err error) { reason = err }
		a.add(t.Context(), announcequeue.Announce{Host: "gone", Class: announcequeue.Idle}, w)
		l.group.Wait()
		a.Close()
		var refused *refusedError
		if !errors.As(reason, &refused) || retryIn(reason) != announcequeue.FirstAway {
			t.Errorf("refused with %v", reason)
		}
	})
}
