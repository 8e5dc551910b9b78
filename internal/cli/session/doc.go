// Package session makes an engine for the length of one command, from the flags that commands share,
// and finds the folder of state.
package session
