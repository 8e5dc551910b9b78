// Command shoal gets torrents from other people's clients and shares them, makes
// and checks .torrent files, asks the DHT, and shows a whole swarm at work.
//
// The commands parse flags, call package shoal and say what happens; what is
// decided about peers, pieces and nodes is decided there. Every command can
// speak to a person at a terminal, to a file, or (--json) to a program.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	signals := make(chan os.Signal, 2) // two: the first stops, the second stops now
	stop := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // with nohup the end of the terminal is no reason to end
		stop = append(stop, syscall.SIGHUP)
	}
	signal.Notify(signals, stop...)
	os.Exit(run(context.Background(), os.Args[1:], env{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv, signals: signals, signalsApart: 200 * time.Millisecond, now: time.Now,
	}))
}
