package ui

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"shoal"
)

// An error of the library or the system gets the exit code and the advice of its
// kind, and says once what was attempted.
func TestFail(t *testing.T) {
	for _, c := range []struct {
		err  error
		code int
		hint string
	}{
		{fmt.Errorf("write x: %w", shoal.ErrNoSpace), ExitNoSpace, "free some space"},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, ExitNoSpace, "free some space"},
		{fmt.Errorf("%w: no info", shoal.ErrNotTorrent), ExitSource, "get the torrent again"},
		{fmt.Errorf("%w: a negative number", shoal.ErrConfig), ExitUsage, ""},
		{shoal.ErrDuplicate, ExitFailed, "once"},
		{fmt.Errorf("bind: %w", syscall.EADDRINUSE), ExitFailed, "--listen"},
		{fmt.Errorf("bind: %w", syscall.EADDRNOTAVAIL), ExitFailed, "of this machine"},
		{fs.ErrPermission, ExitFailed, "permissions"},
		{fs.ErrNotExist, ExitFailed, "check the name"},
		{context.DeadlineExceeded, ExitFailed, "in time"},
		{errors.New("something else"), ExitFailed, ""},
	} {
		err := Fail("get x", c.err)
		var f *Failure
		if !errors.As(err, &f) || f.Code != c.code || !strings.Contains(f.Hint, c.hint) || (c.hint == "") != (f.Hint == "") {
			t.Errorf("%v: %+v", c.err, f)
		}
		if !errors.Is(err, c.err) || err.Error() != "get x: "+c.err.Error() {
			t.Errorf("%v: reads as %q", c.err, err)
		}
		if again := Fail("get y", err); again != err {
			t.Errorf("%v: told twice: %v", c.err, again)
		}
	}
	if err := Fail("get x", errors.New("get x: refused")); err.Error() != "get x: refused" {
		t.Errorf("what was attempted is said twice: %v", err)
	}
	if err := Fail("get x", nil); err != nil {
		t.Errorf("a failure from nothing: %v", err)
	}
}
