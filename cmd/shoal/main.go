// Command shoal gets torrents from other people's clients and shares them, makes
// and checks .torrent files, asks the DHT, and shows a whole swarm at work.
//
// This folder joins the commands, which lie in internal/cli by subject: they parse flags, call
// package shoal, as any program does that embeds it, and print what happens (decision 0185).
// Every command writes for a person at a terminal, for a file, or with --json for a program.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"shoal/internal/cli/ui"
)

func main() {
	signals := make(chan os.Signal, 2) // two: the first stops, the second stops now
	stop := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // with nohup the end of the terminal is no reason to end
		stop = append(stop, syscall.SIGHUP)
	}
	signal.Notify(signals, stop...)
	os.Exit(run(context.Background(), os.Args[1:], ui.Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Getenv: os.Getenv, Signals: signals, SignalsApart: 200 * time.Millisecond, Now: time.Now,
	}))
}
