package mailbox

import (
	"context"
	"runtime"
	"sync"
)

// Tasks runs tasks in the order in which they were added, a few at a time. Its goroutines end when
// no task is left: ten thousand torrents that start at once are ten thousand small tasks, and must
// not need ten thousand stacks.
//
// The list has no bound of its own: each torrent adds one task and waits for it.
type Tasks struct {
	max    int
	before *Tasks // its tasks come first; nil for none

	mu      sync.Mutex
	rest    sync.Cond // signals that no task runs; its lock is mu
	tasks   []func(leave func())
	running int
	done    sync.WaitGroup
}

// NewTasks returns a list that runs most tasks at once, and none while before, if not nil, has some
// to run.
func NewTasks(most int, before *Tasks) *Tasks { return &Tasks{max: most, before: before} }

// Add adds a task. A slow task calls leave, which frees its place for the next task; it can call
// leave again.
func (q *Tasks) Add(task func(leave func())) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = append(q.tasks, task)
	q.start()
}

// start starts one more goroutine if there is room and work. The caller holds q.mu.
func (q *Tasks) start() {
	if q.running < q.max && len(q.tasks) > 0 {
		q.running++
		q.done.Go(q.run)
	}
}

func (q *Tasks) run() {
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
		if q.before != nil {
			q.before.idle()
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
		// Let goroutines that the task has woken run first: otherwise thousands of them wait
		// together.
		runtime.Gosched()
	}
	leave()
}

// idle waits until no task runs except those that have left.
func (q *Tasks) idle() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rest.L = &q.mu
	for q.running > 0 {
		q.rest.Wait()
	}
}

// Idle waits until no task runs except those that have left, or until ctx ends.
func (q *Tasks) Idle(ctx context.Context) error {
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

// Wait waits until every task has ended.
func (q *Tasks) Wait() { q.done.Wait() }
