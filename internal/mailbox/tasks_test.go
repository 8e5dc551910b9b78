package mailbox

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Tasks run in their order, so many at once; one that gives its place up does not hold up the
// next one.
func TestTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewTasks(2, nil)
		var mu sync.Mutex
		running, most := 0, 0
		var began []int
		for i := range 6 {
			q.Add(func(leave func()) {
				mu.Lock()
				began = append(began, i)
				mu.Unlock()
				if i == 1 {
					leave()
					leave() // a second time it does nothing
					time.Sleep(time.Hour)
					return
				}
				mu.Lock()
				running++
				most = max(most, running)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				running--
				mu.Unlock()
			})
			synctest.Wait() // so that each has begun before the next one comes
		}
		if err := q.Idle(t.Context()); err != nil {
			t.Error(err)
		}
		q.Wait() // also for the one that has left
		mu.Lock()
		defer mu.Unlock()
		if want := []int{0, 1, 2, 3, 4, 5}; !slices.Equal(began, want) || most != 2 {
			t.Errorf("%v, %d at once", began, most)
		}
	})
}

// Tasks that come after others wait until those are done or have left.
func TestTasksBehindOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := NewTasks(1, nil)
		second := NewTasks(1, first)
		start := time.Now()
		first.Add(func(func()) { time.Sleep(time.Second) })
		first.Add(func(leave func()) { leave(); time.Sleep(time.Minute) })
		var at time.Duration
		second.Add(func(func()) { at = time.Since(start) })
		second.Wait()
		if at != time.Second {
			t.Errorf("it ran after %v", at)
		}
		first.Wait()
	})
}

// Idle gives up with its context.
func TestTasksIdleEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewTasks(1, nil)
		q.Add(func(func()) { time.Sleep(time.Hour) })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.Idle(ctx); err == nil {
			t.Error("it did not wait")
		}
		q.Wait()
	})
}
