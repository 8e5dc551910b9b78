package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"shoal"
	"shoal/internal/cli/cmdline"
	"shoal/internal/cli/source"
	"shoal/internal/cli/ui"
)

// stopNotice is how long a clean stop may take before a line says that a second
// Ctrl-C ends it.
const stopNotice = 400 * time.Millisecond

// run executes one command line and returns its exit code. The first signal
// cancels the command, which then stops cleanly; after the second, run returns
// at once, whatever is still going on.
func run(ctx context.Context, args []string, e ui.Env) int {
	return runWith(ctx, args, e, execute)
}

func runWith(ctx context.Context, args []string, e ui.Env, execute func(context.Context, []string, *ui.Output, ui.Env) error) int {
	out := &ui.Output{
		// JSON must have mistakes in the flags too, so we look for the flag
		// before it is parsed.
		JSON: slices.Contains(args, "--json"),
		Out:  e.Stdout, Errs: e.Stderr, Now: e.Now,
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	done := make(chan error, 1)
	ctx = source.WithStdin(ctx, e.Stdin)
	go func() { done <- execute(ctx, args, out, e) }()

	var notice <-chan time.Time
	stopping := false
	var since time.Time
	for {
		select {
		case err := <-done:
			return finish(ctx, out, err)
		case sig := <-e.Signals:
			if stopping && e.Now().Sub(since) < e.SignalsApart {
				continue
			}
			if stopping {
				return finish(ctx, out, &ui.Failure{
					Code: ui.ExitInterrupted, Err: errors.New("stopped at once by the second signal"),
					Hint: "what was verified is kept; the same command goes on from there",
				})
			}
			stopping, since = true, e.Now()
			cancel(ui.Interrupted{Sig: sig})
			notice = time.After(stopNotice)
		case <-notice:
			out.PrintErr("shoal: stopping; Ctrl-C again stops at once")
		}
	}
}

// finish says how a command ended, and returns its exit code.
func finish(ctx context.Context, out *ui.Output, err error) int {
	defer out.End()
	out.Clear()
	if err == nil {
		return ui.ExitDone
	}
	var f *ui.Failure
	stopped := ui.StopSignal(ctx) != nil
	switch {
	case out.Service && ui.Terminated(ctx) && onlyEnded(err):
		out.Say("stopped")
		out.Event("stopped", nil)
		return ui.ExitDone
	case errors.As(err, &f) && !(stopped && f.Code == ui.ExitFailed && cancelled(err)):
	case stopped:
		f = &ui.Failure{Code: ui.ExitInterrupted, Err: context.Cause(ctx), Hint: "the same command starts again"}
	default:
		// Commands return a failure; all other errors are the flag parser's.
		f = &ui.Failure{Code: ui.ExitUsage, Err: err, Hint: "see: shoal --help"}
	}
	out.Failed(f)
	return f.Code
}

// execute parses the command line and does what it says.
func execute(ctx context.Context, args []string, out *ui.Output, e ui.Env) error {
	root := rootCommand(out, e)
	args = streamArgs(apart(root, flagsFirst(root, args)), wordsOf)
	root.SetArgs(args)
	root.SetOut(e.Stdout)
	root.SetErr(e.Stderr)
	addCompletion(root)
	if err := cmdline.UnknownCommand(root, args[:min(len(args), 1)]); err != nil {
		return err
	}
	return root.ExecuteContext(ctx)
}

// cancelled reports whether err is no more than the end of a context.
func cancelled(err error) bool {
	var i ui.Interrupted
	return errors.Is(err, context.Canceled) || errors.Is(err, shoal.ErrStopped) || errors.As(err, &i)
}

// onlyEnded reports whether err means only that a signal ended the command, whatever it did,
// or that the clean stop took too long.
func onlyEnded(err error) bool {
	var f *ui.Failure
	return cancelled(err) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &f) && f.Code == ui.ExitInterrupted
}
