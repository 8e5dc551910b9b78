package main

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
		{fmt.Errorf("write x: %w", shoal.ErrNoSpace), exitNoSpace, "free some space"},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, exitNoSpace, "free some space"},
		{fmt.Errorf("%w: no info", shoal.ErrNotTorrent), exitSource, "get the torrent again"},
		{fmt.Errorf("%w: a negative number", shoal.ErrConfig), exitUsage, ""},
		{shoal.ErrDuplicate, exitFailed, "once"},
		{fmt.Errorf("bind: %w", syscall.EADDRINUSE), exitFailed, "--listen"},
		{fmt.Errorf("bind: %w", syscall.EADDRNOTAVAIL), exitFailed, "of this machine"},
		{fs.ErrPermission, exitFailed, "permissions"},
		{fs.ErrNotExist, exitFailed, "check the name"},
		{context.DeadlineExceeded, exitFailed, "in time"},
		{errors.New("something else"), exitFailed, ""},
	} {
		err := fail("get x", c.err)
		var f *failure
		if !errors.As(err, &f) || f.code != c.code || !strings.Contains(f.hint, c.hint) || (c.hint == "") != (f.hint == "") {
			t.Errorf("%v: %+v", c.err, f)
		}
		if !errors.Is(err, c.err) || err.Error() != "get x: "+c.err.Error() {
			t.Errorf("%v: reads as %q", c.err, err)
		}
		if again := fail("get y", err); again != err {
			t.Errorf("%v: told twice: %v", c.err, again)
		}
	}
	if err := fail("get x", errors.New("get x: refused")); err.Error() != "get x: refused" {
		t.Errorf("what was attempted is said twice: %v", err)
	}
	if err := fail("get x", nil); err != nil {
		t.Errorf("a failure from nothing: %v", err)
	}
}
