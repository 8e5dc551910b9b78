package transfer

import (
	"context"
	"runtime/debug"
	"sync"
	"time"

	"shoal/internal/cli/session"
	"shoal/internal/cli/ui"
)

// How much garbage gathers where there are many torrents, in percent of what is needed. Torrents
// that have started make hardly any, and are to cost little memory. While thousands start, the
// heap grows from nothing: at manyGC the collector then used more CPU than all other code
// together (decision 0219).
const (
	startGC = 25
	manyGC  = 10
)

// few is how many torrents are not many.
const few = 50

// settleTries is how often to wait for a moment in which nothing changes.
const settleTries = 30

// spare is for commands that have many torrents: memory that gathers is given back early,
// and what the start has used once everything is found and safe. It ends with ctx.
func spare(ctx context.Context, s *session.Session, torrents int) (wait func()) {
	if torrents <= few {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer debug.SetGCPercent(manyGC) // also when it ends early
		if s.Engine.Save(ctx) != nil {
			return
		}
		// Where peers are served from the first moment it is never quiet.
		for tries, before := 0, uint64(0); tries < settleTries && s.Engine.StatsVersion() != before; tries++ {
			before = s.Engine.StatsVersion()
			select {
			case <-time.After(ui.EventEvery):
			case <-ctx.Done():
				return
			}
		}
		debug.SetGCPercent(manyGC)
		debug.FreeOSMemory()
	})
	return func() {
		cancel()
		wg.Wait()
	}
}
