package engine

import (
	"context"
	"sync"

	"shoal/internal/mailbox"
	"shoal/internal/value/mono"
)

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
