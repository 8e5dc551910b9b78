package resume_test

import (
	"fmt"
	"testing"
	"time"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
)

// The process, or the system, stops at every call to the file system in turn,
// with unsynced data and names kept, dropped, reordered and torn. What is reported
// as had then verifies; what was reported durable is still had, and not hashed
// again; and the download goes on to its end, which outlives another loss of
// power.
func TestCrashAtEveryCall(t *testing.T) { crashAtEveryCall(t, func(*world) {}) }

// The same where files are closed before they are durable, and many become so at once.
func TestCrashAtEveryCallInGroups(t *testing.T) {
	crashAtEveryCall(t, func(w *world) { w.openFiles, w.groupFrom = 2, 1 })
}

func crashAtEveryCall(t *testing.T, set func(*world)) {
	for _, mode := range crashfs.Modes() {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			seeds := uint64(1)
			if mode == crashfs.Torn {
				seeds = 4
			}
			n, stops := 1, 0
			for stopped := true; stopped; n = next(n) {
				stops++
				for seed := range seeds {
					w := newWorld()
					w.slow(100 * time.Millisecond)
					set(w)
					w.fs.StopAt(n)
					err := w.run()
					stopped = w.fs.Stopped()
					if !stopped && err != nil {
						t.Fatalf("without a stop: %v", err)
					}
					if !stopped && w.groupFrom > 0 && w.groups == 0 {
						t.Error("nothing was made durable in a group")
					}
					w.afterStop(t, fmt.Sprintf("stopped at call %d, seed %d", n, seed), mode, seed)
				}
				if t.Failed() {
					return
				}
			}
			t.Logf("stopped at %d of %d calls", stops-1, n)
		})
	}
}

// slow has every sync take a while. Enough files stay open that no write waits for
// the sync of another file: its time would not be told from somebody else's then,
// and the file be hashed again.
func (w *world) slow(d time.Duration) {
	w.openFiles = 8
	w.fs.FailWhen(func(c crashfs.Call) error {
		if c.Op == "syncall" {
			w.groups++
		}
		if c.Op == "sync" || c.Op == "syncall" {
			w.at = w.at.Add(d)
		}
		return nil
	})
}

func (w *world) afterStop(t *testing.T, when string, mode crashfs.Mode, seed uint64) {
	t.Helper()
	durable, written := w.durable.Clone(), w.written.Clone()
	w.crash(mode, seed)
	lostPower := w.lostPower
	p := w.verify(t)
	for i := range durable.Pieces() {
		if !p.verdict.Trusted.Has(i) {
			t.Errorf("piece %d was reported durable, and is not had", i)
		}
	}
	for i := range p.verdict.Doubt.Pieces() {
		// After a loss of power nobody vouches for a file that came to be since the
		// last commit.
		if !written.Has(i) && (!lostPower || len(p.verdict.Changed) == 0) {
			t.Errorf("piece %d is hashed again, and was never written", i)
		}
	}
	if t.Failed() {
		t.Fatalf("%s: durable %v, written %v, trusted %v, doubt %v, changed files %v, missing %v", when,
			list(durable), list(written), list(p.verdict.Trusted), list(p.verdict.Doubt), p.verdict.Changed, p.verdict.Missing)
	}
	if err := p.download(); err != nil {
		t.Fatalf("%s: going on: %v", when, err)
	}
	w.crash(crashfs.Lost, seed)
	p = w.verify(t)
	if !p.verdict.Trusted.All() {
		t.Fatalf("%s: went on to the end, lost power, and trusts only %v; changed files %v, missing %v", when,
			list(p.verdict.Trusted), p.verdict.Changed, p.verdict.Missing)
	}
}

// A stop while what a stop left is being put in order.
func TestCrashTwice(t *testing.T) {
	for _, first := range crashfs.Modes() {
		t.Run(first.String(), func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n += coarse(17) {
				w := newWorld()
				w.fs.StopAt(n)
				_ = w.run()
				if !w.fs.Stopped() {
					return
				}
				for again := 1; ; again += coarse(9) {
					// The file system after the first stop is made anew each time.
					w = newWorld()
					w.fs.StopAt(n)
					_ = w.run()
					w.crash(first, 1)
					w.fs.StopAt(again)
					_ = w.run()
					stopped := w.fs.Stopped()
					second := crashfs.Modes()[again%len(crashfs.Modes())]
					w.afterStop(t, fmt.Sprintf("stopped at call %d, then %d: %v", n, again, second), second, 2)
					if !stopped {
						break
					}
				}
			}
		})
	}
}

// A stop in a process that found a journal in order, of this run of the system or
// the one before, or one with the first half of a record behind it.
func TestCrashAfterRestart(t *testing.T) {
	for _, before := range []string{"closed", "and restarted", "and torn"} {
		t.Run(before, func(t *testing.T) {
			t.Parallel()
			for n, stopped := 1, true; stopped; n = next(n) {
				for _, mode := range []crashfs.Mode{crashfs.Kill, crashfs.Modes()[n%len(crashfs.Modes())]} {
					w := newWorld()
					w.pieces = 7
					must(t, w.run())
					w.pieces = int(w.lay.Geometry.Pieces)
					if before == "closed" {
						w.crash(crashfs.Kill, 0)
					} else {
						w.crash(crashfs.Lost, 0)
					}
					if before == "and torn" {
						w.put(t, append(w.journal(t), "SRJ1\x00\x00\x01\x00 and what is as long as a record is, and longer; but then cut off, all of it being noise"...))
						boot := w.boot
						w.boot = resume.Boot{ID: "first run"} // which it was written in
						p, err := w.open()
						must(t, err)
						if !p.lo.Torn {
							t.Fatalf("it says %q", p.lo.Damaged)
						}
						if n%2 == 0 {
							w.boot = boot
						}
					}
					w.slow(100 * time.Millisecond)
					w.fs.StopAt(n)
					_ = w.run()
					stopped = w.fs.Stopped()
					w.afterStop(t, fmt.Sprintf("stopped at call %d, %v", n, mode), mode, 0)
				}
			}
		})
	}
}
