package resume_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
)

// committing is a world with a committer in it, and a log of what it tells.
type committing struct {
	*process
	k    *resume.Committer
	sync func(context.Context) error
	log  []string
	at   time.Time
}

func newCommitting(t *testing.T) *committing {
	t.Helper()
	w := newWorld()
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	c := &committing{process: p, at: time.Now(), sync: p.guard.Sync}
	c.k = resume.NewCommitter(p.j, resume.CommitterConfig{
		Sync:  func(ctx context.Context) error { return c.sync(ctx) },
		Bytes: 5 * pieceLength,
		Report: func(r resume.Report) {
			c.log = append(c.log, fmt.Sprintf("%v durable %v doubt %v err %v", time.Since(c.at), r.Durable, r.Doubt, r.Err != nil))
		},
	})
	return c
}

// verified writes pieces and hands them in.
func (c *committing) verified(t *testing.T, pieces ...uint32) {
	t.Helper()
	for _, i := range pieces {
		must(t, c.guard.WriteV([][]byte{c.piece(i)}, c.lay.Geometry.Offset(i, 0)))
		c.k.Verified(i)
	}
}

func (c *committing) expect(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if fmt.Sprint(c.log) != fmt.Sprint(want) {
		t.Errorf("told %q\nwant %q", c.log, want)
	}
}

// Pieces are committed together, at a time after the first of them or when there
// are enough; between groups there is no goroutine.
func TestGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommitting(t)
		c.verified(t, 0)
		time.Sleep(time.Second)
		c.verified(t, 1, 2)
		time.Sleep(2 * time.Second)
		c.expect(t, "2s durable [0 1 2] doubt [] err false")
		time.Sleep(7 * time.Second)
		c.verified(t, 3, 4, 5, 6)
		c.expect(t, "2s durable [0 1 2] doubt [] err false")
		c.verified(t, 7) // that is enough
		c.expect(t, "2s durable [0 1 2] doubt [] err false", "10s durable [3 4 5 6 7] doubt [] err false")
		time.Sleep(5 * time.Second)
		c.verified(t, 8)
		must(t, c.k.Flush(t.Context()))
		must(t, c.k.Flush(t.Context())) // nothing left
		c.expect(t, "2s durable [0 1 2] doubt [] err false", "10s durable [3 4 5 6 7] doubt [] err false",
			"15s durable [8] doubt [] err false")
		c.verified(t, 9)
		must(t, c.k.Close(t.Context(), true))
		if err := c.k.Flush(t.Context()); err == nil {
			t.Error("flushed after the end")
		}
		c.crash(crashfs.Lost, 0)
		p, err := c.open()
		must(t, err)
		if fmt.Sprint(list(p.lo.Have)) != "[0 1 2 3 4 5 6 7 8 9]" || !p.lo.Clean {
			t.Errorf("after the end: %v, clean %v", list(p.lo.Have), p.lo.Clean)
		}
	})
}

// While files are synced pieces can be handed in; they are of the next group. A
// close that is not in order ends the sync, and leaves them.
func TestVerifiedNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommitting(t)
		c.sync = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		c.verified(t, 0)
		time.Sleep(3 * time.Second)
		c.verified(t, 1, 2, 3)
		must(t, c.k.Close(t.Context(), false))
		c.k.Verified(4)
		c.expect(t)
		if lo := reopen(t, c.world); !lo.Have.None() || lo.Clean {
			t.Errorf("%v are claimed, clean %v", list(lo.Have), lo.Clean)
		}
	})
}

// A claim that the folder of state does not take waits, and is tried again; the
// files are of no blame.
func TestNoSpaceForState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommitting(t)
		c.verified(t, 0)
		c.fs.FailWhen(func(call crashfs.Call) error {
			if call.Name == c.lay.FileName() || len(call.Name) > 30 {
				return syscall.ENOSPC
			}
			return nil
		})
		time.Sleep(8 * time.Second)
		c.expect(t, "2s durable [] doubt [] err true", "7s durable [] doubt [] err true")
		c.fs.FailWhen(nil)
		time.Sleep(5 * time.Second)
		c.expect(t, "2s durable [] doubt [] err true", "7s durable [] doubt [] err true", "12s durable [0] doubt [] err false")
		must(t, c.k.Close(t.Context(), true))
	})
}

// Pieces whose files can't be synced are in doubt, and told once.
func TestSyncFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCommitting(t)
		c.sync = func(context.Context) error { return syscall.EIO }
		c.verified(t, 0, 1)
		time.Sleep(30 * time.Second)
		c.expect(t, "2s durable [] doubt [0 1] err true")
		c.verified(t, 2)
		if err := c.k.Flush(t.Context()); !errors.As(err, new(*resume.SyncError)) {
			t.Errorf("flush: %v", err)
		}
		c.expect(t, "2s durable [] doubt [0 1] err true", "30s durable [] doubt [2] err true")
		must(t, c.k.Close(t.Context(), false))
	})
}
