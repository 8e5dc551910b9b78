package engine

import (
	"context"
	"sync"
	"time"

	"shoal/internal/mailbox"
	"shoal/internal/value/mono"
)

// Clock is the time of an engine.
type Clock struct {
	// Origin is the instant that traces count from; default: the start of the engine. Engines that
	// share it have comparable traces.
	Origin time.Time
	// Bell returns what wakes the engine at beats; default: mailbox.TimerBell. A SystemBell wakes fewer
	// threads; a test with a clock of its own cannot have one.
	Bell func() mailbox.Bell
}

// engineLife is the lifetime of an engine, and the goroutines that Close waits for.
//
//shoal:part
type engineLife struct {
	ctx    context.Context // ends when the engine closes
	cancel context.CancelFunc
	wg     sync.WaitGroup // accept loops, handshakes, announces
	beats  *mailbox.Beats // of all connections and limits
}

func (l *engineLife) begin(now func() mono.Time, bell func() mailbox.Bell) {
	l.ctx, l.cancel = context.WithCancel(context.Background())
	l.beats = mailbox.NewBeats(now, bell())
}

// abandon ends the lifetime of an engine that could not begin.
func (l *engineLife) abandon() {
	l.cancel()
	l.beats.Close()
}
