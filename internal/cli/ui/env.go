package ui

import (
	"io"
	"os"
	"time"
)

// Env is the world that a run sees.
type Env struct {
	Stdin          io.Reader // nil: nothing comes by it
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Signals        <-chan os.Signal // nil: none will come
	SignalsApart   time.Duration    // what comes sooner after the first is the same one
	Now            func() time.Time
}
