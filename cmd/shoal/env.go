package main

import (
	"io"
	"os"
	"time"
)

// env is the world that a run sees.
type env struct {
	stdin          io.Reader // nil: nothing comes by it
	stdout, stderr io.Writer
	getenv         func(string) string
	signals        <-chan os.Signal // nil: none will come
	signalsApart   time.Duration    // what comes sooner after the first is the same one
	now            func() time.Time
}
