package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"shoal"
	"shoal/internal/files/storage"
)

// The exit codes, as `shoal help exit-codes` and docs/exit-codes.md have them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitSource      = 3
	exitStalled     = 4
	exitNoSpace     = 9
	exitInterrupted = 130
)

const exitCodesHelp = `Exit codes of every shoal command:

    0   done: get has every file complete, verified and durable; verify found
        every piece; run, seed, serve, tracker, dht or lab was ended by
        SIGTERM or SIGHUP
    1   failed: the message says what was attempted, on what, and what to do
    2   wrong usage: an unknown command, flag or value, or a source of a kind
        that this version does not take
    3   the source was not found, or is not a torrent that can be honoured
    4   nothing came for as long as --stop-after says
    9   no space left on the file system, or too little of it from the start
  130   interrupted: by Ctrl-C, or by SIGTERM or SIGHUP while work was left to
        do

Ctrl-C once stops cleanly: peers and trackers are told, files are closed.
Ctrl-C twice stops now. Either way nothing verified is lost, and the same
command goes on where it was.`

// codeNames are the words for the exit codes in JSON error events.
var codeNames = map[int]string{
	exitFailed:      "failed",
	exitUsage:       "usage",
	exitSource:      "source",
	exitStalled:     "stalled",
	exitNoSpace:     "no-space",
	exitInterrupted: "interrupted",
}

// failure is an error that is ready for a person: err says what was attempted
// and on what, hint what to do, code is the exit code.
type failure struct {
	code int
	err  error
	hint string
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func usageErr(hint, format string, a ...any) error {
	return &failure{exitUsage, fmt.Errorf(format, a...), hint}
}

func sourceErr(hint, format string, a ...any) error {
	return &failure{exitSource, fmt.Errorf(format, a...), hint}
}

// fail gives err, which happened while doing what, the exit code and the advice
// that its kind calls for.
func fail(what string, err error) error {
	var f *failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	f = &failure{code: exitFailed, err: err}
	if !strings.HasPrefix(err.Error(), what) { // the library may have said so already
		f.err = fmt.Errorf("%s: %w", what, err)
	}
	var short *shoal.Shortage
	switch {
	case storage.KindOf(err) == storage.NoFiles, errors.As(err, &short) && short.Files > 0:
		f.code = exitNoSpace
		f.hint = "remove files there that you don't need, however small, or name a folder on another file system with --dir, then run the same command again"
	case short != nil:
		f.code = exitNoSpace
		f.hint = "free some space, leave files out with --skip or --only, name another folder with --dir, or begin anyway with --ignore-free-space"
	case errors.Is(err, shoal.ErrNoSpace), errors.Is(err, syscall.ENOSPC):
		f.code = exitNoSpace
		f.hint = "free some space, or name another folder with --dir, then run the same command again"
	case errors.Is(err, shoal.ErrNotTorrent):
		f.code = exitSource
		f.hint = "get the torrent again from where it came from; the message names the place in the file"
	case errors.Is(err, shoal.ErrInUse):
		f.hint = "stop that shoal run first, or name another folder with --state"
	case errors.Is(err, shoal.ErrConfig):
		f.code = exitUsage
	case errors.Is(err, shoal.ErrPath):
		f.code = exitUsage
		f.hint = "choose another name, below --dir: shoal rename --help"
	case errors.Is(err, shoal.ErrDuplicate):
		f.hint = "name each torrent once"
	case errors.Is(err, syscall.EADDRINUSE):
		f.hint = "another program uses this port; choose another with --listen ADDR:PORT (port 0 picks a free one)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f.hint = "--listen takes an address of this machine; 0.0.0.0 means all of them"
	case errors.Is(err, fs.ErrPermission):
		f.hint = "check the owner and the permissions of the file and its folder"
	case errors.Is(err, fs.ErrNotExist):
		f.hint = "check the name; relative names start at the current folder"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		f.hint = "nothing answered in time; check the address and try again"
	}
	return f
}

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ sig os.Signal }

func (i interrupted) Error() string {
	if i.sig == os.Interrupt {
		return "interrupted by Ctrl-C"
	}
	return "interrupted by signal: " + i.sig.String()
}

// toldToEnd reports whether ctx was ended by SIGTERM or SIGHUP, by which services are ended,
// and not by a person at the keyboard.
func toldToEnd(ctx context.Context) bool {
	sig := stopSignal(ctx)
	return sig != nil && sig != os.Interrupt
}

// services are the commands that others start and end: being told to end is a normal end for
// them, whatever they were doing. They run until then, or, as a question to the DHT and the
// lab, for a time that nobody knows, and leave nothing half done.
var services = []string{"run", "seed", "serve", "tracker", "dht", "lab"}

// isService reports whether a command, or the one that it is a part of, is a service.
func isService(cmd *cobra.Command) bool {
	for ; cmd.HasParent(); cmd = cmd.Parent() {
		if !cmd.Parent().HasParent() {
			return slices.Contains(services, cmd.Name())
		}
	}
	return false
}

// stopSignal is the signal that ended ctx, nil when none did.
func stopSignal(ctx context.Context) os.Signal {
	var i interrupted
	if errors.As(context.Cause(ctx), &i) {
		return i.sig
	}
	return nil
}
