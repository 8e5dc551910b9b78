package resume_test

import (
	"errors"
	"fmt"
	"syscall"
	"testing"

	"shoal/internal/crashfs"
	"shoal/internal/files/resume"
	"shoal/internal/testkit"
)

// insist is a process that goes on after a failure as an engine does: where the
// files are not what they should be it opens them again and resolves the doubt.
func (w *world) insist() error {
	p, err := w.open()
	if err != nil {
		return err
	}
	for range 6 {
		if err = p.start(); err == nil {
			err = p.download()
		}
		if err == nil {
			err = p.close()
		}
		if err == nil {
			return nil
		}
		if p.st != nil {
			p.st.Close()
		}
		p.lo = p.j.Loaded()
	}
	p.j.Rest()
	return err
}

// faults are what calls fail with.
var faults = []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EMFILE, syscall.EACCES}

// Every call to the file system fails, once or from then on, with no space or a
// failing device. What failed once is made good in the same process, also a failed
// sync, whose data the system takes for clean. What keeps failing spoils nothing:
// whatever stop comes next, what is reported as had verifies and what was reported
// durable is had, and when the failures end the download does too.
func TestFailAtEveryCall(t *testing.T) { failAtEveryCall(t, faults, func(*world) {}) }

// The same where many files become durable at once: what the system could not write of a file that
// is closed by then puts the whole group in doubt.
func TestFailAtEveryCallInGroups(t *testing.T) {
	failAtEveryCall(t, faults[:2], func(w *world) { w.groupFrom = 1 })
}

func failAtEveryCall(t *testing.T, faults []syscall.Errno, set func(*world)) {
	for _, errno := range faults {
		for _, once := range []bool{true, false} {
			t.Run(fmt.Sprintf("%v, once %v", errno, once), func(t *testing.T) {
				t.Parallel()
				some := len(faults) // each call fails in one of these ways
				if *sweep || errno == syscall.ENOSPC {
					some = 1
				}
				for n := 1 + int(errno)%some; ; n = next(n) + some - 1 {
					failed := false
					for _, mode := range []crashfs.Mode{crashfs.Lost, []crashfs.Mode{crashfs.Kill, crashfs.Torn}[n%2]} {
						w := newWorld()
						set(w)
						failed = false
						w.fs.FailWhen(func(c crashfs.Call) error {
							if c.N == n || c.N > n && !once {
								failed = true
								return errno
							}
							return nil
						})
						err := w.insist()
						when := fmt.Sprintf("call %d failed, then %v", n, mode)
						if err != nil && (once && n > 1 || !failed) {
							t.Fatalf("%s: %v", when, err)
						}
						if err != nil && !errors.Is(err, errno) {
							t.Fatalf("%s: %v, want it to say %v", when, err, errno)
						}
						w.fs.FailWhen(nil)
						if mode == crashfs.Lost { // the condition ends before anything else does
							if err := w.insist(); err != nil {
								t.Fatalf("%s: going on: %v", when, err)
							}
						}
						w.afterFault(t, when, mode)
					}
					if !failed {
						return
					}
				}
			})
		}
	}
}

// afterFault checks the promises after faults and a stop. That a piece was not
// written over and over while calls failed is not checked, so the doubt may be
// larger than after a stop alone.
func (w *world) afterFault(t *testing.T, when string, mode crashfs.Mode) {
	t.Helper()
	durable := w.durable.Clone()
	w.crash(mode, 3)
	p := w.verify(t)
	for i := range durable.Pieces() {
		if !p.verdict.Trusted.Has(i) && !(p.verdict.Doubt.Has(i) && p.have.Has(i)) {
			t.Errorf("piece %d was reported durable, and is not had", i)
		}
	}
	if err := p.download(); err != nil {
		t.Fatalf("%s: going on: %v", when, err)
	}
	w.crash(crashfs.Lost, 4)
	p = w.verify(t)
	if t.Failed() || !p.verdict.Trusted.All() {
		t.Fatalf("%s: durable %v, trusted in the end %v; changed files %v", when, list(durable), list(p.verdict.Trusted), p.verdict.Changed)
	}
}

// Each write to the journal fails, having written half of the record or all of it,
// and the process goes on without looking back. The journal is whole after a kill.
func TestJournalWriteFails(t *testing.T) {
	for n, failed := 1, true; failed; n = next(n) {
		failed = false
		w := newWorld()
		w.limit = 1 << 20
		p, err := w.open()
		must(t, err)
		must(t, p.start())
		seen := 0
		w.fs.FailWhen(func(c crashfs.Call) error {
			if c.Op == "write" && c.Name == w.lay.FileName() {
				if seen++; seen == n {
					failed = true
					return syscall.ENOSPC
				}
			}
			return nil
		})
		for i := range w.lay.Geometry.Pieces {
			for errors.Is(p.write(i), syscall.ENOSPC) {
			}
			if i%4 == 3 && p.commit() != nil {
				must(t, p.write(i)) // and no second commit: a short record follows a long one
			}
		}
		_ = p.commit()
		w.crash(crashfs.Kill, 0)
		p, err = w.open()
		must(t, err)
		if p.lo.Damaged != "" || p.lo.Torn {
			t.Fatalf("write %d to the journal failed: damage %q, torn %v", n, p.lo.Damaged, p.lo.Torn)
		}
		w.verify(t)
	}
}

// A sync of the files that fails puts the pieces of that group in doubt, and the
// caller is told which.
func TestFailedSync(t *testing.T) {
	w := newWorld()
	p, err := w.open()
	must(t, err)
	must(t, p.start())
	must(t, p.write(0))
	must(t, p.commit())
	must(t, p.write(1))
	must(t, p.write(5))
	w.fs.FailWhen(func(c crashfs.Call) error {
		if c.Op == "sync" && c.Name == "data/t/x/c" || c.Op == "sync" && c.Name == "t/x/c" {
			return syscall.EIO
		}
		return nil
	})
	must(t, p.write(7))
	pieces, err := p.j.Commit(t.Context(), p.guard.Sync)
	if !errors.As(err, new(*resume.SyncError)) || !errors.Is(err, syscall.EIO) || fmt.Sprint(pieces) != "[1 5 7]" {
		t.Fatalf("commit gives %v and %v, want 1, 5 and 7 in doubt", pieces, err)
	}
	w.fs.FailWhen(nil)
	for name, lo := range map[string]*resume.Loaded{"in the same process": p.j.Loaded(), "after a kill": nil} {
		if lo == nil {
			w.crash(crashfs.Kill, 0)
			p, err := w.open()
			must(t, err)
			lo = p.lo
		}
		seen, err := resume.Look(w.fs.Folder("data"), w.lay.Files)
		must(t, err)
		v := lo.Compare(seen)
		if fmt.Sprint(list(v.Trusted)) != "[0]" || fmt.Sprint(list(v.Doubt)) != "[1 5 7]" {
			t.Errorf("%s: trusted %v, in doubt %v; want 0, and 1, 5 and 7", name, list(v.Trusted), list(v.Doubt))
		}
	}
}

var must = testkit.Must
