// Package window decides how many requests one peer should have outstanding.
package window

import "shoal/internal/mono"

// Window is the request window of one peer. The zero value is ready.
type Window struct{}

// New gives a window that starts with that many requests; 0 means the default of 8.
func New(start int) Window                                       { return Window{} }
func (w *Window) Sent(now mono.Time, n int)                      {}
func (w *Window) Got(now mono.Time, bytes int, sentAt mono.Time) {}
func (w *Window) Lost(now mono.Time)                             {}
func (w *Window) Drained(now mono.Time)                          {}
func (w *Window) Outstanding() int                               { return 0 }
func (w *Window) Limit() int                                     { return 8 }
func (w *Window) SetMax(n int)                                   {}
func (w *Window) Rate() int64                                    { return 0 }
func (w *Window) Snub(now mono.Time)                             {}
func (w *Window) Unsnub()                                        {}
func (w *Window) Snubbed() bool                                  { return false }

// Meter measures bytes a second over the last seconds, idle time included.
type Meter struct{}

func (m *Meter) Add(now mono.Time, bytes int) {}
func (m *Meter) Rate(now mono.Time) int64     { return 0 }
