package mailbox

import (
	"context"
	"sync"
	"testing"
	"time"
)

// A gate opens for those who waited before and come after, and can be shut again.
func TestGate(t *testing.T) {
	var g Gate
	if g.Passed() {
		t.Error("it is open")
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { <-g.C() })
	}
	g.Open()
	g.Open()
	wg.Wait()
	<-g.C()
	if !g.Passed() {
		t.Error("it is shut")
	}
	g.Shut()
	g.Shut()
	select {
	case <-g.C():
		t.Error("it is open after Shut")
	default:
	}
	before := g.C()
	g.Shut() // nothing to shut
	g.Open()
	<-before
}

// A life is a context like any other to those who derive from it: they end with it, and
// leave nothing behind when they end before.
func TestLife(t *testing.T) {
	var l Life
	if err := l.Err(); err != nil {
		t.Error(err)
	}
	early, cancel := context.WithCancel(&l)
	cancel()
	late, cancelLate := context.WithTimeout(&l, time.Hour)
	defer cancelLate()
	ran := make(chan struct{})
	context.AfterFunc(late, func() { close(ran) })
	stop := AfterFunc(&l, func() { t.Error("called after it was taken back") })
	if !stop() || stop() {
		t.Error("taken back once, and twice")
	}
	if l.after == nil || len(*l.after) != 1 {
		t.Errorf("%v wait for its end", l.after)
	}
	if early.Err() == nil || late.Err() != nil {
		t.Errorf("%v, %v", early.Err(), late.Err())
	}
	l.End()
	l.End()
	<-ran
	if late.Err() != context.Canceled || l.Err() != context.Canceled {
		t.Errorf("%v, %v", late.Err(), l.Err())
	}
	<-l.Done()
	called := make(chan struct{})
	if stop := AfterFunc(&l, func() { close(called) }); stop() {
		t.Error("taken back after the end")
	}
	<-called
	if child, cancel := context.WithCancel(&l); child.Err() == nil {
		cancel()
		t.Error("a child of what has ended")
	} else {
		cancel()
	}
}

// Nobody who waits makes a life, or a gate, cost anything but its own bytes.
func TestLifeCostsNothing(t *testing.T) {
	if n := testing.AllocsPerRun(10, func() {
		var l Life
		var g Gate
		_ = l.Err()
		g.Open()
		_ = g.Passed()
		_ = g.C()
		l.End()
	}); n > 2 { // the two themselves
		t.Errorf("%v allocations", n)
	}
}
