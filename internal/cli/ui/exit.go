package ui

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
)

// The exit codes, as `shoal help exit-codes` and docs/exit-codes.md have them.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitSource      = 3
	ExitStalled     = 4
	ExitNoSpace     = 9
	ExitInterrupted = 130
)

const ExitCodesHelp = `Exit codes of every shoal command:

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

Ctrl-C once stops cleanly: peers and trackers learn of it, files are closed.
Ctrl-C twice stops now. Either way nothing verified is lost, and the same
command goes on where it was.`

// codeNames are the words for the exit codes in JSON error events.
var codeNames = map[int]string{
	ExitFailed:      "failed",
	ExitUsage:       "usage",
	ExitSource:      "source",
	ExitStalled:     "stalled",
	ExitNoSpace:     "no-space",
	ExitInterrupted: "interrupted",
}

// Failure is an error that is ready for a person: err says what was attempted
// and on what, hint what to do, code is the exit code.
type Failure struct {
	Code int
	Err  error
	Hint string
}

func (f *Failure) Error() string { return f.Err.Error() }
func (f *Failure) Unwrap() error { return f.Err }

func UsageError(hint, format string, a ...any) error {
	return &Failure{ExitUsage, fmt.Errorf(format, a...), hint}
}

func SourceError(hint, format string, a ...any) error {
	return &Failure{ExitSource, fmt.Errorf(format, a...), hint}
}

// Fail returns err, which happened while doing what, with the exit code and the advice
// for its kind.
func Fail(what string, err error) error {
	var f *Failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	f = &Failure{Code: ExitFailed, Err: err}
	if !strings.HasPrefix(err.Error(), what) { // the library may have said so already
		f.Err = fmt.Errorf("%s: %w", what, err)
	}
	var short *shoal.Shortage
	switch {
	case shoal.NoFilesLeft(err), errors.As(err, &short) && short.Files > 0:
		f.Code = ExitNoSpace
		f.Hint = "remove files there that you don't need, however small, or name a folder on another file system with --dir, then run the same command again"
	case short != nil:
		f.Code = ExitNoSpace
		f.Hint = "free some space, leave files out with --skip or --only, name another folder with --dir, or begin anyway with --ignore-free-space"
	case errors.Is(err, shoal.ErrNoSpace), errors.Is(err, syscall.ENOSPC):
		f.Code = ExitNoSpace
		f.Hint = "free some space, or name another folder with --dir, then run the same command again"
	case errors.Is(err, shoal.ErrNotTorrent):
		f.Code = ExitSource
		f.Hint = "get the torrent again from where it came from; the message names the place in the file"
	case errors.Is(err, shoal.ErrInUse):
		f.Hint = "stop that shoal run first, or name another folder with --state"
	case errors.Is(err, shoal.ErrConfig):
		f.Code = ExitUsage
	case errors.Is(err, shoal.ErrPath):
		f.Code = ExitUsage
		f.Hint = "choose another name, below --dir: shoal rename --help"
	case errors.Is(err, shoal.ErrDuplicate):
		f.Hint = "name each torrent once"
	case errors.Is(err, syscall.EADDRINUSE):
		f.Hint = "another program uses this port; choose another with --listen ADDR:PORT (port 0 picks a free one)"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		f.Hint = "--listen takes an address of this machine; 0.0.0.0 means all of them"
	case errors.Is(err, fs.ErrPermission):
		f.Hint = "check the owner and the permissions of the file and its folder"
	case errors.Is(err, fs.ErrNotExist):
		f.Hint = "check the name; relative names start at the current folder"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		f.Hint = "nothing answered in time; check the address and try again"
	}
	return f
}

// Interrupted is the cause of a context that a signal ended.
type Interrupted struct{ Sig os.Signal }

func (i Interrupted) Error() string {
	if i.Sig == os.Interrupt {
		return "interrupted by Ctrl-C"
	}
	return "interrupted by signal: " + i.Sig.String()
}

// Terminated reports whether ctx was ended by SIGTERM or SIGHUP, by which services are ended,
// and not by a person at the keyboard.
func Terminated(ctx context.Context) bool {
	sig := StopSignal(ctx)
	return sig != nil && sig != os.Interrupt
}

// services are the commands that others start and end: a signal that ends them is a normal end for
// them, whatever they were doing. They run until then, or, as a question to the DHT and the
// lab, for a time that nobody knows, and leave nothing half done.
var services = []string{"run", "seed", "serve", "tracker", "dht", "lab"}

// IsService reports whether a command, or the one that it is a part of, is a service.
func IsService(cmd *cobra.Command) bool {
	for ; cmd.HasParent(); cmd = cmd.Parent() {
		if !cmd.Parent().HasParent() {
			return slices.Contains(services, cmd.Name())
		}
	}
	return false
}

// StopSignal is the signal that ended ctx, nil when none did.
func StopSignal(ctx context.Context) os.Signal {
	var i Interrupted
	if errors.As(context.Cause(ctx), &i) {
		return i.Sig
	}
	return nil
}
