package engine

import (
	"context"
	"runtime"
	"sync"
)

// queue runs tasks in the order they came, a few at a time. Its goroutines end when
// nothing is left: ten thousand torrents that start at once are ten thousand small
// tasks, and not as many stacks.
type queue struct {
	max int // tasks at once

	after *queue // whose tasks come first; nil for none

	mu      sync.Mutex
	rest    sync.Cond // nothing is left to do; its lock is mu
	tasks   []func(leave func())
	running int
	done    sync.WaitGroup
}

// add has a task run. A task that is going to take long calls leave, and gives its
// place to the next; it may call it again.
func (q *queue) add(task func(leave func())) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = append(q.tasks, task)
	q.start()
}

// start has one goroutine more, if there is room and work. q.mu is held.
func (q *queue) start() {
	if q.running < q.max && len(q.tasks) > 0 {
		q.running++
		q.done.Go(q.run)
	}
}

func (q *queue) run() {
	left := false
	leave := func() {
		if !left {
			left = true
			q.mu.Lock()
			q.running--
			q.start()
			if q.running == 0 && q.rest.L != nil {
				q.rest.Broadcast()
			}
			q.mu.Unlock()
		}
	}
	for !left {
		if q.after != nil {
			q.after.wait()
		}
		q.mu.Lock()
		if len(q.tasks) == 0 {
			q.tasks = nil
			q.mu.Unlock()
			break
		}
		task := q.tasks[0]
		q.tasks[0] = nil
		q.tasks = q.tasks[1:]
		q.mu.Unlock()
		task(leave)
		runtime.Gosched() // whoever was told of it goes first, or thousands of them wait together
	}
	leave()
}

// wait waits until nothing is left to do but what takes long.
func (q *queue) wait() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rest.L = &q.mu
	for q.running > 0 {
		q.rest.Wait()
	}
}

// settle waits until nothing is left to do, or ctx ends.
func (q *queue) settle(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.rest.Broadcast()
	})()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rest.L = &q.mu
	for q.running > 0 && ctx.Err() == nil {
		q.rest.Wait()
	}
	return ctx.Err()
}

// A check of more than this gives its place to others, and takes one of the few for
// long ones: so that a torrent which has nothing to check does not wait for one that
// has, and a disk with moving parts is not asked for many places at once.
const longBytes = 16 << 20

// longChecks is how many long checks run at once. Each hashes on all cores.
const longChecks = 2

// longCheck waits for the turn of a check of so many bytes. Its end is told by done.
func (e *Engine) longCheck(ctx context.Context, bytes int64, leave func()) (done func()) {
	if bytes < longBytes {
		return func() {}
	}
	leave()
	select {
	case e.checkSlots <- struct{}{}:
		return func() { <-e.checkSlots }
	case <-ctx.Done():
		return func() {}
	}
}
