// Package ui is how commands speak: to a person at a terminal, to a file or pipe, and with --json to a
// program. It has the screen and its drawings, numbers and times in words, and the exit codes.
package ui
