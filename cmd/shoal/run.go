package main

import (
	"context"
	"errors"
	"slices"
	"time"

	"shoal"
)

// stopNotice is how long a clean stop may take before a person is told that a
// second Ctrl-C ends it.
const stopNotice = 400 * time.Millisecond

// run executes one command line and gives its exit code. The first signal
// cancels the command, which then stops cleanly; after the second, run returns
// at once, whatever is still going on.
func run(ctx context.Context, args []string, e env) int {
	return runWith(ctx, args, e, execute)
}

func runWith(ctx context.Context, args []string, e env, execute func(context.Context, []string, *output, env) error) int {
	out := &output{
		// Mistakes in the flags must be told in JSON too, so the flag is looked
		// for before it is parsed.
		json: slices.Contains(args, "--json"),
		out:  e.stdout, errs: e.stderr, now: e.now,
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)

	done := make(chan error, 1)
	ctx = withStdin(ctx, e.stdin)
	go func() { done <- execute(ctx, args, out, e) }()

	var notice <-chan time.Time
	stopping := false
	var since time.Time
	for {
		select {
		case err := <-done:
			return finish(ctx, out, err)
		case sig := <-e.signals:
			if stopping && e.now().Sub(since) < e.signalsApart {
				continue
			}
			if stopping {
				return finish(ctx, out, &failure{
					exitInterrupted, errors.New("stopped at once by the second signal"),
					"what was verified is kept; the same command goes on from there",
				})
			}
			stopping, since = true, e.now()
			cancel(interrupted{sig})
			notice = time.After(stopNotice)
		case <-notice:
			out.printErr("shoal: stopping; Ctrl-C again stops at once")
		}
	}
}

// finish says how a command ended, and gives its exit code.
func finish(ctx context.Context, out *output, err error) int {
	defer out.end()
	out.clear()
	if err == nil {
		return exitDone
	}
	var f *failure
	stopped := stopSignal(ctx) != nil
	switch {
	case out.service && toldToEnd(ctx) && onlyEnded(err):
		out.say("stopped")
		out.event("stopped", nil)
		return exitDone
	case errors.As(err, &f) && !(stopped && f.code == exitFailed && cancelled(err)):
	case stopped:
		f = &failure{exitInterrupted, context.Cause(ctx), "the same command starts again"}
	default:
		// Commands give a failure; what is left are the flag parser's errors.
		f = &failure{exitUsage, err, "see: shoal --help"}
	}
	out.failed(f)
	return f.code
}

// execute parses the command line and does what it says.
func execute(ctx context.Context, args []string, out *output, e env) error {
	root := rootCommand(out, e)
	args = streamArgs(apart(flagsFirst(root, args)), wordsOf)
	root.SetArgs(args)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)
	addCompletion(root)
	if err := unknownCommand(root, args[:min(len(args), 1)]); err != nil {
		return err
	}
	return root.ExecuteContext(ctx)
}

// cancelled reports whether err is no more than the end of a context.
func cancelled(err error) bool {
	var i interrupted
	return errors.Is(err, context.Canceled) || errors.Is(err, shoal.ErrStopped) || errors.As(err, &i)
}

// onlyEnded reports whether err is no more than that a command was told to end, at whatever
// it was, or that saying farewell took too long.
func onlyEnded(err error) bool {
	var f *failure
	return cancelled(err) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &f) && f.code == exitInterrupted
}
