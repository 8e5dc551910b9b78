package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"shoal/internal/cli/ui"
	"shoal/internal/testkit"
)

// A real terminal is found to be one: it gets a bar that fits its width, and the
// cursor back. With TERM=dumb it is treated like a file.
func TestPseudoTerminal(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	files(t, []string{"write", "a.bin", "3000000"})
	args := []string{"create", "a.bin", "--piece-length", "16KiB"}

	bar := onTerminal(t, args, nil)
	for _, want := range []string{"\x1b[?25l", "hashing", "█", "\x1b[32m", "info-hash"} {
		if !strings.Contains(bar, want) {
			t.Errorf("no %q in %q", want, bar)
		}
	}
	if strings.LastIndex(bar, "\x1b[?25h") < strings.LastIndex(bar, "\x1b[?25l") {
		t.Errorf("the cursor is gone at the end of %q", bar)
	}
	v := testkit.NewVT(t, 60)
	v.Write([]byte(bar))
	if got := v.String(); v.Hidden || !strings.HasPrefix(got, "a.bin  2.86 MiB") {
		t.Errorf("what stays is\n%s", got)
	}
	if grey := onTerminal(t, args, map[string]string{"NO_COLOR": "1"}); strings.Contains(grey, "\x1b[3") || !strings.Contains(grey, "█") {
		t.Errorf("with NO_COLOR: %q", grey)
	}
	if dumb := onTerminal(t, args, map[string]string{"TERM": "dumb"}); strings.Contains(dumb, "\x1b") {
		t.Errorf("with TERM=dumb: %q", dumb)
	}
}

// onTerminal runs a command line on a new terminal of 60 columns and gives what
// was written to it.
func onTerminal(t *testing.T, args []string, vars map[string]string) string {
	t.Helper()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer ptmx.Close()
	n, err := unix.IoctlGetInt(int(ptmx.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(ptmx.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(int(ptmx.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 60})
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	var seen bytes.Buffer
	read := make(chan struct{})
	go func() {
		defer close(read)
		io.Copy(&seen, ptmx) // ends with an error when the last writer is gone
	}()
	var seconds atomic.Int64 // a second goes by between two looks at the clock, so every step is drawn
	code := run(context.Background(), args, ui.Env{
		Stdout: tty, Stderr: tty, Getenv: func(k string) string { return vars[k] },
		Now: func() time.Time { return then.Add(time.Duration(seconds.Add(1)) * time.Second) },
	})
	tty.Close()
	<-read
	if code != ui.ExitDone {
		t.Errorf("exit %d: %q", code, seen.String())
	}
	return strings.ReplaceAll(seen.String(), "\r\n", "\n")
}
