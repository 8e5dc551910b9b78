package engine

import (
	"context"
	"sync"
)

// engineLife is the lifetime of an engine, and the goroutines that Close waits for.
//
//shoal:part
type engineLife struct {
	ctx    context.Context // ends when the engine closes
	cancel context.CancelFunc
	wg     sync.WaitGroup // accept loops, handshakes, announces
}

func (l *engineLife) begin() { l.ctx, l.cancel = context.WithCancel(context.Background()) }
